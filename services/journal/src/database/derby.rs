//! An Apache Derby network server as a journal.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use domain::resources::{DatabaseTls, DerbyJournal};
use drda::{Connection, DrdaError, Options, Route, Tls};
use tokio::{sync::Mutex, time::timeout};
use tunnel::SshError;
use wire::recording_v1::JournalRow;

use super::{
    ErrorKind, JournalDb, JournalError,
    found::{self, FoundColumn},
    probe::{End, Proven, made_up},
    query::Query,
    table::{ROWS_AT_ONCE, Table, Value, set},
    way::{self, Way},
};

/// How long a kept connection may take to say that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Columns with a default or a number of their own.
const FILLED: &str = "SELECT c.COLUMNNAME FROM SYS.SYSCOLUMNS c JOIN SYS.SYSTABLES t ON c.REFERENCEID = t.TABLEID \
     JOIN SYS.SYSSCHEMAS s ON t.SCHEMAID = s.SCHEMAID WHERE t.TABLENAME = ? AND s.SCHEMANAME = ? \
     AND (c.COLUMNDEFAULT IS NOT NULL OR c.AUTOINCREMENTVALUE IS NOT NULL)";

/// Whether a table has an index of a name; the schema follows.
const INDEX: &str = "SELECT c.CONGLOMERATENAME FROM SYS.SYSCONGLOMERATES c JOIN SYS.SYSTABLES t ON t.TABLEID = c.TABLEID \
     JOIN SYS.SYSSCHEMAS s ON s.SCHEMAID = t.SCHEMAID WHERE t.TABLENAME = ? AND c.CONGLOMERATENAME = ? \
     AND c.ISINDEX AND s.SCHEMANAME =";

/// SQLSTATE of an object that is there already.
const EXISTS: &str = "X0Y32";

/// A table of a Derby database.
pub struct Derby {
    options: Options,
    tls: DatabaseTls,
    way: Way,
    /// The connection of the last use. It is taken out: one that is broken off is not used again.
    kept: Mutex<Option<Connection>>,
    table: Table,
}

/// Why something could not be done.
enum Failure {
    /// An SSH server on the way.
    Tunnel(SshError),
    /// The database, or the way to it without a tunnel.
    Database(DrdaError),
}

impl From<DrdaError> for Failure {
    fn from(error: DrdaError) -> Self {
        Self::Database(error)
    }
}

impl Derby {
    /// A journal on a server; it is contacted at the first use.
    ///
    /// # Errors
    /// The authority's certificates cannot be read.
    pub fn new(journal: &DerbyJournal, table: Table) -> Result<Self, JournalError> {
        let server = &journal.server;
        let password = server.password.as_ref().map(|password| password.expose().clone()).unwrap_or_default();
        let mut options = Options::new(&server.host, server.port, &server.database, &server.user, password);
        options.tls = match (journal.tls, &server.ca_certificate) {
            (DatabaseTls::Disable, _) => Tls::Off,
            (DatabaseTls::Prefer | DatabaseTls::Require, _) => Tls::Unverified,
            (DatabaseTls::VerifyFull, None) => Tls::of_this_machine(),
            (DatabaseTls::VerifyFull, Some(pem)) => Tls::of_pem(pem).ok_or_else(|| {
                JournalError::new(ErrorKind::Description, "caCertificate holds no certificate in PEM")
            })?,
        };
        // Whoever writes `disable` has said so.
        options.allow_plain_password = journal.tls == DatabaseTls::Disable;
        Ok(Self { options, tls: journal.tls, way: Way::to(server), kept: Mutex::new(None), table })
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        if let Some(mut kept) = self.kept.lock().await.take()
            && matches!(timeout(PING_TIMEOUT, kept.rollback()).await, Ok(Ok(())))
        {
            return Ok(kept);
        }
        match self.connect(&self.options).await {
            // A port of Derby's speaks TLS or does not. Through a network the password stays here even so.
            Err(Failure::Database(DrdaError::Tls(_))) if self.tls == DatabaseTls::Prefer => {
                self.connect(&Options { tls: Tls::Off, ..self.options.clone() }).await
            }
            connected => connected,
        }
    }

    async fn connect(&self, options: &Options) -> Result<Connection, Failure> {
        match self.way.stream().await.map_err(Failure::Tunnel)? {
            Some(stream) => Ok(Connection::over(Box::new(stream), Route::Protected, options).await?),
            None => Ok(Connection::connect(options).await?),
        }
    }

    async fn keep(&self, connection: Connection) {
        *self.kept.lock().await = Some(connection);
    }

    /// What the database said, by its SQLSTATE
    /// (<https://db.apache.org/derby/docs/10.14/ref/rrefexcept71493.html>), or what stood in the way to it.
    fn fault(&self, failure: Failure) -> JournalError {
        let error = match failure {
            Failure::Tunnel(error) => return way::fault(error),
            Failure::Database(error) => error,
        };
        let (server, table) = (format!("the Derby server {}", self.way.server()), self.table.name());
        let (kind, sentence) = match &error {
            DrdaError::Unreachable(_) | DrdaError::Lost(_) | DrdaError::TimedOut(_) | DrdaError::Broken => (
                ErrorKind::Unreachable,
                format!("{server} cannot be reached; check that it runs, and host, port and firewall"),
            ),
            DrdaError::LoginRefused { .. } | DrdaError::PasswordMissing => (
                ErrorKind::LoginRefused,
                format!("{server} refuses the login; check user and password, and whether it has expired"),
            ),
            DrdaError::PasswordExpired | DrdaError::LoginKind { .. } => {
                (ErrorKind::LoginRefused, format!("{server}: {error}"))
            }
            DrdaError::NotAuthorised => (
                ErrorKind::LoginRefused,
                format!("{server} does not let this user into the database; grant connecting"),
            ),
            DrdaError::NoDatabase => {
                (ErrorKind::NoDatabase, format!("{server} has no database of this name"))
            }
            DrdaError::Tls(_) | DrdaError::PasswordInClear => {
                (ErrorKind::Denied, format!("{server}: {error}"))
            }
            DrdaError::Options(_) => (ErrorKind::Description, format!("{server}: {error}")),
            DrdaError::Sql(fault) | DrdaError::Batch { fault, .. } => by_state(fault.state(), &server, table)
                .unwrap_or_else(|| {
                    (ErrorKind::Other, format!("{server} fails with SQLSTATE {}", fault.state()))
                }),
            DrdaError::Protocol(_)
            | DrdaError::MustRollBack
            | DrdaError::Parameters { .. }
            | DrdaError::Foreign => (ErrorKind::Other, format!("{server}: {error}")),
        };
        JournalError::new(kind, sentence).caused_by(error)
    }

    async fn write(&self, rows: &[JournalRow], end: End) -> Result<u64, Failure> {
        // After an error the connection is let go of, and with it transaction and lock.
        let mut connection = self.connection().await?;
        let written = self.insert_new(&mut connection, rows).await?;
        match end {
            End::Commit => connection.commit().await?,
            End::TakeBack => connection.rollback().await?,
        }
        self.keep(connection).await;
        Ok(written)
    }

    /// Writes within the connection's transaction; it is not committed yet.
    async fn insert_new(&self, connection: &mut Connection, rows: &[JournalRow]) -> Result<u64, DrdaError> {
        // The table has no key: writers go one by one, from the look to the end of the transaction.
        let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", self.table.quoted());
        connection.execute_immediate(&lock).await?;
        let hint = self.hint(connection).await?;
        let insert = connection.prepare(&self.table.insert(1)).await?;
        let mut written = 0;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let names: Vec<drda::Value> = rows.iter().map(|row| row.base_file_name.as_str().into()).collect();
            let there =
                connection.query(&self.table.look_with(rows.len(), &hint), &names, usize::MAX).await?;
            let mut seen: HashSet<&str> =
                there.iter().filter_map(|row| row.text(0)).map(|name| name.trim_end_matches(' ')).collect();
            // One that comes twice in the same breath counts once.
            let new: Vec<Vec<drda::Value>> = rows
                .iter()
                .filter(|row| seen.insert(&row.base_file_name))
                .map(|row| self.table.values(row).map(bound).collect())
                .collect();
            if !new.is_empty() {
                written += connection.execute_batch(&insert, &new).await?;
            }
        }
        connection.close(insert);
        Ok(written)
    }

    /// Tells the planner to look by the index, where there is the one that we make: Derby keeps the plan that
    /// it made while the table was small, which reads all of it, for a hundred looks.
    /// (<https://db.apache.org/derby/docs/10.14/tuning/ctunoptimzoverride.html>)
    async fn hint(&self, connection: &mut Connection) -> Result<String, DrdaError> {
        let (table, index) = (self.table.name().to_ascii_uppercase(), self.table.index_of_names());
        let index = index.to_ascii_uppercase();
        let (schema, table) = match table.split_once('.') {
            Some((schema, table)) => (format!("'{schema}'"), table),
            None => ("CURRENT SCHEMA".to_owned(), table.as_str()),
        };
        let there = format!("{INDEX} {schema}");
        let there = connection.query(&there, &[table.into(), index.as_str().into()], 1).await?;
        // It ends with the line.
        Ok(there.first().map(|_| format!("--DERBY-PROPERTIES index={index}\n")).unwrap_or_default())
    }

    /// The columns that there are; none if there is no table.
    async fn columns(&self, connection: &mut Connection) -> Result<Vec<FoundColumn>, DrdaError> {
        let described = connection.prepare(&format!("SELECT * FROM {}", self.table.quoted())).await;
        let all = match described {
            Err(error) if error.sql().is_some_and(|fault| ["42X05", "42Y07"].contains(&fault.state())) => {
                return Ok(Vec::new());
            }
            all => all?,
        };
        let name = self.table.name().to_ascii_uppercase();
        let (schema, name) = match name.split_once('.') {
            Some((schema, name)) => (schema.to_owned(), name),
            None => {
                let current = connection.query("VALUES CURRENT SCHEMA", &[], 1).await?;
                let schema = current.first().and_then(|row| row.text(0)).unwrap_or_default();
                (schema.to_owned(), name.as_str())
            }
        };
        let filled = connection.query(FILLED, &[name.into(), schema.into()], usize::MAX).await?;
        let filled: HashSet<&str> = filled.iter().filter_map(|row| row.text(0)).collect();
        let found = |column: &drda::Column| FoundColumn {
            name: column.name().to_owned(),
            needs_value: !column.is_nullable() && !filled.contains(column.name()),
        };
        let columns = all.columns().iter().map(found).collect();
        connection.close(all);
        Ok(columns)
    }

    /// Lets the database look at all that will be asked of it: some types cannot be compared or sorted by.
    async fn try_statements(&self, connection: &mut Connection) -> Result<(), DrdaError> {
        let newest = Query::newest(1);
        for sql in [self.table.look(1), self.table.insert(1), self.table.read(&newest).0] {
            let statement = connection.prepare(&sql).await?;
            connection.close(statement);
        }
        Ok(())
    }

    async fn make(&self, connection: &mut Connection) -> Result<(), DrdaError> {
        for statement in self.table.create() {
            match connection.execute_immediate(&statement).await {
                // Somebody else makes it at the same time.
                Err(DrdaError::Sql(fault)) if fault.state() == EXISTS => {}
                done => {
                    done?;
                }
            }
            connection.commit().await?;
        }
        Ok(())
    }
}

fn by_state(state: &str, server: &str, table: &str) -> Option<(ErrorKind, String)> {
    Some(match state {
        "42X05" | "42Y07" => {
            (ErrorKind::NoTable, format!("{server} has no table {table}; make it by `callseal journal-init`"))
        }
        "42X04" | "42X14" => (ErrorKind::Columns, format!("the table {table} on {server} lacks a column")),
        "42818" | "42821" | "42X61" | "X0X67" | "42Z23" => {
            (ErrorKind::Columns, format!("the table {table} on {server} has a column of another type"))
        }
        "42500" | "42502" | "42504" | "42507" | "42508" => (
            ErrorKind::Denied,
            format!("{server} does not let this user write the table {table}; grant SELECT and INSERT"),
        ),
        "25502" | "25503" | "25505" | "40XD1" => {
            (ErrorKind::Denied, format!("{server} or this user of it is read-only"))
        }
        "40001" | "40XL1" => {
            (ErrorKind::Busy, format!("other writers of the table {table} on {server} were in the way"))
        }
        "XSDG1" | "XSLA1" | "XSLA4" | "XSDF1" | "XSDF3" => {
            (ErrorKind::Full, format!("the disk of {server} is full, or cannot be written; make space"))
        }
        // A column that wants a value, or takes no number of 64 bits, refuses every row.
        "22003" | "23502" => (
            ErrorKind::Columns,
            format!(
                "the table {table} on {server} has a column of another type, or wants a value in one that is not written"
            ),
        ),
        // Class 22: data exception; 23: the table has constraints of its own.
        state if state.starts_with("22") || state.starts_with("23") => (
            ErrorKind::Row,
            format!(
                "the table {table} on {server} refuses the row (SQLSTATE {state}); look at lengths and constraints of its columns"
            ),
        ),
        // Class 08: connection; the database or the server was shut down.
        state if state.starts_with("08") || ["XJ040", "XJ015", "XJ081", "58009"].contains(&state) => {
            (ErrorKind::Unreachable, format!("{server} is not ready"))
        }
        _ => return None,
    })
}

fn bound(value: Value<'_>) -> drda::Value {
    match value {
        Value::Text(text) => drda::Value::Text(text.into_owned()),
        Value::Number(number) => drda::Value::BigInt(number),
    }
}

#[async_trait]
impl JournalDb for Derby {
    async fn check(&self) -> Result<(), JournalError> {
        let looked = async {
            let mut connection = self.connection().await?;
            let columns = self.columns(&mut connection).await?;
            connection.rollback().await?;
            Ok((connection, columns))
        };
        let (mut connection, columns) = looked.await.map_err(|failure| self.fault(failure))?;
        found::check(&self.table, &columns, &format!("the Derby server {}", self.way.server()))?;
        self.try_statements(&mut connection).await.map_err(|error| self.fault(error.into()))?;
        self.keep(connection).await;
        Ok(())
    }

    async fn probe(&self) -> Result<Proven, JournalError> {
        self.check().await?;
        let tried = self.write(&[made_up()], End::TakeBack).await;
        tried.map(|_| Proven::Writing).map_err(|failure| self.fault(failure))
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
        made.await.map_err(|failure: Failure| self.fault(failure))?;
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        self.write(rows, End::Commit).await.map_err(|failure| self.fault(failure))
    }

    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError> {
        let read = async {
            let mut connection = self.connection().await?;
            let (sql, values) = self.table.read(query);
            let values: Vec<drda::Value> = values.into_iter().map(bound).collect();
            let rows = connection.query(&sql, &values, usize::MAX).await?;
            // A reader's locks would keep writers waiting.
            connection.rollback().await?;
            self.keep(connection).await;
            Ok(rows)
        };
        let found = read.await.map_err(|failure: Failure| self.fault(failure))?;
        let row = |found: &drda::Row| {
            let mut row = JournalRow::default();
            for (column, value) in self.table.columns().zip(found.values()) {
                match value {
                    drda::Value::Text(text) => set(&mut row, column, Value::Text(text.as_str().into())),
                    drda::Value::BigInt(number) => set(&mut row, column, Value::Number(*number)),
                    drda::Value::Null => {}
                }
            }
            row
        };
        Ok(found.iter().map(row).collect())
    }
}
