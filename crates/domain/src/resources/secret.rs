//! `Secret`: passwords and keys, in the form that Kubernetes gives them.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{FieldError, FieldPath, field::Findings};
use crate::{ResourceName, Sensitive};

/// A validated `Secret`: its values as text. They are shown nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// By key.
    pub values: BTreeMap<String, Sensitive<String>>,
    /// Keys whose values are sealed, and were not opened. Whoever refers to one of them is not in
    /// force, and that is no fault of it.
    pub closed: BTreeSet<String>,
}

/// The raw form: the content of the fields `stringData`, `data` and `sealedData`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretSpec {
    /// Values as they are.
    pub string_data: BTreeMap<String, Sensitive<String>>,
    /// Values in base64.
    pub data: BTreeMap<String, Sensitive<String>>,
    /// Values sealed by the key of the installation, in base64 (F-81). Whoever has the key opens them
    /// first and puts them among `string_data`; what is still here stays closed.
    pub sealed_data: BTreeMap<String, Sensitive<String>>,
}

impl SecretSpec {
    /// True if a value can be read by whoever reads the file.
    pub fn has_plain_values(&self) -> bool {
        !self.string_data.is_empty() || !self.data.is_empty()
    }

    /// Decodes `data`; `stringData` wins where both have a key, as in Kubernetes.
    pub fn validate(&self) -> Result<Secret, Vec<FieldError>> {
        let mut findings = Findings::default();
        let mut values = BTreeMap::new();
        for (key, encoded) in &self.data {
            // Line breaks are what `base64` without `-w0` leaves in a file.
            let text: String = encoded.expose().split_whitespace().collect();
            match STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(value) => drop(values.insert(key.clone(), Sensitive::new(value))),
                None => findings.add(FieldPath::root().key("data").key(key), "is not text in base64"),
            }
        }
        values.extend(self.string_data.clone());
        let closed = self.sealed_data.keys().filter(|key| !values.contains_key(*key)).cloned().collect();
        findings.finish(Some(Secret { values, closed }))
    }
}

/// A value that lies in a `Secret`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretValueSpec {
    /// Which secret, and which of its keys.
    pub secret_ref: SecretRefSpec,
}

/// A key of a `Secret` of the same tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRefSpec {
    /// The secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// The secrets of one tenant, for the resources that refer to them.
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<ResourceName, Secret>);

impl Secrets {
    /// Adds a secret.
    pub fn insert(&mut self, name: ResourceName, secret: Secret) {
        self.0.insert(name, secret);
    }

    /// The value that `spec` (standing at `path`) refers to; if there is none that is noted. Of one that
    /// is closed nothing is noted: whoever could not open it has said so where it stands, and whoever has
    /// no use for it has no need to.
    pub(crate) fn resolve(
        &self,
        spec: &SecretValueSpec,
        path: &FieldPath,
        findings: &mut Findings,
    ) -> Option<Sensitive<String>> {
        let SecretRefSpec { name, key } = &spec.secret_ref;
        let path = path.key("secretRef");
        let found = name.parse::<ResourceName>().ok().and_then(|name| self.0.get(&name));
        let Some(secret) = found else {
            findings.add(path.key("name"), format!("there is no Secret {name:?}"));
            return None;
        };
        let value = secret.values.get(key).cloned();
        if value.is_none() && !secret.closed.contains(key) {
            findings.add(path.key("key"), format!("the Secret {name:?} has no key {key:?}"));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_base64_and_string_data_wins() {
        let spec = SecretSpec {
            data: [("a".to_owned(), "aHVudGVyMg==".into()), ("b".to_owned(), "eA==".into())].into(),
            string_data: [("b".to_owned(), "plain".into())].into(),
            ..SecretSpec::default()
        };
        let secret = spec.validate().unwrap();
        assert_eq!(secret.values["a"].expose(), "hunter2");
        assert_eq!(secret.values["b"].expose(), "plain");
    }

    #[test]
    fn a_value_that_nobody_has_opened_is_missing_and_whoever_refers_to_it_is_not_to_blame() {
        let sealed = |key: &str| (key.to_owned(), Sensitive::from("AgAA"));
        let spec = SecretSpec {
            string_data: [("open".to_owned(), "hunter2".into())].into(),
            sealed_data: [sealed("open"), sealed("shut")].into(),
            ..SecretSpec::default()
        };
        let mut secrets = Secrets::default();
        secrets.insert("login".parse().unwrap(), spec.validate().unwrap());
        let resolve = |key: &str| {
            let mut findings = Findings::default();
            let spec =
                SecretValueSpec { secret_ref: SecretRefSpec { name: "login".into(), key: key.into() } };
            let value = secrets.resolve(&spec, &FieldPath::root(), &mut findings);
            (value.map(Sensitive::into_inner), findings.into_errors().len())
        };
        assert_eq!(resolve("open"), (Some("hunter2".to_owned()), 0));
        assert_eq!(resolve("shut"), (None, 0));
        assert_eq!(resolve("other"), (None, 1));
    }

    #[test]
    fn a_value_that_cannot_be_decoded_is_not_shown() {
        let spec = SecretSpec { data: [("a".to_owned(), "hunter2!".into())].into(), ..SecretSpec::default() };
        let errors = spec.validate().unwrap_err();
        assert_eq!(errors[0].to_string(), "data.a: is not text in base64");
    }
}
