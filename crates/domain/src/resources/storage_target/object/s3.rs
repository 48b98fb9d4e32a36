//! A bucket of Amazon S3, or of a server that speaks its protocol.

use serde::Deserialize;

use super::{endpoint, prefix};
use crate::{
    Sensitive,
    resources::{FieldPath, SecretValueSpec, Secrets, field::Findings},
};

/// A bucket of Amazon S3, or of a server that speaks its protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Target {
    /// Name of the bucket.
    pub bucket: String,
    /// What stands before the names of all objects, levels separated by `/`; empty: nothing.
    pub prefix: String,
    /// Region of the bucket; `None`: that of the environment, else `us-east-1`.
    pub region: Option<String>,
    /// Address of the server; `None`: Amazon's of the region.
    pub endpoint: Option<String>,
    /// True: the bucket is the first level of the path; false: of the host name.
    pub path_style: bool,
    /// Key id and secret key; `None`: a role of the environment, of the pod or of the machine.
    pub keys: Option<(String, Sensitive<String>)>,
    /// Whether objects are locked; `None`: as the bucket does by itself.
    pub lock: Option<S3Lock>,
}

/// The lock of objects until their retention ends (S3 Object Lock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Lock {
    /// Who may lift it.
    pub mode: S3LockMode,
}

/// Who may lift a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum S3LockMode {
    /// Whoever has the right `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody.
    Compliance,
}

/// The raw form of an [`S3Lock`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3LockSpec {
    /// `governance` or `compliance`.
    pub mode: S3LockMode,
}

/// The raw form of an [`S3Target`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct S3Spec {
    /// Name of the bucket.
    pub bucket: String,
    /// What stands before the names of all objects.
    pub prefix: String,
    /// Region of the bucket.
    pub region: Option<String>,
    /// Address of a server that is not Amazon's.
    pub endpoint: Option<String>,
    /// By default true with `endpoint`, and false without.
    pub path_style: Option<bool>,
    /// Id of the access key.
    pub access_key_id: Option<String>,
    /// Where the secret key lies.
    pub secret_access_key: Option<SecretValueSpec>,
    /// The lock of objects.
    pub lock: Option<S3LockSpec>,
}

impl S3Spec {
    pub(in super::super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<S3Target> {
        let good = (3..=63).contains(&self.bucket.len())
            && self
                .bucket
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b));
        if !good {
            let reason = "must be the name of a bucket: 3 to 63 of a-z, 0-9, . and -";
            findings.add(path.key("bucket"), reason);
        }
        let prefix = prefix(&self.prefix, &path.key("prefix"), findings);
        let endpoint = endpoint(self.endpoint.as_deref(), &path.key("endpoint"), findings);
        let region_good = |region: &str| {
            !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if self.region.as_deref().is_some_and(|region| !region_good(region)) {
            findings.add(path.key("region"), "must be a region's name such as eu-central-1");
        }
        let keys = match (&self.access_key_id, &self.secret_access_key) {
            (None, None) => None,
            (Some(id), Some(secret)) => {
                if id.is_empty() || !id.bytes().all(|b| b.is_ascii_graphic()) {
                    findings.add(path.key("accessKeyId"), "must be the id of an access key");
                }
                let secret = secrets.resolve(secret, &path.key("secretAccessKey"), findings)?;
                Some((id.clone(), secret))
            }
            _ => {
                let reason = "must have both of accessKeyId and secretAccessKey, or neither: then the role of the \
                              environment counts";
                findings.add(path.clone(), reason);
                return None;
            }
        };
        Some(S3Target {
            bucket: self.bucket.clone(),
            prefix,
            region: self.region.clone(),
            path_style: self.path_style.unwrap_or(endpoint.is_some()),
            endpoint,
            keys,
            lock: self.lock.as_ref().map(|lock| S3Lock { mode: lock.mode }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Secret, StorageKind, StorageTarget, StorageTargetSpec, secret::SecretRefSpec};

    fn s3() -> S3Spec {
        let secret_ref = SecretRefSpec { name: "archive".into(), key: "secret".into() };
        S3Spec {
            bucket: "acme-archive".into(),
            prefix: "/calls/".into(),
            region: Some("eu-central-1".into()),
            access_key_id: Some("AKIAEXAMPLE".into()),
            secret_access_key: Some(SecretValueSpec { secret_ref }),
            ..S3Spec::default()
        }
    }

    fn validate(s3: S3Spec) -> Result<StorageTarget, Vec<String>> {
        let mut secrets = Secrets::default();
        let values = [("secret".to_owned(), "hunter2".into())].into();
        secrets.insert("archive".parse().unwrap(), Secret { values, ..Secret::default() });
        let spec = StorageTargetSpec { s3: Some(s3), ..StorageTargetSpec::default() };
        let target = spec.validate("archive".parse().unwrap(), &secrets);
        target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_secret_key_comes_from_the_secret_and_the_bucket_stands_in_amazons_host_name() {
        let StorageKind::S3(target) = validate(s3()).unwrap().kind else { panic!("is S3") };
        assert_eq!(target.keys, Some(("AKIAEXAMPLE".into(), "hunter2".into())));
        assert_eq!((target.prefix.as_str(), target.path_style), ("calls", false));
        let own = S3Spec { endpoint: Some("https://s3.acme.example/".into()), ..s3() };
        let StorageKind::S3(target) = validate(own).unwrap().kind else { panic!("is S3") };
        assert_eq!(target.endpoint.as_deref(), Some("https://s3.acme.example"));
        assert!(target.path_style);
    }

    #[test]
    fn what_is_wrong_is_named_where_it_stands() {
        let wrong = S3Spec {
            bucket: "s3://acme".into(),
            prefix: "a/../b".into(),
            region: Some("Frankfurt am Main".into()),
            endpoint: Some("s3.acme.example".into()),
            ..s3()
        };
        assert_eq!(
            validate(wrong).unwrap_err(),
            [
                "spec.s3.bucket: must be the name of a bucket: 3 to 63 of a-z, 0-9, . and -",
                "spec.s3.prefix: must not have a level that is empty, . or ..",
                "spec.s3.endpoint: must be an address such as https://s3.example.org, without a login in it",
                "spec.s3.region: must be a region's name such as eu-central-1",
            ]
        );
        let half = S3Spec { secret_access_key: None, ..s3() };
        assert!(validate(half).unwrap_err()[0].starts_with("spec.s3: must have both of"));
    }

    #[test]
    fn a_lock_says_who_may_lift_it() {
        let locked = S3Spec { lock: Some(S3LockSpec { mode: S3LockMode::Compliance }), ..s3() };
        let target = validate(locked).unwrap();
        assert!(target.locks() && !validate(s3()).unwrap().locks());
        let StorageKind::S3(target) = target.kind else { panic!("is S3") };
        assert_eq!(target.lock, Some(S3Lock { mode: S3LockMode::Compliance }));
    }
}
