//! Journal databases behind one trait: one file a kind.

mod derby;
mod dialect;
mod error;
mod found;
mod kept;
mod mysql;
mod postgres;
mod probe;
mod query;
mod rows;
mod served;
mod sql_server;
mod sqlite;
mod table;
mod way;

use std::path::Path;

use async_trait::async_trait;
use domain::resources::{JournalDatabase, JournalTarget};
use wire::recording_v1::JournalRow;

pub use error::{ErrorKind, JournalError};
pub use probe::Proven;
pub use query::{Place, Query};

use dialect::Dialect;
use table::Table;

/// What is wrong with a table in which a row that was just written is not found, in a clause.
const CHANGED: &str =
    "changes the base file name, by which a row is known; its column wants Unicode, room, and no trigger";

/// A database with a table of the columns of F-91.
#[async_trait]
pub trait JournalDb: Send + Sync {
    /// Looks whether the database can be reached and has the table, with its columns, and no other that
    /// wants a value.
    ///
    /// # Errors
    /// What is wrong, in words; [`ErrorKind::NoTable`] if only the table is missing.
    async fn check(&self) -> Result<(), JournalError>;

    /// Looks as [`check`](Self::check) does, and then writes a made-up row and takes it back, where the
    /// table lets.
    ///
    /// # Errors
    /// As of [`check`](Self::check) and [`insert`](Self::insert).
    async fn probe(&self) -> Result<Proven, JournalError> {
        self.check().await.map(|()| Proven::Columns)
    }

    /// Makes the table; one that exists stays as it is, and is checked.
    ///
    /// # Errors
    /// The database cannot be reached, or the user may not, or the table that is there cannot be used.
    async fn create_table(&self) -> Result<(), JournalError>;

    /// Writes those of `rows` that are not there yet, all or none; returns how many those were. A
    /// row is known by its base file name, which holds the recording's id. Customers' tables have
    /// no key, so the transaction looks before it writes, and keeps others from writing meanwhile.
    ///
    /// # Errors
    /// None of them was written now. [`ErrorKind::Row`]: one of them cannot be stored.
    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError>;

    /// A page of rows, newest first.
    ///
    /// # Errors
    /// The table cannot be read.
    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError>;
}

/// Makes the journal that a resource describes; nothing is contacted yet. A relative SQLite path
/// lies under `base`.
///
/// # Errors
/// The table or schema has a name that cannot be used.
pub fn open(journal: &JournalTarget, base: &Path) -> Result<Box<dyn JournalDb>, JournalError> {
    let table = |dialect, schema: Option<&String>| {
        Table::new(dialect, schema.map(String::as_str), &journal.table, &journal.extra_columns)
    };
    Ok(match &journal.database {
        JournalDatabase::Sqlite(sqlite) => {
            Box::new(sqlite::Sqlite::new(&base.join(&sqlite.path), table(Dialect::Sqlite, None)?))
        }
        JournalDatabase::Postgres(postgres) => {
            let table = table(Dialect::Postgres, postgres.schema.as_ref())?;
            Box::new(postgres::Postgres::journal(postgres, table))
        }
        JournalDatabase::MySql(mysql) => Box::new(mysql::MySql::journal(mysql, table(Dialect::MySql, None)?)),
        JournalDatabase::Derby(derby) => {
            Box::new(derby::Derby::new(derby, table(Dialect::Derby, derby.schema.as_ref())?)?)
        }
        JournalDatabase::SqlServer(server) => {
            let table = |dialect| table(dialect, server.schema.as_ref());
            Box::new(sql_server::SqlServer::new(server, table)?)
        }
    })
}
