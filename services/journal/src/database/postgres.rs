//! A PostgreSQL server as a journal.

use async_trait::async_trait;
use domain::resources::{DatabaseTls, PostgresJournal};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow, PgSslMode},
};
use wire::recording_v1::JournalRow;

use super::{
    CHANGED, ErrorKind,
    found::FoundColumn,
    probe::End,
    query::Query,
    rows,
    served::{Served, Speaks},
    table::Table,
    way::{self, Failure, Way},
};

/// The columns of a table, and whether each needs a value: it is not null, has no default, and neither
/// counts nor computes by itself.
const COLUMNS: &str = "SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '' \
     FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

/// A login at a PostgreSQL server.
pub(super) struct Postgres(PgConnectOptions);

impl Postgres {
    /// A journal on a server; it is contacted at the first use.
    pub(super) fn journal(journal: &PostgresJournal, table: Table) -> Served<Self> {
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
        Served::new(Self(options), Way::to(server), table)
    }
}

#[async_trait]
impl Speaks for Postgres {
    type Connection = PgConnection;

    const NAME: &'static str = "the PostgreSQL server";

    async fn connect(&self, way: &Way) -> Result<PgConnection, Failure> {
        let socket = way.socket(&format!(".s.PGSQL.{}", self.0.get_port())).await?;
        let options = match &socket {
            Some(socket) => self.0.clone().socket(socket.folder()),
            None => self.0.clone(),
        };
        Ok(options.connect().await?)
    }

    async fn columns(connection: &mut PgConnection, table: &Table) -> Result<Vec<FoundColumn>, sqlx::Error> {
        let columns = sqlx::query(COLUMNS).bind(table.quoted()).fetch_all(connection).await?;
        let column = |row: &PgRow| Ok(FoundColumn { name: row.try_get(0)?, needs_value: row.try_get(1)? });
        columns.iter().map(column).collect()
    }

    async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
        connection.execute(AssertSqlSafe(statement)).await.map(drop)
    }

    async fn insert(
        connection: &mut PgConnection,
        table: &Table,
        rows: &[JournalRow],
        end: End,
    ) -> Result<u64, sqlx::Error> {
        let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        // Whoever has the lock below and is gone keeps it until the server notices. And of a table that was
        // never analysed, as one that a backlog has just filled, the planner would read every row at each look.
        let settings =
            "SELECT set_config('lock_timeout', '30s', true), set_config('enable_seqscan', 'off', true)";
        sqlx::query(settings).execute(&mut *tx).await?;
        // The table has no key: writers of this table go one by one. Each statement of READ COMMITTED
        // sees what was committed before it, so the look after the lock is true.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("callseal journal {}", table.name()))
            .execute(&mut *tx)
            .await?;
        let written = rows::insert_new(&mut tx, table, rows).await?;
        match end {
            End::Commit => tx.commit().await?,
            End::TakeBack => tx.rollback().await?,
        }
        Ok(written)
    }

    async fn read(
        connection: &mut PgConnection,
        table: &Table,
        query: &Query,
    ) -> Result<Vec<JournalRow>, sqlx::Error> {
        rows::read::<sqlx::Postgres>(connection, table, query).await
    }

    /// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn meaning(error: &sqlx::Error, server: &str, table: &str) -> (ErrorKind, String) {
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|code| code.into_owned())
            .unwrap_or_default();
        match code.as_str() {
            // PostgreSQL says the same of an account whose password has expired.
            "28P01" | "28000" => (
                ErrorKind::LoginRefused,
                format!(
                    "{server} refuses the login; check user, password (has it expired?) and \
                     pg_hba.conf"
                ),
            ),
            "3D000" => (ErrorKind::NoDatabase, format!("{server} has no database of this name")),
            "42P01" | "3F000" => (
                ErrorKind::NoTable,
                format!("{server} has no table {table}; make it by `callseal journal-init`"),
            ),
            // A column that wants a value, or takes no number of 64 bits, refuses every row.
            "42703" | "42804" | "22003" | "23502" => (
                ErrorKind::Columns,
                format!(
                    "the table {table} on {server} lacks a column, has one of another type, or wants a value in one that is not written"
                ),
            ),
            "25006" => (
                ErrorKind::Denied,
                format!("{server} is read-only: is it a standby? Name the primary as host"),
            ),
            "42501" => (
                ErrorKind::Denied,
                format!("{server} does not let this user write the table {table}; grant SELECT and INSERT"),
            ),
            // The server, or this user, has a `statement_timeout`, or a `transaction_timeout`.
            "57014" | "25P04" => (
                ErrorKind::Busy,
                format!("{server} broke off writing the table {table}, since it lasted too long"),
            ),
            "40P01" | "40001" | "55P03" => {
                (ErrorKind::Busy, format!("other writers of the table {table} on {server} were in the way"))
            }
            "53100" => (ErrorKind::Full, format!("the disk of {server} is full; make space")),
            // Class 57: shut down, starting up, cancelled; 08: connection; 53: out of resources.
            code if ["57", "08", "53"].iter().any(|class| code.starts_with(class)) => {
                (ErrorKind::Unreachable, format!("{server} is not ready"))
            }
            // Class 22: data exception; 23: the table has constraints of its own.
            code if ["22", "23"].iter().any(|class| code.starts_with(class)) => (
                ErrorKind::Row,
                format!(
                    "the table {table} on {server} refuses the row (SQLSTATE {code}); look at its constraints"
                ),
            ),
            "" if matches!(error, sqlx::Error::RowNotFound) => {
                (ErrorKind::Row, format!("the table {table} on {server} {CHANGED}"))
            }
            "" if let Some(problem) = way::tls_problem(error) => {
                (ErrorKind::Denied, format!("{server} {problem}"))
            }
            "" => (
                ErrorKind::Unreachable,
                format!("{server} cannot be reached; check that it runs, and host, port and firewall"),
            ),
            code => (ErrorKind::Other, format!("{server} fails with SQLSTATE {code}")),
        }
    }
}
