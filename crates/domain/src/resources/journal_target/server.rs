//! What all database servers have in common: where they are, and the login.

use crate::{
    Sensitive,
    resources::{
        FieldPath, SecretValueSpec, Secrets, SshTunnel, SshTunnelSpec, field::Findings,
        pem::check_certificates, storage_target::unpinned,
    },
};

use super::required;

/// A database on a server, and the login to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseServer {
    /// Host name or address; for some kinds the folder of a Unix socket.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Login name.
    pub user: String,
    /// Password; `None`: the server asks for none.
    pub password: Option<Sensitive<String>>,
    /// Certificates (PEM) of the authority that made the server's; `None`: those this machine trusts.
    pub ca_certificate: Option<String>,
    /// SSH servers to go through; `None`: directly (F-80).
    pub tunnel: Option<SshTunnel>,
}

impl DatabaseServer {
    /// What is missing before anything is sent there; `None`: nothing.
    pub(super) fn incomplete(&self) -> Option<&'static str> {
        unpinned(self.tunnel.as_ref())
    }
}

/// How a connection is encrypted, in the words of libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DatabaseTls {
    /// Not at all.
    Disable,
    /// Where the server offers it; whoever is in between can switch it off.
    #[default]
    Prefer,
    /// Always, whoever the server is.
    Require,
    /// Always, and the server has a certificate for its name.
    VerifyFull,
}

impl DatabaseTls {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }

    const ALL: [Self; 4] = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyFull];

    pub(super) fn validate(text: Option<&str>, path: &FieldPath, findings: &mut Findings) -> Self {
        let Some(text) = text else { return Self::default() };
        Self::ALL.into_iter().find(|tls| tls.as_str() == text).unwrap_or_else(|| {
            let reason = format!("{text:?} is not known; use disable, prefer, require or verify-full");
            findings.add(path.clone(), reason);
            Self::default()
        })
    }
}

/// What the raw forms of the kinds have in common.
pub(super) struct ServerFields<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
    pub(super) password: Option<&'a SecretValueSpec>,
    pub(super) ca_certificate: Option<&'a String>,
    pub(super) tunnel: Option<&'a SshTunnelSpec>,
}

impl ServerFields<'_> {
    /// The validated server whose fields stand at `path`.
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<DatabaseServer> {
        for (key, text) in [("host", self.host), ("database", self.database), ("user", self.user)] {
            required(text, &path.key(key), findings);
        }
        if let Some(Err(reason)) = self.ca_certificate.map(|pem| check_certificates(pem)) {
            findings.add(path.key("caCertificate"), reason);
        }
        if self.tunnel.is_some() && self.host.starts_with('/') {
            findings.add(path.key("tunnel"), "leads to a host and a port, not to the folder of a socket");
        }
        let password = match self.password {
            None => None,
            Some(value) => Some(secrets.resolve(value, &path.key("password"), findings)?),
        };
        let tunnel = match self.tunnel {
            None => None,
            Some(tunnel) => Some(tunnel.validate(&path.key("tunnel"), secrets, findings)?),
        };
        Some(DatabaseServer {
            host: self.host.to_owned(),
            port: self.port,
            database: self.database.to_owned(),
            user: self.user.to_owned(),
            password,
            ca_certificate: self.ca_certificate.cloned(),
            tunnel,
        })
    }
}
