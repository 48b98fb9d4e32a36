//! A Microsoft SQL Server.

use serde::Deserialize;

use super::{DatabaseServer, server::ServerFields, sql_name};
use crate::resources::{FieldPath, SecretValueSpec, Secrets, SshTunnelSpec, field::Findings};

/// A table on a Microsoft SQL Server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlServerJournal {
    /// Where it is, and the login.
    pub server: DatabaseServer,
    /// Named instance, whose port the server's browser service tells; `None`: the port counts.
    pub instance: Option<String>,
    /// Schema; `None` leaves it to the login's default, mostly `dbo`.
    pub schema: Option<String>,
    /// How the connection is encrypted.
    pub encrypt: SqlServerEncryption,
}

/// How a connection to a SQL Server is encrypted, in the words of Microsoft's `Encrypt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqlServerEncryption {
    /// TLS from the first byte (TDS 8.0).
    Strict,
    /// TLS, agreed on in the clear beforehand.
    #[default]
    Required,
    /// Only the login, where the server offers it.
    Off,
}

impl SqlServerEncryption {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Required => "required",
            Self::Off => "off",
        }
    }
}

/// The raw form of a [`SqlServerJournal`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlServerSpec {
    /// Host name or address.
    pub host: String,
    /// 1433 by default; not together with `instance`.
    #[serde(default)]
    pub port: Option<u16>,
    /// Named instance.
    #[serde(default)]
    pub instance: Option<String>,
    /// Database name.
    pub database: String,
    /// The login's default if not given.
    #[serde(default)]
    pub schema: Option<String>,
    /// Login name.
    pub user: String,
    /// Where the password lies.
    #[serde(default)]
    pub password: Option<SecretValueSpec>,
    /// `required` (default), `strict` or `off`.
    #[serde(default)]
    pub encrypt: Option<String>,
    /// Certificates (PEM) of the authority that made the server's.
    #[serde(default)]
    pub ca_certificate: Option<String>,
    /// SSH servers to go through.
    #[serde(default)]
    pub tunnel: Option<SshTunnelSpec>,
}

impl SqlServerSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SqlServerJournal> {
        if let Some(schema) = &self.schema {
            sql_name(schema, &path.key("schema"), findings);
        }
        if self.instance.is_some() && self.port.is_some() {
            findings.add(path.key("instance"), "has a port of its own: give either instance or port");
        }
        if self.instance.is_some() && self.tunnel.is_some() {
            let reason = "is asked for its port by UDP, which goes through no tunnel: give the port instead";
            findings.add(path.key("instance"), reason);
        }
        use SqlServerEncryption::{Off, Required, Strict};
        let encrypt = match self.encrypt.as_deref() {
            None => Required,
            Some(word) => {
                [Strict, Required, Off].into_iter().find(|it| it.as_str() == word).unwrap_or_else(|| {
                    let reason = format!("{word:?} is not known; use strict, required or off");
                    findings.add(path.key("encrypt"), reason);
                    Required
                })
            }
        };
        let fields = ServerFields {
            host: &self.host,
            port: self.port.unwrap_or(1433),
            database: &self.database,
            user: &self.user,
            password: self.password.as_ref(),
            ca_certificate: self.ca_certificate.as_ref(),
            tunnel: self.tunnel.as_ref(),
        };
        let server = fields.validate(path, secrets, findings)?;
        Some(SqlServerJournal {
            server,
            instance: self.instance.clone(),
            schema: self.schema.clone(),
            encrypt,
        })
    }
}
