//! `JournalTarget`: a database that gets one row for every recording.

use std::path::PathBuf;

use serde::Deserialize;

use super::{FieldError, FieldPath, SecretValueSpec, Secrets, field::Findings};
use crate::{ResourceName, Sensitive};

/// A validated `JournalTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalTarget {
    /// Its name.
    pub name: ResourceName,
    /// The table, `recordings` by default; letters, digits and `_`, not beginning with a digit.
    pub table: String,
    /// Whether a missing table is made at the first row (else by `callseal journal-init`).
    pub create_table: bool,
    /// Kind and access.
    pub database: JournalDatabase,
}

/// The kinds of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalDatabase {
    /// A file of this machine.
    Sqlite {
        /// The file; made when missing.
        path: PathBuf,
    },
    /// A PostgreSQL server.
    Postgres {
        /// Host name, address or folder of the Unix socket.
        host: String,
        /// TCP port, 5432 by default.
        port: u16,
        /// Database name.
        database: String,
        /// Schema; `None` leaves it to the server's search path.
        schema: Option<String>,
        /// Login name.
        user: String,
        /// Password.
        password: Option<Sensitive<String>>,
        /// `disable`, `prefer`, `require` or `verify-full`, as libpq's sslmode; `prefer` by default.
        tls: String,
    },
}

/// The raw form of a `JournalTarget`: table, and one of the databases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JournalTargetSpec {
    /// `recordings` by default.
    pub table: Option<String>,
    /// `false` by default.
    pub create_table: bool,
    /// A file of this machine.
    pub sqlite: Option<SqliteSpec>,
    /// A PostgreSQL server.
    pub postgres: Option<PostgresSpec>,
}

/// The raw form of [`JournalDatabase::Sqlite`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqliteSpec {
    /// The file; relative ones lie in the data directory.
    pub path: String,
}

/// The raw form of [`JournalDatabase::Postgres`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostgresSpec {
    /// Host name, address or folder of the Unix socket.
    pub host: String,
    /// 5432 by default.
    #[serde(default)]
    pub port: Option<u16>,
    /// Database name.
    pub database: String,
    /// Left to the server's search path if not given.
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
}

impl JournalTargetSpec {
    /// The validated journal called `name`, its secrets taken from `secrets`, or everything that is
    /// wrong.
    pub fn validate(&self, name: ResourceName, secrets: &Secrets) -> Result<JournalTarget, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();
        let table = self.table.clone().unwrap_or_else(|| "recordings".to_owned());
        sql_name(&table, &spec.key("table"), &mut findings);
        let database = match (&self.sqlite, &self.postgres) {
            (Some(sqlite), None) => sqlite.validate(&spec.key("sqlite"), &mut findings),
            (None, Some(postgres)) => postgres.validate(&spec.key("postgres"), secrets, &mut findings),
            _ => {
                findings.add(spec, "must have exactly one of sqlite and postgres");
                None
            }
        };
        let create_table = self.create_table;
        findings.finish(database.map(|database| JournalTarget { name, table, create_table, database }))
    }
}

impl SqliteSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<JournalDatabase> {
        required(&self.path, &path.key("path"), findings);
        Some(JournalDatabase::Sqlite { path: PathBuf::from(&self.path) })
    }
}

impl PostgresSpec {
    fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<JournalDatabase> {
        required(&self.host, &path.key("host"), findings);
        required(&self.database, &path.key("database"), findings);
        required(&self.user, &path.key("user"), findings);
        if let Some(schema) = &self.schema {
            sql_name(schema, &path.key("schema"), findings);
        }
        let tls = self.tls.clone().unwrap_or_else(|| "prefer".to_owned());
        if !["disable", "prefer", "require", "verify-full"].contains(&tls.as_str()) {
            let reason = format!("{tls:?} is not known; use disable, prefer, require or verify-full");
            findings.add(path.key("tls"), reason);
        }
        let password = match &self.password {
            None => None,
            Some(value) => Some(secrets.resolve(value, &path.key("password"), findings)?),
        };
        Some(JournalDatabase::Postgres {
            host: self.host.clone(),
            port: self.port.unwrap_or(5432),
            database: self.database.clone(),
            schema: self.schema.clone(),
            user: self.user.clone(),
            password,
            tls,
        })
    }
}

pub(super) fn required(text: &str, path: &FieldPath, findings: &mut Findings) {
    if text.trim().is_empty() {
        findings.add(path.clone(), "must not be empty");
    }
}

/// Names that need no quoting in any of the databases.
fn sql_name(text: &str, path: &FieldPath, findings: &mut Findings) {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || text.len() > 63 || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let reason =
            format!("{text:?} must be 1 to 63 letters a-z, digits or '_', not beginning with a digit");
        findings.add(path.clone(), reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(spec: &JournalTargetSpec) -> Vec<String> {
        let errors = spec.validate("main".parse().unwrap(), &Secrets::default()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_journal_has_exactly_one_database() {
        assert_eq!(
            texts(&JournalTargetSpec::default()),
            ["spec: must have exactly one of sqlite and postgres"]
        );
    }

    #[test]
    fn a_table_name_that_would_need_quoting_is_refused() {
        let sqlite = Some(SqliteSpec { path: "journal.sqlite".into() });
        for bad in ["", "1st", "a-b", "a;drop", "ä"] {
            let spec =
                JournalTargetSpec { table: Some(bad.into()), sqlite: sqlite.clone(), ..Default::default() };
            assert!(texts(&spec)[0].starts_with("spec.table: "), "{bad}");
        }
    }
}
