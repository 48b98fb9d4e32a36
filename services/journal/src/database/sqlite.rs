//! A SQLite file as a journal.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use wire::recording_v1::JournalRow;

use super::{
    CHANGED, ErrorKind, JournalDb, JournalError,
    found::{self, FoundColumn},
    probe::{End, Proven, made_up},
    query::Query,
    rows,
    table::Table,
};

/// The columns of a table, and whether each needs a value.
const COLUMNS: &str =
    "SELECT name, \"notnull\" <> 0 AND dflt_value IS NULL AND pk = 0 FROM pragma_table_info($1)";

/// Codes of <https://www.sqlite.org/rescode.html>, without the extended part.
mod code {
    pub const BUSY: i32 = 5;
    pub const READ_ONLY: i32 = 8;
    pub const FULL: i32 = 13;
    pub const CANNOT_OPEN: i32 = 14;
    pub const NOT_A_DATABASE: i32 = 26;
    /// Too big, a constraint, another type.
    pub const ROW: [i32; 3] = [18, 19, 20];
    /// `SQLITE_CONSTRAINT_NOTNULL`, with its extended part.
    pub const NOT_NULL: i32 = 1299;
}

/// A table in a SQLite file. Journal mode and locking are left as its owner has set them: other
/// programs read and write it, too.
pub struct Sqlite {
    pool: SqlitePool,
    table: Table,
    file: String,
}

impl Sqlite {
    /// A journal in the file `path`; made when missing, at the first use.
    pub fn new(path: &Path, table: Table) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        Self { pool, table, file: path.display().to_string() }
    }

    async fn write(&self, rows: &[JournalRow], end: End) -> Result<u64, JournalError> {
        let write = async {
            // The write lock from the beginning: nobody writes between the look and the insert.
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let written = rows::insert_new(&mut tx, &self.table, rows).await?;
            match end {
                End::Commit => tx.commit().await?,
                End::TakeBack => tx.rollback().await?,
            }
            Ok(written)
        };
        write.await.map_err(|error| self.fault(error))
    }

    fn fault(&self, error: sqlx::Error) -> JournalError {
        let file = &self.file;
        let code =
            error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok()).unwrap_or(0);
        let message = error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default();
        let (kind, advice) = match code & 0xff {
            code::BUSY => (ErrorKind::Busy, "another program holds it locked".to_owned()),
            code::READ_ONLY => {
                (ErrorKind::Denied, "it may not be written; check owner and rights".to_owned())
            }
            code::FULL => (ErrorKind::Full, "the disk is full; make space".to_owned()),
            code::CANNOT_OPEN => (
                ErrorKind::Denied,
                "it cannot be opened; check that its folder exists and may be written".to_owned(),
            ),
            code::NOT_A_DATABASE => (ErrorKind::NoDatabase, "it is not a SQLite database".to_owned()),
            _ if code == code::NOT_NULL => (
                ErrorKind::Columns,
                format!("its table {} wants a value in a column that is not written", self.table.name()),
            ),
            primary if code::ROW.contains(&primary) => (
                ErrorKind::Row,
                format!("its table {} refuses the row; look at its constraints", self.table.name()),
            ),
            _ if matches!(error, sqlx::Error::RowNotFound) => {
                (ErrorKind::Row, format!("its table {} {CHANGED}", self.table.name()))
            }
            // SQLite has one code for both.
            _ if message.starts_with("no such table") => {
                let table = self.table.name();
                (ErrorKind::NoTable, format!("it has no table {table}; make it by `callseal journal-init`"))
            }
            _ if message.starts_with("no such column") || message.contains("has no column named") => {
                (ErrorKind::Columns, format!("its table {} lacks a column", self.table.name()))
            }
            _ if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => {
                (ErrorKind::Unreachable, "it does not answer".to_owned())
            }
            _ => (ErrorKind::Other, format!("it says code {code}")),
        };
        JournalError::new(kind, format!("the SQLite journal {file} cannot be used: {advice}"))
            .caused_by(error)
    }
}

#[async_trait]
impl JournalDb for Sqlite {
    async fn check(&self) -> Result<(), JournalError> {
        let found = sqlx::query(COLUMNS)
            .bind(self.table.name())
            .fetch_all(&self.pool)
            .await
            .and_then(|columns| {
                let column = |row: &sqlx::sqlite::SqliteRow| {
                    Ok(FoundColumn { name: row.try_get(0)?, needs_value: row.try_get(1)? })
                };
                columns.iter().map(column).collect::<Result<Vec<_>, _>>()
            })
            .map_err(|error| self.fault(error))?;
        found::check(&self.table, &found, &format!("the SQLite journal {}", self.file))
    }

    async fn probe(&self) -> Result<Proven, JournalError> {
        self.check().await?;
        self.write(&[made_up()], End::TakeBack).await.map(|_| Proven::Writing)
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        match self.check().await {
            Err(error) if error.kind() == ErrorKind::NoTable => {}
            there => return there,
        }
        for statement in self.table.create() {
            sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await.map_err(|e| self.fault(e))?;
        }
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        self.write(rows, End::Commit).await
    }

    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError> {
        let read = async {
            let mut connection = self.pool.acquire().await?;
            rows::read::<sqlx::Sqlite>(&mut connection, &self.table, query).await
        };
        read.await.map_err(|error| self.fault(error))
    }
}
