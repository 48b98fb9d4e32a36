//! `JournalTarget`: a database that gets one row for every recording.

use std::path::PathBuf;

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
