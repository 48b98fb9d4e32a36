//! Journal databases behind one trait.

mod error;
mod postgres;
mod rows;
mod sqlite;
mod table;

use std::path::Path;

use async_trait::async_trait;
use domain::resources::{JournalDatabase, JournalTarget};
use wire::recording_v1::JournalRow;

pub use error::{ErrorKind, JournalError};

/// A database with a table of the columns of F-91.
#[async_trait]
pub trait JournalDb: Send + Sync {
    /// Looks whether the database can be reached and has the table with its columns.
    ///
    /// # Errors
    /// What is wrong, in words; [`ErrorKind::NoTable`] if only the table is missing.
    async fn check(&self) -> Result<(), JournalError>;

    /// Makes the table; one that exists stays as it is.
    ///
    /// # Errors
    /// The database cannot be reached, or the user may not.
    async fn create_table(&self) -> Result<(), JournalError>;

    /// Writes those of `rows` that are not there yet, all or none; returns how many those were. A
    /// row is known by its base file name, which holds the recording's id. Customers' tables have
    /// no key, so the transaction looks before it writes, and keeps others from writing meanwhile.
    ///
    /// # Errors
    /// None of them was written now.
    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError>;

    /// The newest rows first, at most `limit`.
    ///
    /// # Errors
    /// The table cannot be read.
    async fn read(&self, limit: u32) -> Result<Vec<JournalRow>, JournalError>;
}

/// Makes the journal that a resource describes; nothing is contacted yet. A relative SQLite path
/// lies under `base`.
///
/// # Errors
/// The table or schema has a name that cannot be used.
pub fn open(journal: &JournalTarget, base: &Path) -> Result<Box<dyn JournalDb>, JournalError> {
    Ok(match &journal.database {
        JournalDatabase::Sqlite { path } => {
            let table = table::Table::new(None, &journal.table)?;
            Box::new(sqlite::Sqlite::new(&base.join(path), table))
        }
        JournalDatabase::Postgres { host, port, database, schema, user, password, tls } => {
            let table = table::Table::new(schema.as_deref(), &journal.table)?;
            let login =
                postgres::Login { host, port: *port, database, user, password: password.as_ref(), tls };
            Box::new(postgres::Postgres::new(&login, table)?)
        }
    })
}
