//! A share of a Windows file server, of Samba, or of a storage box (F-78).

use serde::Deserialize;

use super::windows_name;
use crate::{
    Sensitive,
    resources::{
        FieldPath, SecretValueSpec, Secrets, SshTunnel, SshTunnelSpec, field::Findings,
        journal_target::required,
    },
};

/// A share on an SMB server (SMB 2 or 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmbTarget {
    /// Host name or address.
    pub host: String,
    /// TCP port, 445 by default.
    pub port: u16,
    /// Name of the share, without the server and without `\`.
    pub share: String,
    /// Windows domain or workgroup of the user; empty: whatever the server takes for it.
    pub domain: String,
    /// Login name, without the domain.
    pub user: String,
    /// The user's password.
    pub password: Sensitive<String>,
    /// Folder in the share, levels separated by `/`; empty: the share itself.
    pub path: String,
    /// Whether the messages must be signed.
    pub signing: SmbSigning,
    /// Whether the messages must be encrypted.
    pub encryption: SmbEncryption,
    /// How to get there; `None`: directly.
    pub tunnel: Option<SshTunnel>,
}

/// Whether messages must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SmbSigning {
    /// Nothing is stored over a session that is neither signed nor encrypted; the server is told to
    /// take nothing unsigned either.
    #[default]
    Required,
    /// Signed where the session allows it: a guest's does not.
    Offered,
}

/// Whether messages must be encrypted (SMB 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SmbEncryption {
    /// Nothing is stored over a session that is not encrypted.
    Required,
    /// Encrypted where the server can.
    #[default]
    Offered,
    /// Encrypted only where the server insists.
    Off,
}

/// The raw form of an [`SmbTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmbSpec {
    /// Host name or address.
    pub host: String,
    /// 445 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Name of the share.
    pub share: String,
    /// Windows domain or workgroup.
    #[serde(default)]
    pub domain: String,
    /// Login name.
    pub user: String,
    /// Where the password lies.
    pub password: SecretValueSpec,
    /// Folder in the share; the share itself by default.
    #[serde(default)]
    pub path: String,
    /// `required` by default.
    #[serde(default)]
    pub signing: SmbSigning,
    /// `offered` by default.
    #[serde(default)]
    pub encryption: SmbEncryption,
    /// SSH servers to go through.
    #[serde(default)]
    pub tunnel: Option<SshTunnelSpec>,
}

impl SmbSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SmbTarget> {
        required(&self.host, &path.key("host"), findings);
        if self.host.contains(['\\', '/']) {
            findings.add(path.key("host"), "must be the server's name alone; the share goes into share");
        }
        required(&self.share, &path.key("share"), findings);
        if self.share.contains(['\\', '/']) {
            findings.add(
                path.key("share"),
                "must be the share's name alone; the server goes into host, and folders into path",
            );
        }
        required(&self.user, &path.key("user"), findings);
        if self.user.contains(['\\', '/']) {
            findings.add(path.key("user"), "must be the user's name alone; the domain goes into domain");
        }
        self.check_path(&path.key("path"), findings);
        let password = secrets.resolve(&self.password, &path.key("password"), findings);
        let tunnel = match &self.tunnel {
            None => None,
            Some(tunnel) => Some(tunnel.validate(&path.key("tunnel"), secrets, findings)?),
        };
        Some(SmbTarget {
            host: self.host.clone(),
            port: self.port.unwrap_or(445),
            share: self.share.clone(),
            domain: self.domain.clone(),
            user: self.user.clone(),
            password: password?,
            path: self.path.trim_matches('/').to_owned(),
            signing: self.signing,
            encryption: self.encryption,
            tunnel,
        })
    }

    fn check_path(&self, path: &FieldPath, findings: &mut Findings) {
        if self.path.contains('\\') {
            findings.add(path.clone(), "must have / between its levels");
        } else if self.path.split('/').any(|level| matches!(level, "." | "..")) {
            findings.add(path.clone(), "must not have a level . or ..");
        } else {
            check_levels(&self.path, path, findings);
        }
    }
}

/// Whether a server that runs Windows can have these folders.
pub(super) fn check_levels(folders: &str, path: &FieldPath, findings: &mut Findings) {
    let mut levels = folders.split('/').filter(|level| !level.is_empty());
    if !levels.all(windows_name::is_possible) {
        findings.add(
            path.clone(),
            "has a level that Windows cannot have: CON, NUL, COM1 and the like, one of \" * : < > ? |, or a blank or full \
             stop at its end",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{self, IntoDeserializer as _, value::StrDeserializer};

    use super::*;
    use crate::resources::{Secret, StorageKind, StorageTarget, StorageTargetSpec, secret::SecretRefSpec};

    fn smb() -> SmbSpec {
        SmbSpec {
            host: "files.acme.example".into(),
            port: None,
            share: "archive".into(),
            domain: "ACME".into(),
            user: "callseal".into(),
            password: SecretValueSpec {
                secret_ref: SecretRefSpec { name: "login".into(), key: "password".into() },
            },
            path: "/calls/2026/".into(),
            signing: SmbSigning::default(),
            encryption: SmbEncryption::default(),
            tunnel: None,
        }
    }

    fn word(text: &str) -> StrDeserializer<'_, de::value::Error> {
        text.into_deserializer()
    }

    fn validate(smb: SmbSpec) -> Result<StorageTarget, Vec<String>> {
        validate_below("", smb)
    }

    fn validate_below(sub_folder: &str, smb: SmbSpec) -> Result<StorageTarget, Vec<String>> {
        let mut secrets = Secrets::default();
        let values = [("password".to_owned(), "hunter2".into())].into();
        secrets.insert("login".parse().unwrap(), Secret { values, ..Secret::default() });
        let sub_folder = sub_folder.to_owned();
        let spec = StorageTargetSpec { sub_folder, smb: Some(smb), ..StorageTargetSpec::default() };
        let target = spec.validate("archive".parse().unwrap(), &secrets);
        target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn signing_is_required_and_encryption_taken_where_offered_unless_said_otherwise() {
        let StorageKind::Smb(target) = validate(smb()).unwrap().kind else { panic!("is SMB") };
        assert_eq!(target.port, 445);
        assert_eq!(target.password, "hunter2".into());
        assert_eq!(target.path, "calls/2026");
        assert_eq!((target.signing, target.encryption), (SmbSigning::Required, SmbEncryption::Offered));
    }

    #[test]
    fn a_name_that_holds_more_than_itself_is_refused_where_it_stands() {
        let wrong = SmbSpec {
            host: r"\\files\archive".into(),
            share: "archive/calls".into(),
            user: r"ACME\callseal".into(),
            path: r"calls\2026".into(),
            ..smb()
        };
        assert_eq!(
            validate(wrong).unwrap_err(),
            [
                "spec.smb.host: must be the server's name alone; the share goes into share",
                "spec.smb.share: must be the share's name alone; the server goes into host, and folders into path",
                "spec.smb.user: must be the user's name alone; the domain goes into domain",
                "spec.smb.path: must have / between its levels",
            ]
        );
        let up = SmbSpec { path: "calls/../secret".into(), ..smb() };
        assert_eq!(validate(up).unwrap_err(), ["spec.smb.path: must not have a level . or .."]);
        for bad in ["calls/aux", "calls./2026", "a:b"] {
            let errors = validate(SmbSpec { path: bad.into(), ..smb() }).unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("spec.smb.path: has a level"), "{errors:?}");
        }
    }

    #[test]
    fn a_sub_folder_that_windows_cannot_have_is_refused_for_a_share() {
        validate_below("$Y/$M/Gespräche", smb()).unwrap();
        let errors = validate_below("$Y/con", smb()).unwrap_err();
        assert!(errors.len() == 1 && errors[0].starts_with("spec.subFolder: has a level"), "{errors:?}");
    }

    #[test]
    fn the_three_ways_of_encryption_are_spelt_as_documented() {
        for (text, way) in [
            ("required", SmbEncryption::Required),
            ("offered", SmbEncryption::Offered),
            ("off", SmbEncryption::Off),
        ] {
            assert_eq!(SmbEncryption::deserialize(word(text)), Ok(way));
        }
        assert!(SmbSigning::deserialize(word("off")).is_err());
    }
}
