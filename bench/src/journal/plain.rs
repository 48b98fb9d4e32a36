//! The databases' own clients.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use harness::{mariadb::MariaDb, postgres::Postgres};
use wire::recording_v1::JournalRow;

use super::Running;

/// The client of a database.
pub struct Client<'a> {
    database: &'a Running,
    file: PathBuf,
}

const COLUMNS: usize = 9;
/// Which of them is a number.
const TIME: usize = 2;

fn values(row: &JournalRow) -> [String; COLUMNS] {
    [
        row.base_file_name.clone(),
        row.direction.clone(),
        row.time_unix_ms.to_string(),
        row.call_id.clone(),
        row.caller_name.clone(),
        row.caller.clone(),
        row.callee.clone(),
        row.setting.clone(),
        row.signature.clone(),
    ]
}

impl<'a> Client<'a> {
    /// With its files in `dir`.
    pub fn of(database: &'a Running, dir: &Path) -> Self {
        Self { database, file: dir.join("rows") }
    }

    /// How the fastest way of the client is called.
    pub const fn batch_name(&self) -> &'static str {
        match self.database {
            Running::Postgres(_) => "psql COPY",
            Running::MariaDb(_) => "mariadb LOAD DATA",
            Running::Sqlite(_) => "sqlite3 .import",
            Running::Derby(_) => "ij SYSCS_IMPORT_TABLE",
        }
    }

    /// How its way row by row is called.
    pub const fn single_name(&self) -> &'static str {
        match self.database {
            Running::Postgres(_) => "psql INSERT",
            Running::MariaDb(_) => "mariadb INSERT",
            Running::Sqlite(_) => "sqlite3 INSERT",
            Running::Derby(_) => "ij PREPARE, EXECUTE",
        }
    }

    /// How long the client takes for all rows at once.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn batch(&self, rows: &[JournalRow]) -> anyhow::Result<Duration> {
        let text: String = rows.iter().map(|row| values(row).join(",") + "\n").collect();
        fs::write(&self.file, text)?;
        let file = self.file.display();
        self.timed(&match self.database {
            Running::Postgres(_) => format!("\\copy theirs from '{file}' with (format csv)\n"),
            Running::MariaDb(_) => format!(
                "LOAD DATA LOCAL INFILE '{file}' INTO TABLE theirs CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',';\n"
            ),
            Running::Sqlite(_) => format!("PRAGMA synchronous = FULL;\n.mode csv\n.import {file} theirs\n"),
            Running::Derby(_) => format!(
                "CALL SYSCS_UTIL.SYSCS_IMPORT_TABLE(NULL, 'THEIRS', '{file}', ',', '\"', 'UTF-8', 0);\n"
            ),
        })
    }

    /// How long it takes for one after the other, each in a transaction of its own.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn singly(&self, rows: &[JournalRow]) -> anyhow::Result<Duration> {
        let mut script = String::new();
        if matches!(self.database, Running::Derby(_)) {
            script += "PREPARE one AS 'INSERT INTO theirs_singly VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)';\n";
        }
        for row in rows {
            let mut row = values(row);
            let quote = if matches!(self.database, Running::Derby(_)) { "''" } else { "'" };
            for (_, value) in row.iter_mut().enumerate().filter(|(at, _)| *at != TIME) {
                *value = format!("{quote}{value}{quote}");
            }
            let row = row.join(", ");
            match self.database {
                Running::Derby(_) => writeln!(script, "EXECUTE one USING 'VALUES ({row})';")?,
                _ => writeln!(script, "INSERT INTO theirs_singly VALUES ({row});")?,
            }
        }
        self.timed(&script)
    }

    /// How long the client takes for a script, less what it takes for none.
    fn timed(&self, script: &str) -> anyhow::Result<Duration> {
        let run = |script: &str| {
            let begun = Instant::now();
            self.run(script)?;
            anyhow::Ok(begun.elapsed())
        };
        let nothing = run("")?;
        Ok(run(script)?.saturating_sub(nothing))
    }

    fn run(&self, script: &str) -> anyhow::Result<()> {
        let path = self.file.with_extension("script");
        let mut client = match self.database {
            Running::Derby(derby) => {
                let said = derby.ij(script)?;
                ensure!(!said.contains("ERROR "), "ij fails");
                return Ok(());
            }
            Running::Postgres(postgres) => {
                let mut psql = Command::new("psql");
                psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]).arg(postgres.url());
                psql.env("PGPASSWORD", Postgres::PASSWORD);
                psql
            }
            Running::MariaDb(mariadb) => {
                let mut client = Command::new("mariadb");
                client.args(["--no-defaults", "--local-infile=1", "--default-character-set=utf8mb4"]);
                client.args(["-h127.0.0.1", "-u", MariaDb::USER, "-P"]).arg(mariadb.port().to_string());
                client.arg(MariaDb::DATABASE).env("MYSQL_PWD", MariaDb::PASSWORD);
                client
            }
            Running::Sqlite(database) => {
                let mut client = Command::new("sqlite3");
                client.arg("-bail").arg(database);
                client
            }
        };
        fs::write(&path, script)?;
        let done = client.stdin(File::open(&path)?).output();
        let done = done.with_context(|| format!("{} is missing", self.single_name()))?;
        ensure!(
            done.status.success(),
            "{} fails: {}",
            self.single_name(),
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }
}
