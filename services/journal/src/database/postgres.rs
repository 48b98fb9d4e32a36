//! A PostgreSQL server as a journal.

use std::time::Duration;

use async_trait::async_trait;
use domain::Sensitive;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{sync::Mutex, time::timeout};
use wire::recording_v1::JournalRow;

use super::{ErrorKind, JournalDb, JournalError, rows, table::Table};

/// How to log in.
pub struct Login<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
    pub password: Option<&'a Sensitive<String>>,
    pub tls: &'a str,
}

/// How long connecting and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A table of a PostgreSQL database. One connection is enough: rows are written one after the other.
/// A pool would try a refused connection again and again, and then say only that it took too long.
pub struct Postgres {
    options: PgConnectOptions,
    /// Taken out while it is used: one that is broken off in the middle is not used again.
    kept: Mutex<Option<PgConnection>>,
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
        let (kept, server) = (Mutex::default(), format!("{}:{}", login.host, login.port));
        Ok(Self { options, kept, table, server })
    }

    /// The connection of the last use, if it still lives, or a new one.
    async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        if let Some(mut kept) = self.kept.lock().await.take()
            && kept.ping().await.is_ok()
        {
            return Ok(kept);
        }
        let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        timeout(CONNECT_TIMEOUT, self.options.connect()).await.map_err(late)?
    }

    /// Keeps the connection for the next use.
    async fn keep(&self, connection: PgConnection) {
        *self.kept.lock().await = Some(connection);
    }

    async fn execute(&self, statement: String) -> Result<(), JournalError> {
        let executed = async {
            let mut connection = self.connection().await?;
            connection.execute(AssertSqlSafe(statement)).await?;
            self.keep(connection).await;
            Ok(())
        };
        executed.await.map_err(|error| self.fault(error))
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
        self.execute(self.table.probe()).await
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        self.execute(self.table.create()).await?;
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        let insert = async {
            let mut connection = self.connection().await?;
            let mut tx = connection.begin().await?;
            // The table has no key: writers of this table go one by one. Each statement of READ
            // COMMITTED sees what was committed before it, so the look after the lock is true.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(format!("callseal journal {}", self.table.name()))
                .execute(&mut *tx)
                .await?;
            let written = rows::insert_new(&mut tx, &self.table, rows).await?;
            tx.commit().await?;
            self.keep(connection).await;
            Ok(written)
        };
        insert.await.map_err(|error| self.fault(error))
    }

    async fn read(&self, limit: u32) -> Result<Vec<JournalRow>, JournalError> {
        let read = async {
            let mut connection = self.connection().await?;
            let read = rows::newest::<sqlx::Postgres>(&mut connection, &self.table, limit).await?;
            self.keep(connection).await;
            Ok(read)
        };
        read.await.map_err(|error| self.fault(error))
    }
}
