//! A bucket of Google Cloud Storage.

use serde::Deserialize;

use super::{endpoint, prefix};
use crate::{
    Sensitive,
    resources::{FieldPath, SecretValueSpec, Secrets, field::Findings},
};

/// A bucket of Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcsTarget {
    /// Name of the bucket.
    pub bucket: String,
    /// What stands before the names of all objects, levels separated by `/`; empty: nothing.
    pub prefix: String,
    /// Address of the server; `None`: Google's.
    pub endpoint: Option<String>,
    /// The key file of a service account, JSON; `None`: whatever the environment, the pod or the machine
    /// is let in by.
    pub service_account_key: Option<Sensitive<String>>,
}

/// The raw form of a [`GcsTarget`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GcsSpec {
    /// Name of the bucket.
    pub bucket: String,
    /// What stands before the names of all objects.
    pub prefix: String,
    /// Address of a server that is not Google's.
    pub endpoint: Option<String>,
    /// Where the key file of a service account lies.
    pub service_account_key: Option<SecretValueSpec>,
}

impl GcsSpec {
    pub(in super::super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<GcsTarget> {
        // Names with dots may have 222 characters.
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = (3..=222).contains(&self.bucket.len())
            && self.bucket.bytes().all(|b| letter(b) || b".-_".contains(&b))
            && self.bucket.bytes().next().is_some_and(letter)
            && self.bucket.bytes().last().is_some_and(letter);
        if !good {
            let reason = "must be the name of a bucket: 3 to 222 of a-z, 0-9, ., - and _, without gs://";
            findings.add(path.key("bucket"), reason);
        }
        let prefix = prefix(&self.prefix, &path.key("prefix"), findings);
        let endpoint = endpoint(self.endpoint.as_deref(), &path.key("endpoint"), findings);
        let service_account_key = match &self.service_account_key {
            None => None,
            Some(key) => {
                let field = path.key("serviceAccountKey");
                let key = secrets.resolve(key, &field, findings)?;
                if !is_key_file(key.expose()) {
                    let reason = "must be the key file of a service account as Google gives it: JSON with client_email \
                                  and private_key";
                    findings.add(field, reason);
                }
                Some(key)
            }
        };
        Some(GcsTarget { bucket: self.bucket.clone(), prefix, endpoint, service_account_key })
    }
}

/// Whether it looks like a key file; whoever signs with it reads it in full.
fn is_key_file(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && ["\"client_email\"", "\"private_key\""].iter().all(|key| text.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Secret, StorageKind, StorageTarget, StorageTargetSpec, secret::SecretRefSpec};

    fn validate(gcs: GcsSpec, key: &str) -> Result<StorageTarget, Vec<String>> {
        let mut secrets = Secrets::default();
        let values = [("key".to_owned(), key.into())].into();
        secrets.insert("archive".parse().unwrap(), Secret { values, ..Secret::default() });
        let spec = StorageTargetSpec { gcs: Some(gcs), ..StorageTargetSpec::default() };
        let target = spec.validate("archive".parse().unwrap(), &secrets);
        target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn with_key() -> GcsSpec {
        let secret_ref = SecretRefSpec { name: "archive".into(), key: "key".into() };
        let service_account_key = Some(SecretValueSpec { secret_ref });
        GcsSpec {
            bucket: "acme-archive".into(),
            prefix: "/calls/".into(),
            service_account_key,
            ..GcsSpec::default()
        }
    }

    #[test]
    fn a_key_file_is_taken_as_it_is_and_without_one_the_environment_counts() {
        let file = r#"{"client_email": "a@b.example", "private_key": "-----BEGIN PRIVATE KEY-----"}"#;
        let StorageKind::Gcs(target) = validate(with_key(), file).unwrap().kind else { panic!("is GCS") };
        assert_eq!((target.prefix.as_str(), target.service_account_key), ("calls", Some(file.into())));
        let without = GcsSpec { service_account_key: None, ..with_key() };
        let StorageKind::Gcs(target) = validate(without, file).unwrap().kind else { panic!("is GCS") };
        assert_eq!(target.service_account_key, None);
    }

    #[test]
    fn what_is_wrong_is_named_where_it_stands_and_no_key_is_repeated() {
        let wrong =
            GcsSpec { bucket: "gs://acme".into(), endpoint: Some("storage.example".into()), ..with_key() };
        assert_eq!(
            validate(wrong, "hunter2").unwrap_err(),
            [
                "spec.gcs.bucket: must be the name of a bucket: 3 to 222 of a-z, 0-9, ., - and _, without gs://",
                "spec.gcs.endpoint: must be an address such as https://s3.example.org, without a login in it",
                "spec.gcs.serviceAccountKey: must be the key file of a service account as Google gives it: JSON with \
                 client_email and private_key",
            ]
        );
    }
}
