//! A PostgreSQL server as a journal.

use std::time::Duration;

use async_trait::async_trait;
use domain::Sensitive;
use sqlx::{
    AssertSqlSafe, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use wire::recording_v1::JournalRow;

use super::{ErrorKind, JournalDb, JournalError, table::Table};

/// How to log in.
pub struct Login<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
    pub password: Option<&'a Sensitive<String>>,
    pub tls: &'a str,
}

/// A table of a PostgreSQL database.
pub struct Postgres {
    pool: PgPool,
    table: Table,
    server: String,
}

impl Postgres {
    /// A journal on a server; it is contacted at the first use.
    ///
    /// # Errors
    /// The TLS mode is not known.
    pub fn new(login: &Login<'_>, table: Table) -> Result<Self, JournalError> {
        let tls: PgSslMode = login.tls.parse().map_err(|_| {
            JournalError::new(ErrorKind::Description, "tls must be disable, prefer, require or verify-full")
        })?;
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(login.port)
            .database(login.database)
            .username(login.user)
            .ssl_mode(tls)
            .application_name("callseal-journal");
        options =
            if login.host.starts_with('/') { options.socket(login.host) } else { options.host(login.host) };
        if let Some(password) = login.password {
            options = options.password(password.expose());
        }
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(Duration::from_secs(300))
            .connect_lazy_with(options);
        Ok(Self { pool, table, server: format!("{}:{}", login.host, login.port) })
    }

    /// What the server said, by its SQLSTATE
    /// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Its own words are not
    /// repeated: they may hold the row.
    fn fault(&self, error: sqlx::Error) -> JournalError {
        let (server, table) = (&self.server, self.table.name());
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|code| code.into_owned())
            .unwrap_or_default();
        let (kind, sentence) = match code.as_str() {
            "28P01" | "28000" => (
                ErrorKind::LoginRefused,
                format!(
                    "the PostgreSQL server {server} refuses the login; check user, password and pg_hba.conf"
                ),
            ),
            "3D000" => (
                ErrorKind::NoDatabase,
                format!("the PostgreSQL server {server} has no database of this name"),
            ),
            "42P01" | "3F000" => (
                ErrorKind::NoTable,
                format!(
                    "the PostgreSQL server {server} has no table {table}; make it by `callseal journal-init`"
                ),
            ),
            "42703" | "42804" => (
                ErrorKind::Columns,
                format!(
                    "the table {table} on the PostgreSQL server {server} lacks a column, or has it with another type"
                ),
            ),
            "42501" | "25006" => (
                ErrorKind::Denied,
                format!(
                    "the PostgreSQL server {server} does not let this user write the table {table}; grant SELECT and INSERT"
                ),
            ),
            "53100" => {
                (ErrorKind::Full, format!("the disk of the PostgreSQL server {server} is full; make space"))
            }
            // Class 57: shut down, starting up, cancelled; 08: connection; 53: out of resources.
            code if ["57", "08", "53"].iter().any(|class| code.starts_with(class)) => {
                (ErrorKind::Unreachable, format!("the PostgreSQL server {server} is not ready"))
            }
            // Class 22: data exception; 23: the table has constraints of its own.
            code if ["22", "23"].iter().any(|class| code.starts_with(class)) => (
                ErrorKind::Row,
                format!(
                    "the table {table} on the PostgreSQL server {server} refuses the row (SQLSTATE {code}); look at its constraints"
                ),
            ),
            "" if matches!(error, sqlx::Error::Tls(_)) => (
                ErrorKind::Denied,
                format!("the PostgreSQL server {server} does not offer the TLS that the journal asks for"),
            ),
            "" => (
                ErrorKind::Unreachable,
                format!(
                    "the PostgreSQL server {server} cannot be reached; check that it runs, and host, port and firewall"
                ),
            ),
            code => (ErrorKind::Other, format!("the PostgreSQL server {server} fails with SQLSTATE {code}")),
        };
        JournalError::new(kind, sentence).caused_by(error)
    }
}

#[async_trait]
impl JournalDb for Postgres {
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
            let mut tx = self.pool.begin().await?;
            // The table has no key: writers of this table go one by one. Each statement of READ
            // COMMITTED sees what was committed before it, so the look after the lock is true.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(format!("callseal journal {}", self.table.name()))
                .execute(&mut *tx)
                .await?;
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

fn row_of(row: &sqlx::postgres::PgRow) -> Result<JournalRow, sqlx::Error> {
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
