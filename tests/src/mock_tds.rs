//! `mssql-mock-tds`: a server's side of TDS by Microsoft, made to test clients with. It takes any user and
//! answers every statement with nothing, but its PRELOGIN, TLS and packets are not ours.

use std::{process::Command, time::Duration};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{loopback_tls, ports, process::Process, programs, wait};

/// A server on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct MockTds {
    dir: TempDir,
    port: u16,
    process: Process,
}

impl MockTds {
    /// Starts one with TLS `none`, `optional` (inside of TDS) or `strict` (TDS 8.0).
    ///
    /// # Errors
    /// It is not installed, or does not come up.
    pub async fn start(tls: &str) -> anyhow::Result<Self> {
        let program = programs::workspace().join(".tools/bin/mssql-mock-tds");
        anyhow::ensure!(program.exists(), "mssql-mock-tds is missing: run `scripts/install-tools.sh test`");
        let dir = tempfile::Builder::new().prefix("callseal-mock-tds-").tempdir()?;
        loopback_tls::certify(dir.path())?;
        let port = ports::claim()?;
        let mut command = Command::new(program);
        command.current_dir(dir.path()).args(["--port", &port.to_string(), "--tls-mode", tls]);
        if tls != "none" {
            command.args(["--cert", "server.pem", "--key", "server.key"]);
        }
        let process = Process::start("mock-tds", dir.path(), &mut command)?;
        wait::until("the mock to listen", Duration::from_secs(30), || async {
            process.output().contains("Press Ctrl+C").then_some(())
        })
        .await
        .with_context(|| process.output())?;
        Ok(Self { dir, port, process })
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The authority that the certificate for `127.0.0.1` and `localhost` is of, as PEM.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn ca(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("ca.pem"))?)
    }

    /// What it has said: connections, logins, statements.
    pub fn output(&self) -> String {
        self.process.output()
    }
}
