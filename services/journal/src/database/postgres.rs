//! A PostgreSQL server as a journal.

use async_trait::async_trait;
use domain::resources::{DatabaseTls, PostgresJournal};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use wire::recording_v1::JournalRow;

use super::{
    CHANGED, ErrorKind, JournalDb, JournalError,
    found::{self, FoundColumn},
    kept::{Kept, in_time},
    query::Query,
    rows,
    table::Table,
    way::{self, Failure, Way},
};

/// The columns of a table, and whether each needs a value: it is not null, has no default, and neither
/// counts nor computes by itself.
const COLUMNS: &str = "SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '' \
     FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

/// A table of a PostgreSQL database.
pub struct Postgres {
    options: PgConnectOptions,
    way: Way,
    kept: Kept<PgConnection>,
    table: Table,
}

impl Postgres {
    /// A journal on a server; it is contacted at the first use.
    pub fn new(journal: &PostgresJournal, table: Table) -> Self {
        let server = &journal.server;
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(server.port)
            .database(&server.database)
            .username(&server.user)
            .ssl_mode(match journal.tls {
                DatabaseTls::Disable => PgSslMode::Disable,
                DatabaseTls::Prefer => PgSslMode::Prefer,
                DatabaseTls::Require => PgSslMode::Require,
                DatabaseTls::VerifyFull => PgSslMode::VerifyFull,
            })
            .application_name("callseal-journal");
        options = if server.host.starts_with('/') {
            options.socket(&server.host)
        } else {
            options.host(&server.host)
        };
        if let Some(password) = &server.password {
            options = options.password(password.expose());
        }
        if let Some(pem) = &server.ca_certificate {
            options = options.ssl_root_cert_from_pem(pem.clone().into_bytes());
        }
        Self { options, way: Way::to(server), kept: Kept::new(), table }
    }

    async fn connection(&self) -> Result<PgConnection, Failure> {
        self.kept
            .take(async {
                let socket = self.way.socket(&format!(".s.PGSQL.{}", self.options.get_port())).await?;
                let options = match &socket {
                    Some(socket) => self.options.clone().socket(socket.folder()),
                    None => self.options.clone(),
                };
                Ok(options.connect().await?)
            })
            .await
    }

    /// What the server said, by its SQLSTATE
    /// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Its own words are not
    /// repeated: they may hold the row.
    fn fault(&self, failure: Failure) -> JournalError {
        let error = match failure {
            Failure::Tunnel(error) => return way::fault(error),
            Failure::Database(error) => error,
        };
        let (server, table) = (self.way.server(), self.table.name());
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|code| code.into_owned())
            .unwrap_or_default();
        let (kind, sentence) = match code.as_str() {
            // PostgreSQL says the same of an account whose password has expired.
            "28P01" | "28000" => (
                ErrorKind::LoginRefused,
                format!(
                    "the PostgreSQL server {server} refuses the login; check user, password (has it expired?) and \
                     pg_hba.conf"
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
            // A column that wants a value, or takes no number of 64 bits, refuses every row.
            "42703" | "42804" | "22003" | "23502" => (
                ErrorKind::Columns,
                format!(
                    "the table {table} on the PostgreSQL server {server} lacks a column, has one of another type, or wants a value in one that is not written"
                ),
            ),
            "25006" => (
                ErrorKind::Denied,
                format!(
                    "the PostgreSQL server {server} is read-only: is it a standby? Name the primary as host"
                ),
            ),
            "42501" => (
                ErrorKind::Denied,
                format!(
                    "the PostgreSQL server {server} does not let this user write the table {table}; grant SELECT and INSERT"
                ),
            ),
            "40P01" | "40001" | "55P03" => (
                ErrorKind::Busy,
                format!(
                    "other writers of the table {table} on the PostgreSQL server {server} were in the way"
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
            "" if matches!(error, sqlx::Error::RowNotFound) => {
                (ErrorKind::Row, format!("the table {table} on the PostgreSQL server {server} {CHANGED}"))
            }
            "" if let Some(problem) = way::tls_problem(&error) => {
                (ErrorKind::Denied, format!("the PostgreSQL server {server} {problem}"))
            }
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
        let found = async {
            let mut connection = self.connection().await?;
            let columns = sqlx::query(COLUMNS).bind(self.table.quoted()).fetch_all(&mut connection).await?;
            self.kept.keep(connection).await;
            let column = |row: &sqlx::postgres::PgRow| {
                Ok(FoundColumn { name: row.try_get(0)?, needs_value: row.try_get(1)? })
            };
            columns.iter().map(column).collect::<Result<Vec<_>, sqlx::Error>>().map_err(Failure::from)
        };
        let found = in_time(found).await.map_err(|failure| self.fault(failure))?;
        found::check(&self.table, &found, &format!("the PostgreSQL server {}", self.way.server()))
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        match self.check().await {
            Err(error) if error.kind() == ErrorKind::NoTable => {}
            there => return there,
        }
        let made = async {
            let mut connection = self.connection().await?;
            for statement in self.table.create() {
                connection.execute(AssertSqlSafe(statement)).await?;
            }
            self.kept.keep(connection).await;
            Ok(())
        };
        in_time(made).await.map_err(|failure: Failure| self.fault(failure))?;
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        let insert = async {
            let mut connection = self.connection().await?;
            let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            // Whoever has the lock below and is gone keeps it until the server notices.
            sqlx::query("SET LOCAL lock_timeout = '30s'").execute(&mut *tx).await?;
            // The table has no key: writers of this table go one by one. Each statement of READ
            // COMMITTED sees what was committed before it, so the look after the lock is true.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(format!("callseal journal {}", self.table.name()))
                .execute(&mut *tx)
                .await?;
            let written = rows::insert_new(&mut tx, &self.table, rows).await?;
            tx.commit().await?;
            self.kept.keep(connection).await;
            Ok(written)
        };
        in_time(insert).await.map_err(|failure: Failure| self.fault(failure))
    }

    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError> {
        let read = async {
            let mut connection = self.connection().await?;
            let read = rows::read::<sqlx::Postgres>(&mut connection, &self.table, query).await?;
            self.kept.keep(connection).await;
            Ok(read)
        };
        in_time(read).await.map_err(|failure: Failure| self.fault(failure))
    }
}
