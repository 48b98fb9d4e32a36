//! A real Apache Derby network server with its databases in a temporary folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{loopback_tls, ports, process::Process, programs, wait};

/// Where Debian's `libderby-java` and `derby-tools` put what server, client and `ij` consist of.
const JARS: [&str; 4] = [
    "/usr/share/java/derbynet.jar",
    "/usr/share/java/derby.jar",
    "/usr/share/java/derbyclient.jar",
    "/usr/share/java/derbytools.jar",
];

/// A Derby server on loopback, with login by password, and TLS if wanted.
#[derive(Debug)]
pub struct Derby {
    dir: TempDir,
    port: u16,
    process: Option<Process>,
    tls: bool,
}

impl Derby {
    /// The login name, which is also the name of its schema, in capitals.
    pub const USER: &'static str = "callseal";
    /// The password.
    pub const PASSWORD: &'static str = "in-the-test-only";
    /// The database.
    pub const DATABASE: &'static str = "compliance";

    /// Makes a database and starts a server on a free port.
    ///
    /// # Errors
    /// Derby is missing or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        Self::make(false, "").await
    }

    /// The same with TLS (`-ssl basic`); see [`ca`](Self::ca).
    ///
    /// # Errors
    /// Derby is missing or does not come up.
    pub async fn start_with_tls() -> anyhow::Result<Self> {
        Self::make(true, "").await
    }

    /// The same with further lines of `derby.properties`.
    ///
    /// # Errors
    /// Derby is missing or does not come up.
    pub async fn start_with(properties: &str) -> anyhow::Result<Self> {
        Self::make(false, properties).await
    }

    async fn make(tls: bool, properties: &str) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("callseal-derby-").tempdir()?;
        let mut derby = Self { dir, port: ports::claim()?, process: None, tls };
        let properties = format!(
            "derby.connection.requireAuthentication=true\nderby.authentication.provider=BUILTIN\n\
             derby.user.{}={}\nderby.locks.deadlockTimeout=2\nderby.locks.waitTimeout=5\n{properties}\n",
            Self::USER,
            Self::PASSWORD
        );
        fs::write(derby.dir.path().join("derby.properties"), properties)?;
        if tls {
            let dir = derby.dir.path();
            loopback_tls::server_config(dir)?;
            let mut export = Command::new("openssl");
            export.args([
                "pkcs12",
                "-export",
                "-inkey",
                "server.key",
                "-in",
                "server.pem",
                "-out",
                "server.p12",
            ]);
            let made =
                export.args(["-passout", &format!("pass:{}", Self::PASSWORD)]).current_dir(dir).output()?;
            ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        }
        // Made before the server runs: a database belongs to one process at a time.
        let made = derby.ij_to(&format!(
            "connect 'jdbc:derby:{};create=true;user={};password={}'; values 'made';",
            Self::DATABASE,
            Self::USER,
            Self::PASSWORD
        ))?;
        ensure!(made.contains("made"), "ij made no database: {made}");
        derby.start_again().await?;
        Ok(derby)
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The authority that the server's certificate for `127.0.0.1` and `localhost` is of, as PEM.
    ///
    /// # Errors
    /// The server was started without TLS.
    pub fn ca(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("ca.pem"))?)
    }

    /// The server's own certificate, as PEM.
    ///
    /// # Errors
    /// The server was started without TLS.
    pub fn certificate(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("server.pem"))?)
    }

    /// Starts the server on its port, after [`stop`](Self::stop) or [`crash`](Self::crash).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let mut server = self.java()?;
        if self.tls {
            let store = self.dir.path().join("server.p12");
            server.arg(format!("-Djavax.net.ssl.keyStore={}", store.display()));
            server.arg(format!("-Djavax.net.ssl.keyStorePassword={}", Self::PASSWORD));
        }
        server.args(["org.apache.derby.drda.NetworkServerControl", "start", "-h", "127.0.0.1"]);
        // The security manager that it would install is no part of current Java any more.
        server.args(["-noSecurityManager", "-p", &self.port.to_string()]);
        if self.tls {
            server.args(["-ssl", "basic"]);
        }
        self.process = Some(Process::start("derby", &self.dir.path().join("log"), &mut server)?);
        let port = self.port;
        wait::until("Derby to listen", Duration::from_secs(120), || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await
        .with_context(|| self.process.as_ref().map(Process::output).unwrap_or_default())?;
        Ok(())
    }

    /// Stops the server, which closes its databases.
    ///
    /// # Errors
    /// It does not stop.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.take().context("Derby does not run")?.stop(Duration::from_secs(60))?;
        Ok(())
    }

    /// Ends the server as a power cut would end the program.
    ///
    /// # Errors
    /// It does not run.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.process.take().context("Derby does not run")?.kill_hard()
    }

    /// The folder that the database lies in.
    pub fn database(&self) -> PathBuf {
        self.dir.path().join(Self::DATABASE)
    }

    /// Carries out statements by Derby's own `ij`, over the network; what it prints. Each ends by a
    /// semicolon; texts are printed in full length.
    ///
    /// # Errors
    /// `ij` cannot be started. Faults of statements are in what it prints, as `ERROR …`.
    pub fn ij(&self, statements: &str) -> anyhow::Result<String> {
        ensure!(!self.tls, "ij trusts no authority of a test: ask a server without TLS");
        self.ij_to(&format!(
            "connect 'jdbc:derby://127.0.0.1:{}/{};user={};password={}'; maximumdisplaywidth 60000; {statements}",
            self.port,
            Self::DATABASE,
            Self::USER,
            Self::PASSWORD
        ))
    }

    fn ij_to(&self, script: &str) -> anyhow::Result<String> {
        let path = self.dir.path().join("script.sql");
        fs::write(&path, script)?;
        let mut ij = self.java()?;
        ij.args([
            "-Dderby.ui.codeset=UTF-8",
            "-Dij.showNoConnectionsAtStart=true",
            "org.apache.derby.tools.ij",
        ]);
        let done = ij.arg(&path).output()?;
        ensure!(done.status.success(), "ij failed: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Java with Derby in its class path, sparing: several servers run at once.
    fn java(&self) -> anyhow::Result<Command> {
        let java = programs::installed(&["/usr/bin/java"], "default-jre-headless")?;
        for jar in JARS {
            programs::installed(&[jar], "libderby-java, libderbyclient-java and derby-tools")?;
        }
        let mut command = Command::new(java);
        command.current_dir(self.dir.path());
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        command.arg("-Dfile.encoding=UTF-8").arg(property("derby.system.home", self.dir.path()));
        command.args(["-cp", &JARS.join(":")]);
        Ok(command)
    }
}

fn property(name: &str, value: &Path) -> String {
    format!("-D{name}={}", value.display())
}
