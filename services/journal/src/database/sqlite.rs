//! A SQLite file as a journal.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use wire::recording_v1::JournalRow;

use super::{ErrorKind, JournalDb, JournalError, table::Table};

/// Codes of <https://www.sqlite.org/rescode.html>, without the extended part.
mod code {
    pub const BUSY: i32 = 5;
    pub const READ_ONLY: i32 = 8;
    pub const FULL: i32 = 13;
    pub const CANNOT_OPEN: i32 = 14;
    pub const NOT_A_DATABASE: i32 = 26;
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

    fn fault(&self, error: sqlx::Error) -> JournalError {
        let file = &self.file;
        let code =
            error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok()).unwrap_or(0);
        let message = error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default();
        let (kind, advice) = match code & 0xff {
            code::BUSY => (ErrorKind::Unreachable, "another program holds it locked".to_owned()),
            code::READ_ONLY => {
                (ErrorKind::Denied, "it may not be written; check owner and rights".to_owned())
            }
            code::FULL => (ErrorKind::Full, "the disk is full; make space".to_owned()),
            code::CANNOT_OPEN => (
                ErrorKind::Denied,
                "it cannot be opened; check that its folder exists and may be written".to_owned(),
            ),
            code::NOT_A_DATABASE => (ErrorKind::NoDatabase, "it is not a SQLite database".to_owned()),
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
        sqlx::query(AssertSqlSafe(self.table.probe()))
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.fault(e))?;
        Ok(())
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        sqlx::query(AssertSqlSafe(self.table.create()))
            .execute(&self.pool)
            .await
            .map_err(|e| self.fault(e))?;
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        let insert = async {
            // The write lock from the beginning: nobody writes between the look and the insert.
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let mut written = 0;
            for row in rows {
                let there = sqlx::query(AssertSqlSafe(self.table.look())).bind(&row.base_file_name);
                if there.fetch_optional(&mut *tx).await?.is_some() {
                    continue;
                }
                sqlx::query(AssertSqlSafe(self.table.insert()))
                    .bind(&row.base_file_name)
                    .bind(&row.direction)
                    .bind(row.time_unix_ms)
                    .bind(&row.call_id)
                    .bind(&row.caller_name)
                    .bind(&row.caller)
                    .bind(&row.callee)
                    .bind(&row.setting)
                    .bind(&row.signature)
                    .execute(&mut *tx)
                    .await?;
                written += 1;
            }
            tx.commit().await?;
            Ok(written)
        };
        insert.await.map_err(|error| self.fault(error))
    }

    async fn read(&self, limit: u32) -> Result<Vec<JournalRow>, JournalError> {
        let rows =
            sqlx::query(AssertSqlSafe(self.table.read())).bind(i64::from(limit)).fetch_all(&self.pool).await;
        let rows = rows.map_err(|error| self.fault(error))?;
        rows.iter().map(row_of).collect::<Result<_, _>>().map_err(|error| self.fault(error))
    }
}

fn row_of(row: &sqlx::sqlite::SqliteRow) -> Result<JournalRow, sqlx::Error> {
    let text = |column| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
    Ok(JournalRow {
        base_file_name: text("basefilename")?,
        direction: text("direction")?,
        time_unix_ms: row.try_get::<Option<i64>, _>("time")?.unwrap_or_default(),
        call_id: text("callid")?,
        caller_name: text("callername")?,
        caller: text("caller")?,
        callee: text("callee")?,
        setting: text("setting")?,
        signature: text("signature")?,
    })
}
