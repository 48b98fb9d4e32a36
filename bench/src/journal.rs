//! Rows into each journal database: Callseal beside the plainest client of that database, in one run.
//!
//! The clients only write: Callseal also takes the table's lock, looks which rows are there, and looks for
//! them again once they are written. Of the clients' time is taken off what they need to start.

mod plain;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::ensure;
use callseal_journal::database::{self, JournalDb, Query};
use domain::{
    RecordingId,
    resources::{
        DatabaseServer, DatabaseTls, DerbyJournal, JournalDatabase, JournalTarget, MySqlJournal,
        PostgresJournal, SqliteJournal,
    },
};
use harness::{derby::Derby, mariadb::MariaDb, postgres::Postgres};
use wire::recording_v1::JournalRow;

/// Rows of a transaction when many wait, as the journal has them.
const TOGETHER: usize = 500;

/// Tables, each with the same columns and indexes.
const TABLES: [&str; 4] = ["ours", "ours_singly", "theirs", "theirs_singly"];

/// A database that runs.
enum Running {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite(PathBuf),
    Derby(Derby),
}

/// How long the same rows took both.
#[derive(Debug)]
struct Took {
    database: &'static str,
    way: &'static str,
    client: &'static str,
    rows: usize,
    ours: Duration,
    theirs: Duration,
}

/// All of them.
#[derive(Debug)]
pub struct Outcome(Vec<Took>);

/// Writes `rows` in batches, and `singly` one at a time, into each database.
///
/// # Errors
/// A server or a client is missing or fails, or not all rows are there.
pub async fn run(dir: &Path, rows: usize, singly: usize) -> anyhow::Result<Outcome> {
    let databases = [
        Running::Postgres(Postgres::start().await?),
        Running::MariaDb(MariaDb::start().await?),
        Running::Sqlite(dir.join("journal.sqlite")),
        Running::Derby(Derby::start().await?),
    ];
    let (many, few): (Vec<_>, Vec<_>) = ((0..rows).map(row).collect(), (0..singly).map(row).collect());
    let mut took = Vec::new();
    for database in &databases {
        for table in TABLES {
            database.open(table)?.create_table().await?;
        }
        let plain = plain::Client::of(database, dir);
        let (ours, theirs) = (database.timed("ours", &many, TOGETHER).await?, plain.batch(&many)?);
        took.push(Took {
            database: database.name(),
            way: "batches",
            client: plain.batch_name(),
            rows,
            ours,
            theirs,
        });
        let (ours, theirs) = (database.timed("ours_singly", &few, 1).await?, plain.singly(&few)?);
        let client = plain.single_name();
        took.push(Took { database: database.name(), way: "one by one", client, rows: singly, ours, theirs });
        for (table, wanted) in [("theirs", rows), ("theirs_singly", singly)] {
            database.has(table, wanted).await?;
        }
    }
    Ok(Outcome(took))
}

impl Running {
    const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::MariaDb(_) => "MariaDB",
            Self::Sqlite(_) => "SQLite",
            Self::Derby(_) => "Derby",
        }
    }

    fn open(&self, table: &str) -> anyhow::Result<Box<dyn JournalDb>> {
        let tls = DatabaseTls::Prefer;
        let database = match self {
            Self::Postgres(running) => {
                let server = server(running.port(), Postgres::DATABASE, Postgres::USER, Postgres::PASSWORD);
                JournalDatabase::Postgres(PostgresJournal { server, schema: None, tls })
            }
            Self::MariaDb(running) => {
                let server = server(running.port(), MariaDb::DATABASE, MariaDb::USER, MariaDb::PASSWORD);
                JournalDatabase::MySql(MySqlJournal { server, tls })
            }
            Self::Sqlite(path) => JournalDatabase::Sqlite(SqliteJournal { path: path.clone() }),
            Self::Derby(running) => {
                let server = server(running.port(), Derby::DATABASE, Derby::USER, Derby::PASSWORD);
                JournalDatabase::Derby(DerbyJournal { server, schema: None, tls })
            }
        };
        let journal = JournalTarget {
            name: "bench".parse()?,
            table: table.into(),
            create_table: true,
            extra_columns: Vec::new(),
            database,
        };
        Ok(database::open(&journal, Path::new(""))?)
    }

    /// How long we take for `rows`, `together` in a transaction.
    async fn timed(&self, table: &str, rows: &[JournalRow], together: usize) -> anyhow::Result<Duration> {
        let journal = self.open(table)?;
        // Logged in, as the journal is.
        journal.check().await?;
        let begun = Instant::now();
        for rows in rows.chunks(together) {
            ensure!(journal.insert(rows).await? == rows.len() as u64, "rows were there before");
        }
        Ok(begun.elapsed())
    }

    async fn has(&self, table: &str, wanted: usize) -> anyhow::Result<()> {
        let limit = u32::try_from(wanted)? + 1;
        let found = self.open(table)?.read(&Query::newest(limit)).await?.len();
        ensure!(found == wanted, "{found} of {wanted} rows are in {table} of {}", self.name());
        Ok(())
    }
}

fn server(port: u16, database: &str, user: &str, password: &str) -> DatabaseServer {
    DatabaseServer {
        host: "127.0.0.1".into(),
        port,
        database: database.into(),
        user: user.into(),
        password: Some(password.into()),
        ca_certificate: None,
        tunnel: None,
    }
}

/// A row as calls make them, of letters that every client takes without quotes.
fn row(number: usize) -> JournalRow {
    let id = RecordingId::new();
    JournalRow {
        base_file_name: format!("20260701-220000.000Z_in_+4970311234_+49221{number:07}_{id}"),
        direction: "in".into(),
        time_unix_ms: 1_782_943_200_000 + number as i64,
        call_id: format!("a84b4c76e66710-{number}@pbx"),
        caller_name: "Jürgen Müller".into(),
        caller: "+4970311234".into(),
        callee: format!("+49221{number:07}"),
        setting: "desk".into(),
        // RSA-3072.
        signature: "c2ln".repeat(128),
        ..JournalRow::default()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Took { database, way, client, rows, ours, theirs } in &self.0 {
            let rate = |took: &Duration| *rows as f64 / took.as_secs_f64().max(1e-6);
            let (ours, theirs) = (rate(ours), rate(theirs));
            writeln!(
                f,
                "{database:<11} {way:<11} Callseal {ours:>8.0} rows/s, {client:<30} {theirs:>8.0} rows/s, ratio {:.2}",
                ours / theirs
            )?;
        }
        Ok(())
    }
}
