//! A MySQL or MariaDB server as a journal.

use async_trait::async_trait;
use domain::resources::{DatabaseTls, MySqlJournal};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection, Row as _,
    mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlRow, MySqlSslMode},
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

/// A text that does not fit is an error, whatever the server's own setting: cut short, a row would not
/// be found again and be written twice.
const STRICT: &str = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')";

/// The columns of a table, and whether each needs a value. Cast: what these are differs between servers.
const COLUMNS: &str = "SELECT CAST(column_name AS CHAR), CAST(is_nullable = 'NO' AND column_default IS NULL AND \
     extra NOT LIKE '%auto_increment%' AND extra NOT LIKE '%generated%' AS SIGNED) FROM information_schema.columns \
     WHERE table_schema = DATABASE() AND table_name = ?";

/// Whether the table's engine knows transactions: MyISAM does not, nor does Aria.
const TRANSACTIONAL: &str = "SELECT COUNT(*) FROM information_schema.tables t JOIN information_schema.engines e \
     ON e.engine = t.engine WHERE t.table_schema = DATABASE() AND t.table_name = ? AND e.transactions = 'YES'";

/// Writers of one table go one by one. The lock is the connection's: it ends with it at the latest. Names of
/// locks are the whole server's, and short.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('callseal ', SHA1(CONCAT(DATABASE(), '.', ?))), 30)";
const UNLOCK: &str = "SELECT RELEASE_LOCK(CONCAT('callseal ', SHA1(CONCAT(DATABASE(), '.', ?))))";

/// Numbers of errors: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>; MariaDB has the same.
mod number {
    pub const LOGIN: [u16; 4] = [1044, 1045, 1130, 1698];
    pub const PASSWORD_EXPIRED: [u16; 2] = [1820, 1862];
    pub const NO_DATABASE: [u16; 2] = [1046, 1049];
    pub const NO_TABLE: [u16; 1] = [1146];
    /// Also a column that wants a value, or takes no number of 64 bits: it refuses every row.
    pub const NO_COLUMN: [u16; 3] = [1054, 1264, 1364];
    pub const DENIED: [u16; 3] = [1142, 1143, 1227];
    pub const READ_ONLY: [u16; 4] = [1036, 1290, 1792, 1836];
    pub const FULL: [u16; 3] = [3, 1021, 1114];
    pub const BUSY: [u16; 2] = [1205, 1213];
    /// `max_statement_time` of MariaDB, `max_execution_time` of MySQL; and killed by somebody.
    pub const TOO_LONG: [u16; 3] = [1317, 1969, 3024];
    /// Also out of memory.
    pub const NOT_READY: [u16; 7] = [1040, 1041, 1053, 1080, 1129, 1203, 1927];
    /// Data too long, a character that the column's set lacks, and other data that does not fit.
    pub const ROW: [u16; 7] = [1062, 1265, 1292, 1366, 1406, 3819, 4025];
}

/// A login at a MySQL server.
pub(super) struct MySql(MySqlConnectOptions);

impl MySql {
    /// A journal on a server; it is contacted at the first use.
    pub(super) fn journal(journal: &MySqlJournal, table: Table) -> Served<Self> {
        let server = &journal.server;
        let mut options = MySqlConnectOptions::new()
            .port(server.port)
            .database(&server.database)
            .username(&server.user)
            .charset("utf8mb4")
            .ssl_mode(match journal.tls {
                DatabaseTls::Disable => MySqlSslMode::Disabled,
                DatabaseTls::Prefer => MySqlSslMode::Preferred,
                DatabaseTls::Require => MySqlSslMode::Required,
                DatabaseTls::VerifyFull => MySqlSslMode::VerifyIdentity,
            });
        options = if server.host.starts_with('/') {
            options.socket(&server.host)
        } else {
            options.host(&server.host)
        };
        if let Some(password) = &server.password {
            options = options.password(password.expose());
        }
        if let Some(pem) = &server.ca_certificate {
            options = options.ssl_ca_from_pem(pem.clone().into_bytes());
        }
        Served::new(Self(options), Way::to(server), table)
    }
}

#[async_trait]
impl Speaks for MySql {
    type Connection = MySqlConnection;

    const NAME: &'static str = "the MySQL server";

    async fn connect(&self, way: &Way) -> Result<MySqlConnection, Failure> {
        let socket = way.prompt_socket("mysql.sock").await?;
        let options = match &socket {
            Some(socket) => self.0.clone().socket(socket.path()),
            None => self.0.clone(),
        };
        let mut connection = options.connect().await?;
        connection.execute(STRICT).await?;
        Ok(connection)
    }

    async fn columns(
        connection: &mut MySqlConnection,
        table: &Table,
    ) -> Result<Vec<FoundColumn>, sqlx::Error> {
        let columns = sqlx::query(COLUMNS).bind(table.name()).fetch_all(connection).await?;
        let column = |row: &MySqlRow| {
            Ok(FoundColumn { name: row.try_get(0)?, needs_value: row.try_get::<i64, _>(1)? != 0 })
        };
        columns.iter().map(column).collect()
    }

    async fn execute(connection: &mut MySqlConnection, statement: String) -> Result<(), sqlx::Error> {
        connection.execute(AssertSqlSafe(statement)).await.map(drop)
    }

    async fn takes_back(connection: &mut MySqlConnection, table: &Table) -> Result<bool, sqlx::Error> {
        let engines: i64 = sqlx::query_scalar(TRANSACTIONAL).bind(table.name()).fetch_one(connection).await?;
        Ok(engines == 1)
    }

    async fn insert(
        connection: &mut MySqlConnection,
        table: &Table,
        rows: &[JournalRow],
        end: End,
    ) -> Result<u64, sqlx::Error> {
        let locked: Option<i64> =
            sqlx::query_scalar(LOCK).bind(table.name()).fetch_one(&mut *connection).await?;
        if locked != Some(1) {
            // Whoever has it keeps it for very long; nothing was written.
            return Err(sqlx::Error::PoolTimedOut);
        }
        let mut tx = connection.begin().await?;
        let written = rows::insert_new(&mut tx, table, rows).await?;
        match end {
            End::Commit => tx.commit().await?,
            End::TakeBack => tx.rollback().await?,
        }
        sqlx::query(UNLOCK).bind(table.name()).execute(connection).await?;
        Ok(written)
    }

    async fn read(
        connection: &mut MySqlConnection,
        table: &Table,
        query: &Query,
    ) -> Result<Vec<JournalRow>, sqlx::Error> {
        rows::read::<sqlx::MySql>(connection, table, query).await
    }

    fn meaning(error: &sqlx::Error, server: &str, table: &str) -> (ErrorKind, String) {
        let database = error.as_database_error().and_then(|e| e.try_downcast_ref::<MySqlDatabaseError>());
        match database.map(MySqlDatabaseError::number) {
            Some(n) if number::LOGIN.contains(&n) => (
                ErrorKind::LoginRefused,
                format!(
                    "{server} refuses the login; check user, password, and from where this user may come"
                ),
            ),
            Some(n) if number::PASSWORD_EXPIRED.contains(&n) => (
                ErrorKind::LoginRefused,
                format!("the password of this user of {server} has expired; set a new one"),
            ),
            Some(n) if number::NO_DATABASE.contains(&n) => {
                (ErrorKind::NoDatabase, format!("{server} has no database of this name"))
            }
            Some(n) if number::NO_TABLE.contains(&n) => (
                ErrorKind::NoTable,
                format!("{server} has no table {table}; make it by `callseal journal-init`"),
            ),
            Some(n) if number::NO_COLUMN.contains(&n) => (
                ErrorKind::Columns,
                format!("the table {table} on {server} lacks a column, or wants a value in another"),
            ),
            Some(n) if number::DENIED.contains(&n) => (
                ErrorKind::Denied,
                format!("{server} does not let this user write the table {table}; grant SELECT and INSERT"),
            ),
            Some(n) if number::READ_ONLY.contains(&n) => (
                ErrorKind::Denied,
                format!("{server} is read-only: is it a replica? Name the primary as host"),
            ),
            Some(n) if number::FULL.contains(&n) => {
                (ErrorKind::Full, format!("the disk of {server} is full; make space"))
            }
            Some(n) if number::BUSY.contains(&n) => {
                (ErrorKind::Busy, format!("other writers of the table {table} on {server} were in the way"))
            }
            Some(n) if number::TOO_LONG.contains(&n) => (
                ErrorKind::Busy,
                format!("{server} broke off writing the table {table}, since it lasted too long"),
            ),
            Some(n) if number::NOT_READY.contains(&n) => {
                (ErrorKind::Unreachable, format!("{server} is not ready"))
            }
            Some(n) if number::ROW.contains(&n) => (
                ErrorKind::Row,
                format!(
                    "the table {table} on {server} refuses the row (error {n}); look at lengths, constraints and character set (utf8mb4) of its columns"
                ),
            ),
            Some(n) => (ErrorKind::Other, format!("{server} fails with error {n}")),
            // A password by caching_sha2_password or sha256_password is not sent without TLS, not even
            // encrypted by a key that whoever is in between may have made.
            None if matches!(error, sqlx::Error::Configuration(_)) => (
                ErrorKind::LoginRefused,
                format!(
                    "{server} takes the password of this user over TLS alone; set tls to require or verify-full, and switch TLS on there"
                ),
            ),
            None if let Some(problem) = way::tls_problem(error) => {
                (ErrorKind::Denied, format!("{server} {problem}"))
            }
            None if matches!(error, sqlx::Error::ColumnDecode { .. }) => {
                (ErrorKind::Columns, format!("the table {table} on {server} has a column of another type"))
            }
            None if matches!(error, sqlx::Error::RowNotFound) => {
                (ErrorKind::Row, format!("the table {table} on {server} {CHANGED}"))
            }
            None if matches!(error, sqlx::Error::PoolTimedOut) => (
                ErrorKind::Busy,
                format!("another writer of the table {table} on {server} does not let go of it"),
            ),
            None => (
                ErrorKind::Unreachable,
                format!("{server} cannot be reached; check that it runs, and host, port and firewall"),
            ),
        }
    }
}
