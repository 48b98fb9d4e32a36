//! An SFTP server.

use serde::Deserialize;

use crate::resources::{
    FieldPath, SecretValueSpec, Secrets, SshServer, SshServerSpec, SshTunnel, SshTunnelSpec, field::Findings,
};

/// An SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpTarget {
    /// The server and the login.
    pub server: SshServer,
    /// How to get there; `None`: directly.
    pub tunnel: Option<SshTunnel>,
    /// Folder on the server; relative paths start at the login's home.
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
    /// SSH servers to go through.
    #[serde(default)]
    pub tunnel: Option<SshTunnelSpec>,
}

impl SftpSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SftpTarget> {
        // `flatten` would lose `deny_unknown_fields`, so the fields of the server are repeated here.
        let server = SshServerSpec {
            host: self.host.clone(),
            port: self.port,
            user: self.user.clone(),
            host_keys: self.host_keys.clone(),
            password: self.password.clone(),
            private_key: self.private_key.clone(),
            passphrase: self.passphrase.clone(),
        };
        let server = server.validate(path, secrets, findings);
        let tunnel = match &self.tunnel {
            None => None,
            Some(tunnel) => Some(tunnel.validate(&path.key("tunnel"), secrets, findings)?),
        };
        Some(SftpTarget { server: server?, tunnel, path: self.path.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{
        Secret, SshAuth, StorageKind, StorageTarget, StorageTargetSpec, secret::SecretRefSpec,
    };

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
            tunnel: None,
        }
    }

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        let values = [("password".to_owned(), "hunter2".into())].into();
        secrets.insert("login".parse().unwrap(), Secret { values, ..Secret::default() });
        secrets
    }

    fn validate(sftp: SftpSpec) -> Result<StorageTarget, Vec<String>> {
        let spec = StorageTargetSpec {
            sub_folder: "$Y/$M".into(),
            sftp: Some(sftp),
            ..StorageTargetSpec::default()
        };
        let target = spec.validate("archive".parse().unwrap(), &secrets());
        target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_password_comes_from_the_secret() {
        let StorageKind::Sftp(target) = validate(sftp()).unwrap().kind else { panic!("is SFTP") };
        assert_eq!(target.server.auth, SshAuth::Password("hunter2".into()));
        assert_eq!(target.server.port, 22);
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
    fn a_host_key_that_is_none_is_refused() {
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

    #[test]
    fn a_tunnel_has_one_to_three_servers_and_is_incomplete_while_one_of_them_is_not_pinned() {
        let hop = SshServerSpec {
            host: "jump.acme.example".into(),
            port: None,
            user: "callseal".into(),
            host_keys: sftp().host_keys,
            password: secret_value("password"),
            private_key: None,
            passphrase: None,
        };
        let through = |hops| validate(SftpSpec { tunnel: Some(SshTunnelSpec { hops }), ..sftp() });
        for wrong in [0, 4] {
            let errors = through(vec![hop.clone(); wrong]).unwrap_err();
            assert_eq!(errors, ["spec.sftp.tunnel.hops: must be 1 to 3 servers"]);
        }
        assert_eq!(through(vec![hop.clone(); 3]).unwrap().incomplete(), None);
        let unpinned = SshServerSpec { host_keys: vec![], ..hop.clone() };
        assert!(through(vec![hop, unpinned]).unwrap().incomplete().is_some());
    }
}
