//! A MySQL or MariaDB server.

use serde::Deserialize;

use super::{DatabaseServer, DatabaseTls, server::ServerFields};
use crate::resources::{FieldPath, SecretValueSpec, Secrets, SshTunnelSpec, field::Findings};

/// A table on a MySQL or MariaDB server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MySqlJournal {
    /// Where it is, and the login.
    pub server: DatabaseServer,
    /// How the connection is encrypted.
    pub tls: DatabaseTls,
}

/// The raw form of a [`MySqlJournal`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MySqlSpec {
    /// Host name, address or the Unix socket.
    pub host: String,
    /// 3306 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Database name.
    pub database: String,
    /// Login name.
    pub user: String,
    /// Where the password lies.
    #[serde(default)]
    pub password: Option<SecretValueSpec>,
    /// `disable`, `prefer` (default), `require` or `verify-full`.
    #[serde(default)]
    pub tls: Option<String>,
    /// Certificates (PEM) of the authority that made the server's.
    #[serde(default)]
    pub ca_certificate: Option<String>,
    /// SSH servers to go through.
    #[serde(default)]
    pub tunnel: Option<SshTunnelSpec>,
}

impl MySqlSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<MySqlJournal> {
        let tls = DatabaseTls::validate(self.tls.as_deref(), &path.key("tls"), findings);
        let fields = ServerFields {
            host: &self.host,
            port: self.port.unwrap_or(3306),
            database: &self.database,
            user: &self.user,
            password: self.password.as_ref(),
            ca_certificate: self.ca_certificate.as_ref(),
            tunnel: self.tunnel.as_ref(),
        };
        let server = fields.validate(path, secrets, findings)?;
        Some(MySqlJournal { server, tls })
    }
}
