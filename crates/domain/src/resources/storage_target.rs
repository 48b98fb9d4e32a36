//! `StorageTarget`: where sealed recordings are brought to.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    FieldError, FieldPath, SecretValueSpec, Secrets, field::Findings, journal_target::required, sub_folder,
};
use crate::{ResourceName, Sensitive};

/// A validated `StorageTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageTarget {
    /// Its name.
    pub name: ResourceName,
    /// Sub-folder template: static parts and `$Y $M $D $h $m $s`, `/` between levels (F-73).
    pub sub_folder: String,
    /// Kind and access.
    pub kind: StorageKind,
}

/// The kinds of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageKind {
    /// A folder of this machine.
    Folder(FolderTarget),
    /// An SFTP server.
    Sftp(SftpTarget),
}

/// A local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTarget {
    /// The folder; made when missing.
    pub path: PathBuf,
}

/// An SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpTarget {
    /// Host name or address.
    pub host: String,
    /// TCP port, 22 by default.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// How to log in.
    pub auth: SftpAuth,
    /// Accepted host keys, each an OpenSSH public key line (`ssh-ed25519 AAAA…`) or a fingerprint
    /// (`SHA256:…`). Never empty: an unknown server is refused.
    pub host_keys: Vec<String>,
    /// Folder on the server; relative paths start at the login's home.
    pub path: String,
}

/// How to log in to an SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SftpAuth {
    /// By password.
    Password(Sensitive<String>),
    /// By private key (OpenSSH or PEM text), with its passphrase if it has one.
    Key {
        /// The key's text.
        private_key: Sensitive<String>,
        /// Its passphrase.
        passphrase: Option<Sensitive<String>>,
    },
}

/// The raw form of a `StorageTarget`: sub-folder, and one of the kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageTargetSpec {
    /// See [`StorageTarget::sub_folder`].
    pub sub_folder: String,
    /// A folder of this machine.
    pub folder: Option<FolderSpec>,
    /// An SFTP server.
    pub sftp: Option<SftpSpec>,
}

/// The raw form of a [`FolderTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FolderSpec {
    /// The folder; relative ones lie in the data directory.
    pub path: String,
}

/// The raw form of an [`SftpTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SftpSpec {
    /// Host name or address.
    pub host: String,
    /// 22 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Login name.
    pub user: String,
    /// Folder on the server; the login's home by default.
    #[serde(default)]
    pub path: String,
    /// Accepted host keys.
    #[serde(default)]
    pub host_keys: Vec<String>,
    /// Where the password lies.
    #[serde(default)]
    pub password: Option<SecretValueSpec>,
    /// Where the private key lies.
    #[serde(default)]
    pub private_key: Option<SecretValueSpec>,
    /// Where the private key's passphrase lies.
    #[serde(default)]
    pub passphrase: Option<SecretValueSpec>,
}

impl StorageTargetSpec {
    /// The validated target called `name`, its secrets taken from `secrets`, or everything that is
    /// wrong.
    pub fn validate(&self, name: ResourceName, secrets: &Secrets) -> Result<StorageTarget, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();
        findings.take(spec.key("subFolder"), sub_folder::check(&self.sub_folder));
        let kind = match (&self.folder, &self.sftp) {
            (Some(folder), None) => {
                required(&folder.path, &spec.key("folder").key("path"), &mut findings);
                Some(StorageKind::Folder(FolderTarget { path: PathBuf::from(&folder.path) }))
            }
            (None, Some(sftp)) => {
                sftp.validate(&spec.key("sftp"), secrets, &mut findings).map(StorageKind::Sftp)
            }
            _ => {
                findings.add(spec, "must have exactly one of folder and sftp");
                None
            }
        };
        let sub_folder = self.sub_folder.trim_matches('/').to_owned();
        findings.finish(kind.map(|kind| StorageTarget { name, sub_folder, kind }))
    }
}

impl SftpSpec {
    fn validate(&self, path: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<SftpTarget> {
        required(&self.host, &path.key("host"), findings);
        required(&self.user, &path.key("user"), findings);
        if self.host_keys.is_empty() {
            let reason =
                "must name the server's host key; `ssh-keyscan HOST` shows it, compare it with the server's";
            findings.add(path.key("hostKeys"), reason);
        }
        for (i, _) in self.host_keys.iter().enumerate().filter(|(_, key)| !is_host_key(key)) {
            let reason =
                "is neither a public key such as \"ssh-ed25519 AAAA…\" nor a fingerprint \"SHA256:…\"";
            findings.add(path.key("hostKeys").index(i), reason);
        }
        Some(SftpTarget {
            host: self.host.clone(),
            port: self.port.unwrap_or(22),
            user: self.user.clone(),
            auth: self.validate_auth(path, secrets, findings)?,
            host_keys: self.host_keys.clone(),
            path: self.path.clone(),
        })
    }

    fn validate_auth(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SftpAuth> {
        if self.passphrase.is_some() && self.private_key.is_none() {
            findings.add(path.key("passphrase"), "is of no use without privateKey");
        }
        match (&self.password, &self.private_key) {
            (Some(password), None) => {
                secrets.resolve(password, &path.key("password"), findings).map(SftpAuth::Password)
            }
            (None, Some(key)) => {
                let private_key = secrets.resolve(key, &path.key("privateKey"), findings);
                let passphrase = match &self.passphrase {
                    None => None,
                    Some(value) => Some(secrets.resolve(value, &path.key("passphrase"), findings)?),
                };
                Some(SftpAuth::Key { private_key: private_key?, passphrase })
            }
            _ => {
                findings.add(path.clone(), "must have exactly one of password and privateKey");
                None
            }
        }
    }
}

/// The form of a pinned host key; whether it is one shows when connecting.
fn is_host_key(text: &str) -> bool {
    if let Some(fingerprint) = text.strip_prefix("SHA256:") {
        // 32 bytes in base64, without or with padding.
        return matches!(fingerprint.len(), 43 | 44);
    }
    let mut words = text.split_whitespace();
    let algorithm = words.next().is_some_and(|w| ["ssh-", "ecdsa-", "sk-"].iter().any(|p| w.starts_with(p)));
    algorithm && words.next().is_some_and(|key| key.starts_with("AAAA"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Secret, secret::SecretRefSpec};

    fn secret_value(key: &str) -> Option<SecretValueSpec> {
        Some(SecretValueSpec { secret_ref: SecretRefSpec { name: "login".into(), key: key.into() } })
    }

    fn sftp() -> SftpSpec {
        SftpSpec {
            host: "files.acme.example".into(),
            port: None,
            user: "archive".into(),
            path: String::new(),
            host_keys: vec!["SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDwtMu+3UJIXkW2mOo".into()],
            password: secret_value("password"),
            private_key: None,
            passphrase: None,
        }
    }

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        let values = [("password".to_owned(), "hunter2".into())].into();
        secrets.insert("login".parse().unwrap(), Secret { values });
        secrets
    }

    fn validate(sftp: SftpSpec) -> Result<StorageTarget, Vec<String>> {
        let spec = StorageTargetSpec { sub_folder: "$Y/$M".into(), sftp: Some(sftp), folder: None };
        let target = spec.validate("archive".parse().unwrap(), &secrets());
        target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_password_comes_from_the_secret() {
        let StorageKind::Sftp(target) = validate(sftp()).unwrap().kind else { panic!("is SFTP") };
        assert_eq!(target.auth, SftpAuth::Password("hunter2".into()));
        assert_eq!(target.port, 22);
    }

    #[test]
    fn a_missing_secret_or_key_is_named() {
        let no_key = SftpSpec { password: secret_value("pass"), ..sftp() };
        assert_eq!(
            validate(no_key).unwrap_err(),
            ["spec.sftp.password.secretRef.key: the Secret \"login\" has no key \"pass\""]
        );
    }

    #[test]
    fn a_server_without_a_pinned_host_key_is_refused() {
        let unpinned = SftpSpec { host_keys: vec![], ..sftp() };
        assert!(validate(unpinned).unwrap_err()[0].starts_with("spec.sftp.hostKeys: must name"));
        let wrong = SftpSpec { host_keys: vec!["anything".into()], ..sftp() };
        assert!(validate(wrong).unwrap_err()[0].starts_with("spec.sftp.hostKeys[0]: is neither"));
    }

    #[test]
    fn password_and_key_exclude_each_other() {
        let both = SftpSpec { private_key: secret_value("password"), ..sftp() };
        assert_eq!(
            validate(both).unwrap_err(),
            ["spec.sftp: must have exactly one of password and privateKey"]
        );
    }
}
