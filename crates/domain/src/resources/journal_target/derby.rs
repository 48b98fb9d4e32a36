//! An Apache Derby network server.

use serde::Deserialize;

use super::{DatabaseServer, DatabaseTls, server::ServerFields, sql_name};
use crate::resources::{FieldPath, SecretValueSpec, Secrets, SshTunnelSpec, field::Findings};

/// A table on an Apache Derby network server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerbyJournal {
    /// Where it is, and the login.
    pub server: DatabaseServer,
    /// Schema; `None` leaves it to the server.
    pub schema: Option<String>,
    /// How the connection is encrypted.
    pub tls: DatabaseTls,
}

/// The raw form of a [`DerbyJournal`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DerbySpec {
    /// Host name or address.
    pub host: String,
    /// 1527 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Database name.
    pub database: String,
    /// Derby's schema of the user if not given.
    #[serde(default)]
    pub schema: Option<String>,
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

impl DerbySpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<DerbyJournal> {
        if let Some(schema) = &self.schema {
            sql_name(schema, &path.key("schema"), findings);
        }
        let tls = DatabaseTls::validate(self.tls.as_deref(), &path.key("tls"), findings);
        let fields = ServerFields {
            host: &self.host,
            port: self.port.unwrap_or(1527),
            database: &self.database,
            user: &self.user,
            password: self.password.as_ref(),
            ca_certificate: self.ca_certificate.as_ref(),
            tunnel: self.tunnel.as_ref(),
        };
        let server = fields.validate(path, secrets, findings)?;
        Some(DerbyJournal { server, schema: self.schema.clone(), tls })
    }
}
