//! A real MariaDB server with data of its own in a temporary folder.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{loopback_tls, ports, process::Process, programs, server_user::ServerUser, wait};

const SERVER: ServerUser = ServerUser { name: "mysql", package: "mariadb-server" };

/// A MariaDB server on loopback, with password login and TLS. A test run by root runs it as the user
/// `mysql`.
#[derive(Debug)]
pub struct MariaDb {
    dir: TempDir,
    port: u16,
    process: Option<Process>,
    /// Further settings, as `name=value`, for the next start.
    pub settings: Vec<String>,
    ca: String,
}

impl MariaDb {
    /// The login name.
    pub const USER: &'static str = "callseal";
    /// The password.
    pub const PASSWORD: &'static str = "in-the-test-only";
    /// The database.
    pub const DATABASE: &'static str = "compliance";

    /// Makes an installation and starts a server on a free port.
    ///
    /// # Errors
    /// MariaDB is missing or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("callseal-maria-").tempdir()?;
        let mut server =
            Self { dir, port: ports::claim()?, process: None, settings: Vec::new(), ca: String::new() };
        server.certify()?;
        SERVER.owns(server.dir.path())?;
        let mut install = server.command("/usr/bin/mariadb-install-db")?;
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", server.dir.path().join("data").display()));
        let made = install.output()?;
        ensure!(
            made.status.success(),
            "mariadb-install-db failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.start_again().await?;
        server.sql(&format!(
            "CREATE DATABASE {0}; CREATE USER '{1}'@'%' IDENTIFIED BY '{2}'; GRANT ALL ON {0}.* TO '{1}'@'%'",
            Self::DATABASE,
            Self::USER,
            Self::PASSWORD
        ))?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL with user and password.
    pub fn url(&self) -> String {
        format!("mysql://{}:{}@127.0.0.1:{}/{}", Self::USER, Self::PASSWORD, self.port, Self::DATABASE)
    }

    /// The certificate (PEM) of the authority that made the server's, which is for `localhost` and `127.0.0.1`.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Carries out statements as root, over the socket; what `mariadb` prints, without headings.
    ///
    /// # Errors
    /// The server says no.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        let socket = self.dir.path().join("socket");
        let done = Command::new("/usr/bin/mariadb")
            .args([
                "--no-defaults",
                "--batch",
                "--skip-column-names",
                "--default-character-set=utf8mb4",
                "-uroot",
            ])
            .arg(format!("--socket={}", socket.display()))
            .args(["-e", statements])
            .stdin(Stdio::null())
            .output()
            .context("mariadb is missing: install Debian's mariadb-client")?;
        ensure!(done.status.success(), "mariadb: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Starts the server on its port, after [`stop`](Self::stop) or [`crash`](Self::crash).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let dir = self.dir.path().to_owned();
        let mut server = self.command("/usr/sbin/mariadbd")?;
        server.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        server.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"]);
        server.arg(format!("--datadir={}", dir.join("data").display()));
        server.arg(format!("--socket={}", dir.join("socket").display()));
        server.arg(format!("--pid-file={}", dir.join("pid").display()));
        server.arg(format!("--port={}", self.port));
        for (option, file) in [("ssl-ca", "ca.pem"), ("ssl-cert", "server.pem"), ("ssl-key", "server.key")] {
            server.arg(format!("--{option}={}", dir.join(file).display()));
        }
        server.args(self.settings.iter().map(|setting| format!("--{setting}")));
        self.process = Some(Process::start("mariadbd", &dir.join("log"), &mut server)?);
        let server = &*self;
        wait::until("MariaDB to take logins", Duration::from_secs(60), || async move {
            server.sql("SELECT 1").ok()
        })
        .await
        .with_context(|| self.process.as_ref().map(Process::output).unwrap_or_default())?;
        Ok(())
    }

    /// Stops the server.
    ///
    /// # Errors
    /// It does not stop.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Kills the server.
    ///
    /// # Errors
    /// It does not run.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.end(Signal::SIGKILL)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.take().context("MariaDB does not run")?;
        process.signal(signal)?;
        process.stop(Duration::from_secs(60))?;
        Ok(())
    }

    fn certify(&mut self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        loopback_tls::certify(dir)?;
        self.ca = fs::read_to_string(dir.join("ca.pem"))?;
        ["ca.pem", "server.pem", "server.key"].iter().try_for_each(|file| SERVER.owns(&dir.join(file)))
    }

    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let program = programs::installed(&[program], "mariadb-server")?;
        let mut command = Command::new(program);
        // A server that starts removes every other server's temporary tables from the folder it has for them.
        command.current_dir(self.dir.path()).env("HOME", self.dir.path()).env("TMPDIR", self.dir.path());
        SERVER.runs(&mut command)?;
        Ok(command)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _gone_already = self.crash();
        }
    }
}
