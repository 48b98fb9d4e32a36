//! A real PostgreSQL server with a cluster of its own in a temporary folder.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{ports, process::Process, programs, server_user::ServerUser, wait};

const SERVER: ServerUser = ServerUser { name: "postgres", package: "postgresql" };
const PLACES: [&str; 4] = [
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];

/// A PostgreSQL server on loopback, with password login. It refuses to run as root: a test run by
/// root runs it as the user `postgres`.
#[derive(Debug)]
pub struct Postgres {
    dir: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Postgres {
    /// The login name.
    pub const USER: &'static str = "callseal";
    /// The password.
    pub const PASSWORD: &'static str = "in-the-test-only";
    /// The database.
    pub const DATABASE: &'static str = "postgres";

    /// Makes a cluster and starts a server on a free port.
    ///
    /// # Errors
    /// PostgreSQL is missing or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("callseal-pg-").tempdir()?;
        let mut postgres = Self { dir, port: ports::claim()?, process: None };
        let (dir, password) = (postgres.dir.path().to_owned(), postgres.dir.path().join("password"));
        fs::write(&password, Self::PASSWORD)?;
        for path in [&dir, &password] {
            SERVER.owns(path)?;
        }
        let mut initdb = postgres.command("initdb")?;
        initdb.args(["-A", "scram-sha-256", "-U", Self::USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        initdb.arg("--pwfile").arg(&password).arg("-D").arg(dir.join("data"));
        let made = initdb.output()?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        postgres.start_again().await?;
        Ok(postgres)
    }

    /// Starts another server that follows this one and takes no changes of its own (a hot standby).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn standby(&self) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("callseal-pg-").tempdir()?;
        let mut standby = Self { dir, port: ports::claim()?, process: None };
        SERVER.owns(standby.dir.path())?;
        let mut copy = standby.command("pg_basebackup")?;
        copy.env("PGPASSWORD", Self::PASSWORD).args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        copy.args(["-U", Self::USER, "--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-D"]);
        let made = copy.arg(standby.dir.path().join("data")).output()?;
        ensure!(made.status.success(), "pg_basebackup failed: {}", String::from_utf8_lossy(&made.stderr));
        standby.start_again().await?;
        Ok(standby)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL with user and password.
    pub fn url(&self) -> String {
        format!("postgres://{}:{}@127.0.0.1:{}/{}", Self::USER, Self::PASSWORD, self.port, Self::DATABASE)
    }

    /// Gives the server a folder, for a tablespace.
    ///
    /// # Errors
    /// The folder cannot be given away.
    pub fn owns(&self, folder: &Path) -> anyhow::Result<()> {
        SERVER.owns(folder)
    }

    /// Starts the server on its port, after [`stop`](Self::stop) or [`crash`](Self::crash).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        let mut server = self.command("postgres")?;
        server.arg("-D").arg(dir.join("data")).args(["-p", &self.port.to_string()]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        self.process = Some(Process::start("postgres", &dir.join("log"), &mut server)?);
        let port = self.port;
        wait::until("PostgreSQL to listen", Duration::from_secs(60), || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await
        .with_context(|| self.process.as_ref().map(Process::output).unwrap_or_default())?;
        // It listens a moment before it takes logins: pg_isready knows the difference.
        let server = &*self;
        wait::until("PostgreSQL to take logins", Duration::from_secs(60), || async move {
            let mut ready = server.command("pg_isready").ok()?;
            ready
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .ok()?
                .success()
                .then_some(())
        })
        .await
    }

    /// Stops the server, ending every connection.
    ///
    /// # Errors
    /// It does not stop.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGINT)
    }

    /// Stops the server as a crash would: no checkpoint, no farewell to its clients.
    ///
    /// # Errors
    /// It does not stop.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGQUIT)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.take().context("PostgreSQL does not run")?;
        process.signal(signal)?;
        // The signal sent again by `stop` changes nothing: a slower shutdown does not replace a faster one.
        process.stop(Duration::from_secs(60))?;
        Ok(())
    }

    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let candidates = PLACES.map(|place| format!("{place}/{program}"));
        let program = programs::installed(&candidates.each_ref().map(String::as_str), "postgresql")?;
        let mut command = Command::new(program);
        command.current_dir(self.dir.path());
        SERVER.runs(&mut command)?;
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _gone_already = self.crash();
        }
    }
}
