//! A Microsoft SQL Server as a journal, over TDS.

mod connection;
mod encrypted;
mod fault;
mod framed;
mod trust;
mod windows;

use std::collections::HashSet;

use async_trait::async_trait;
use domain::resources::SqlServerJournal;
use tokio::sync::Mutex;
use tokio_rustls::rustls::Error as TlsError;
use wire::recording_v1::JournalRow;

use connection::{Connection, Failure, Server};
use encrypted::Broken;

use super::{
    CHANGED, ErrorKind, JournalDb, JournalError,
    dialect::Dialect,
    found::{self, FoundColumn},
    probe::{End, Proven, made_up},
    query::Query,
    table::{ROWS_AT_ONCE, Table, Value, set, unpadded},
    way,
};

/// The columns of a table, and whether each needs a value. 189 is `rowversion`, which fills itself.
const COLUMNS: &str = "SELECT c.name, CASE WHEN c.is_nullable = 0 AND c.default_object_id = 0 AND c.is_identity = 0 \
     AND c.is_computed = 0 AND c.system_type_id <> 189 THEN 1 ELSE 0 END FROM sys.columns c \
     WHERE c.object_id = OBJECT_ID(@P1)";

/// Whether rows are known by a column of the types of old, `text` (35) or `ntext` (99).
const OLD_TEXT: &str = "SELECT COUNT(*) FROM sys.columns c WHERE c.object_id = OBJECT_ID(@P1) \
     AND c.name = N'basefilename' AND c.system_type_id IN (35, 99)";

/// Writers of one table go one by one, from the look to the end of the transaction: the table has no key. The lock
/// is named after the number of the table, which is one however its name is written.
const LOCK: &str = "DECLARE @got int, @what nvarchar(255) = CONCAT(N'callseal ', OBJECT_ID(@P1)); \
     EXEC @got = sp_getapplock @Resource = @what, @LockMode = 'Exclusive', @LockOwner = 'Transaction', \
     @LockTimeout = 20000; SELECT @got";

/// What `sp_getapplock` returns when it was called wrongly.
const NO_LOCK: i64 = -999;

/// Somebody else has made the table, or its index, at the same time.
const EXISTS: [u32; 2] = [2714, 1913];

/// A table on a SQL Server.
pub struct SqlServer {
    server: Server,
    /// The connection of the last use. It is taken out: one that is broken off is not used again.
    kept: Mutex<Option<Connection>>,
    table: Table,
    /// The same table where its names can only be compared by a cast, which no index helps with.
    old_table: Table,
}

impl SqlServer {
    /// A journal on a server, in the table that `table` makes of a dialect; it is contacted at the first use.
    ///
    /// # Errors
    /// The table's name or the authority's certificates cannot be used.
    pub fn new(
        journal: &SqlServerJournal,
        table: impl Fn(Dialect) -> Result<Table, JournalError>,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            server: Server::new(journal)?,
            kept: Mutex::new(None),
            table: table(Dialect::SqlServer { old_text: false })?,
            old_table: table(Dialect::SqlServer { old_text: true })?,
        })
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        if let Some(mut kept) = self.kept.lock().await.take()
            && kept.lives().await
        {
            return Ok(kept);
        }
        self.server.connect().await
    }

    async fn keep(&self, connection: Connection) {
        *self.kept.lock().await = Some(connection);
    }

    fn place(&self) -> String {
        format!("the SQL Server {}", self.server.name())
    }

    /// What the server said, by its number. Its own words go nowhere: they may hold the row.
    fn fault(&self, failure: Failure) -> JournalError {
        let (server, table) = (self.place(), self.table.name());
        let unreachable = || {
            let sentence =
                format!("{server} cannot be reached; check that it runs, and host, port and firewall");
            (ErrorKind::Unreachable, sentence)
        };
        let (kind, sentence) = match failure {
            Failure::Way(error) => return way::fault(error),
            Failure::Late => (ErrorKind::Unreachable, format!("{server} does not answer in time")),
            // Timed out, cancelled, victim of a deadlock.
            Failure::NotLocked(-3..=-1) => (
                ErrorKind::Busy,
                format!("another writer of the table {table} on {server} does not let go of it"),
            ),
            Failure::NotLocked(code) => (
                ErrorKind::Other,
                format!(
                    "{server} gives no lock by sp_getapplock, which returns {code}; look into the server's error log"
                ),
            ),
            Failure::Changed => (ErrorKind::Row, format!("the table {table} on {server} {CHANGED}")),
            Failure::NoInstance => (
                ErrorKind::Unreachable,
                format!(
                    "{server} tells no port for this instance; check its name, that SQL Server Browser runs and UDP 1434 is open, or give the port"
                ),
            ),
            Failure::Broken(Broken::NotOffered) => {
                (ErrorKind::Denied, format!("{server} does not offer the TLS that the journal asks for"))
            }
            Failure::Broken(Broken::Handshake(error @ TlsError::InvalidCertificate(_))) => {
                let sentence = format!(
                    "{server} has a certificate that is not accepted ({error}); compare host and caCertificate with it"
                );
                (ErrorKind::Denied, sentence)
            }
            Failure::Broken(Broken::Handshake(error)) => {
                (ErrorKind::Denied, format!("{server} does not take up TLS ({error}); look at encrypt"))
            }
            Failure::Broken(Broken::Gone) => (
                ErrorKind::Unreachable,
                format!(
                    "{server} ends the connection when TLS begins; `encrypt: strict` needs SQL Server 2022 or later"
                ),
            ),
            Failure::Broken(Broken::Challenge) => (
                ErrorKind::LoginRefused,
                format!(
                    "{server} asks for a login of Windows that is not NTLMv2, which is all there is here"
                ),
            ),
            Failure::Broken(Broken::Lost) => unreachable(),
            Failure::Client(tiberius::error::Error::Server(error)) => {
                fault::by_number(error.code(), &server, table)
            }
            Failure::Client(tiberius::error::Error::Conversion(_)) => {
                (ErrorKind::Columns, format!("the table {table} on {server} has a column of another type"))
            }
            Failure::Client(tiberius::error::Error::Routing { .. }) => (
                ErrorKind::Description,
                format!("{server} sends its clients on to another server: name that one as host"),
            ),
            Failure::Client(tiberius::error::Error::Io { .. }) => unreachable(),
            Failure::Client(_) => (ErrorKind::Other, format!("{server} answers what cannot be understood")),
        };
        JournalError::new(kind, sentence)
    }

    async fn columns(&self, connection: &mut Connection) -> Result<Vec<FoundColumn>, Failure> {
        let rows = connection.query(COLUMNS, vec![Value::Text(self.table.quoted().into())]).await?;
        let column = |mut row: Vec<Option<Value<'static>>>| match (row.remove(0), row.remove(0)) {
            (Some(Value::Text(name)), Some(Value::Number(needs))) => {
                Some(FoundColumn { name: name.into_owned(), needs_value: needs != 0 })
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(column).collect())
    }

    /// The table as it can be compared.
    async fn comparable(&self, connection: &mut Connection) -> Result<&Table, Failure> {
        let old = match connection.old_text {
            Some(old) => old,
            None => {
                let name = vec![Value::Text(self.table.quoted().into())];
                let old = number(&connection.query(OLD_TEXT, name).await?) != Some(0);
                *connection.old_text.insert(old)
            }
        };
        Ok(if old { &self.old_table } else { &self.table })
    }

    async fn write(&self, rows: &[JournalRow], end: End) -> Result<u64, Failure> {
        // After an error the connection is let go of, and with it transaction and lock.
        let mut connection = self.connection().await?;
        connection.begin().await?;
        let written = self.insert_new(&mut connection, rows).await?;
        match end {
            End::Commit => connection.commit().await?,
            End::TakeBack => connection.rollback().await?,
        }
        self.keep(connection).await;
        Ok(written)
    }

    /// Writes within a transaction, which is not committed yet.
    async fn insert_new(&self, connection: &mut Connection, rows: &[JournalRow]) -> Result<u64, Failure> {
        let table = self.comparable(connection).await?;
        let name = Value::Text(self.table.quoted().into());
        // 0 and 1: it is ours; below 0: it is not, and why.
        let got = number(&connection.query(LOCK, vec![name]).await?).unwrap_or(NO_LOCK);
        if got < 0 {
            return Err(Failure::NotLocked(got));
        }
        let mut written = 0;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let all: Vec<&JournalRow> = rows.iter().collect();
            let mut seen = look(connection, table, &all).await?;
            // One that comes twice in the same breath counts once.
            let new: Vec<&JournalRow> =
                rows.iter().filter(|row| seen.insert(row.base_file_name.clone())).collect();
            if !new.is_empty() {
                let values = new.iter().flat_map(|row| table.values(row)).collect();
                connection.execute(&table.insert(new.len()), values).await?;
                // As where a column of an old code page has put ? in the place of a letter.
                let found = look(connection, table, &new).await?;
                if new.iter().any(|row| !found.contains(&row.base_file_name)) {
                    return Err(Failure::Changed);
                }
                written += new.len() as u64;
            }
        }
        Ok(written)
    }

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        for statement in self.table.create() {
            match connection.batch(&statement).await {
                Err(Failure::Client(tiberius::error::Error::Server(error)))
                    if EXISTS.contains(&error.code()) => {}
                done => done?,
            }
        }
        connection.old_text = None;
        Ok(())
    }
}

/// The names of those rows that are there. The server takes upper case and lower case for the same, and
/// blanks at the end for nothing.
async fn look(
    connection: &mut Connection,
    table: &Table,
    rows: &[&JournalRow],
) -> Result<HashSet<String>, Failure> {
    let names = rows.iter().map(|row| Value::Text(row.base_file_name.clone().into())).collect();
    let there = connection.query(&table.look(rows.len()), names).await?;
    let name = |mut row: Vec<Option<Value<'static>>>| match row.remove(0) {
        Some(Value::Text(name)) => Some(unpadded(&name)),
        _ => None,
    };
    Ok(there.into_iter().filter_map(name).collect())
}

/// The number in the first column of the first row.
fn number(rows: &[Vec<Option<Value<'static>>>]) -> Option<i64> {
    match rows.first()?.first()? {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

#[async_trait]
impl JournalDb for SqlServer {
    async fn check(&self) -> Result<(), JournalError> {
        let found = async {
            let mut connection = self.connection().await?;
            let columns = self.columns(&mut connection).await?;
            connection.old_text = None;
            self.keep(connection).await;
            Ok(columns)
        };
        let found = found.await.map_err(|failure| self.fault(failure))?;
        found::check(&self.table, &found, &self.place())
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        match self.check().await {
            Err(error) if error.kind() == ErrorKind::NoTable => {}
            there => return there,
        }
        let made = async {
            let mut connection = self.connection().await?;
            self.make(&mut connection).await?;
            self.keep(connection).await;
            Ok(())
        };
        made.await.map_err(|failure| self.fault(failure))?;
        self.check().await
    }

    async fn probe(&self) -> Result<Proven, JournalError> {
        self.check().await?;
        let tried = self.write(&[made_up()], End::TakeBack).await;
        tried.map(|_| Proven::Writing).map_err(|failure| self.fault(failure))
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        self.write(rows, End::Commit).await.map_err(|failure| self.fault(failure))
    }

    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError> {
        if query.limit == 0 {
            // The server takes no page of no rows.
            return Ok(Vec::new());
        }
        let read = async {
            let mut connection = self.connection().await?;
            let (sql, values) = self.comparable(&mut connection).await?.read(query);
            let rows = connection.query(&sql, values).await?;
            self.keep(connection).await;
            Ok(rows)
        };
        let found = read.await.map_err(|failure| self.fault(failure))?;
        let row = |found: Vec<Option<Value<'static>>>| {
            let mut row = JournalRow::default();
            for (column, value) in self.table.columns().zip(found) {
                if let Some(value) = value {
                    set(&mut row, column, value);
                }
            }
            row
        };
        Ok(found.into_iter().map(row).collect())
    }
}
