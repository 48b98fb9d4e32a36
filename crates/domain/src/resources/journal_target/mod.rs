//! `JournalTarget`: a database that gets one row for every recording. One file a kind.

mod columns;
mod derby;
mod mysql;
mod postgres;
mod server;
mod sql_server;
mod sqlite;

use serde::Deserialize;

use super::{FieldError, FieldPath, Secrets, field::Findings};
use crate::ResourceName;

pub use columns::ExtraColumn;
pub use derby::{DerbyJournal, DerbySpec};
pub use mysql::{MySqlJournal, MySqlSpec};
pub use postgres::{PostgresJournal, PostgresSpec};
pub use server::{DatabaseServer, DatabaseTls};
pub use sql_server::{SqlServerEncryption, SqlServerJournal, SqlServerSpec};
pub use sqlite::{SqliteJournal, SqliteSpec};

/// A validated `JournalTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalTarget {
    /// Its name.
    pub name: ResourceName,
    /// The table, `recordings` by default; letters, digits and `_`, not beginning with a digit.
    pub table: String,
    /// Whether a missing table is made at the first row (else by `callseal journal-init`).
    pub create_table: bool,
    /// Columns beside those of F-91, each once.
    pub extra_columns: Vec<ExtraColumn>,
    /// Kind and access.
    pub database: JournalDatabase,
}

impl JournalTarget {
    /// What is missing before any row can be written, and what to do about it; `None`: nothing.
    pub fn incomplete(&self) -> Option<&'static str> {
        self.database.server().and_then(DatabaseServer::incomplete)
    }
}

/// The kinds of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalDatabase {
    /// A file of this machine.
    Sqlite(SqliteJournal),
    /// A PostgreSQL server.
    Postgres(PostgresJournal),
    /// A MySQL or MariaDB server.
    MySql(MySqlJournal),
    /// A Microsoft SQL Server.
    SqlServer(SqlServerJournal),
    /// An Apache Derby network server.
    Derby(DerbyJournal),
}

impl JournalDatabase {
    /// The server that it lies on; `None`: it is a file.
    pub const fn server(&self) -> Option<&DatabaseServer> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(postgres) => Some(&postgres.server),
            Self::MySql(mysql) => Some(&mysql.server),
            Self::SqlServer(sql_server) => Some(&sql_server.server),
            Self::Derby(derby) => Some(&derby.server),
        }
    }
}

/// The raw form of a `JournalTarget`: table, and one of the databases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JournalTargetSpec {
    /// `recordings` by default.
    pub table: Option<String>,
    /// `false` by default.
    pub create_table: bool,
    /// Any of `recordingid`, `tenant`, `durationms`, `sha256`, `interrupted`.
    pub extra_columns: Vec<String>,
    /// A file of this machine.
    pub sqlite: Option<SqliteSpec>,
    /// A PostgreSQL server.
    pub postgres: Option<PostgresSpec>,
    /// A MySQL or MariaDB server.
    pub mysql: Option<MySqlSpec>,
    /// A Microsoft SQL Server.
    pub sql_server: Option<SqlServerSpec>,
    /// An Apache Derby network server.
    pub derby: Option<DerbySpec>,
}

impl JournalTargetSpec {
    /// The validated journal called `name`, its secrets taken from `secrets`, or everything that is
    /// wrong.
    pub fn validate(&self, name: ResourceName, secrets: &Secrets) -> Result<JournalTarget, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();
        let table = self.table.clone().unwrap_or_else(|| "recordings".to_owned());
        sql_name(&table, &spec.key("table"), &mut findings);
        let extra_columns = columns::validate(&self.extra_columns, &spec.key("extraColumns"), &mut findings);
        let database = self.database(&spec, secrets, &mut findings);
        let create_table = self.create_table;
        findings.finish(database.map(|database| JournalTarget {
            name,
            table,
            create_table,
            extra_columns,
            database,
        }))
    }

    /// The one database that is given.
    fn database(
        &self,
        spec: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<JournalDatabase> {
        let given = [
            ("sqlite", self.sqlite.is_some()),
            ("postgres", self.postgres.is_some()),
            ("mysql", self.mysql.is_some()),
            ("sqlServer", self.sql_server.is_some()),
            ("derby", self.derby.is_some()),
        ];
        if given.iter().filter(|(_, given)| *given).count() != 1 {
            let names = given.map(|(name, _)| name).join(", ");
            findings.add(spec.clone(), format!("must have exactly one of {names}"));
            return None;
        }
        if let Some(sqlite) = &self.sqlite {
            return Some(JournalDatabase::Sqlite(sqlite.validate(&spec.key("sqlite"), findings)));
        }
        if let Some(postgres) = &self.postgres {
            let path = spec.key("postgres");
            return postgres.validate(&path, secrets, findings).map(JournalDatabase::Postgres);
        }
        if let Some(mysql) = &self.mysql {
            return mysql.validate(&spec.key("mysql"), secrets, findings).map(JournalDatabase::MySql);
        }
        if let Some(sql_server) = &self.sql_server {
            let path = spec.key("sqlServer");
            return sql_server.validate(&path, secrets, findings).map(JournalDatabase::SqlServer);
        }
        let derby = self.derby.as_ref()?;
        derby.validate(&spec.key("derby"), secrets, findings).map(JournalDatabase::Derby)
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
mod tests;
