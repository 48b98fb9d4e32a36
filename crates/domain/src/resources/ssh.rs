//! SSH servers: what an SFTP target logs in to, and what a tunnel goes through.

use serde::Deserialize;

use super::{FieldPath, SecretValueSpec, Secrets, field::Findings, journal_target::required};
use crate::Sensitive;

/// An SSH server and the login to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshServer {
    /// Host name or address.
    pub host: String,
    /// TCP port, 22 by default.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// How to log in.
    pub auth: SshAuth,
    /// Accepted host keys, each an OpenSSH public key line (`ssh-ed25519 AAAA…`) or a fingerprint
    /// (`SHA256:…`). Empty: nothing is sent to the server before somebody has pinned its key.
    pub host_keys: Vec<String>,
}

/// How to log in to an SSH server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshAuth {
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

/// The raw form of an [`SshServer`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshServerSpec {
    /// Host name or address.
    pub host: String,
    /// 22 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Login name.
    pub user: String,
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

/// Servers to go through, one after the other, to a server that cannot be reached directly (F-80).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTunnel {
    /// One to [`MOST_HOPS`](Self::MOST_HOPS) servers; the last one opens the connection.
    pub hops: Vec<SshServer>,
}

impl SshTunnel {
    /// The longest chain.
    pub const MOST_HOPS: usize = 3;
}

/// The raw form of an [`SshTunnel`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshTunnelSpec {
    /// The servers, the one that is reached directly first.
    pub hops: Vec<SshServerSpec>,
}

impl SshTunnelSpec {
    /// The validated tunnel that stands at `path`.
    pub(crate) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SshTunnel> {
        let path = path.key("hops");
        if self.hops.is_empty() || self.hops.len() > SshTunnel::MOST_HOPS {
            findings.add(path.clone(), format!("must be 1 to {} servers", SshTunnel::MOST_HOPS));
        }
        let each = self.hops.iter().enumerate();
        let hops: Option<_> = each.map(|(i, hop)| hop.validate(&path.index(i), secrets, findings)).collect();
        Some(SshTunnel { hops: hops? })
    }
}

impl SshServerSpec {
    /// The validated server that stands at `path`.
    pub(crate) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SshServer> {
        required(&self.host, &path.key("host"), findings);
        required(&self.user, &path.key("user"), findings);
        for (i, _) in self.host_keys.iter().enumerate().filter(|(_, key)| !is_host_key(key)) {
            let reason =
                "is neither a public key such as \"ssh-ed25519 AAAA…\" nor a fingerprint \"SHA256:…\"";
            findings.add(path.key("hostKeys").index(i), reason);
        }
        Some(SshServer {
            host: self.host.clone(),
            port: self.port.unwrap_or(22),
            user: self.user.clone(),
            auth: self.validate_auth(path, secrets, findings)?,
            host_keys: self.host_keys.clone(),
        })
    }

    fn validate_auth(&self, path: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<SshAuth> {
        if self.passphrase.is_some() && self.private_key.is_none() {
            findings.add(path.key("passphrase"), "is of no use without privateKey");
        }
        match (&self.password, &self.private_key) {
            (Some(password), None) => {
                secrets.resolve(password, &path.key("password"), findings).map(SshAuth::Password)
            }
            (None, Some(key)) => {
                let private_key = secrets.resolve(key, &path.key("privateKey"), findings);
                let passphrase = match &self.passphrase {
                    None => None,
                    Some(value) => Some(secrets.resolve(value, &path.key("passphrase"), findings)?),
                };
                Some(SshAuth::Key { private_key: private_key?, passphrase })
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
