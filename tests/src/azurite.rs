//! Azure Blob that is not Azure's: azurite.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::net::TcpStream;

use crate::{ports, process::Process, programs, wait};

/// The one storage account.
pub const ACCOUNT: &str = "acmearchive";

/// Azure's blob service on loopback, with one account; it checks signatures.
#[derive(Debug)]
pub struct Azurite {
    port: u16,
    _process: Process,
}

impl Azurite {
    /// Starts the server on a free port, its blobs in `dir`.
    ///
    /// # Errors
    /// azurite is missing or does not come up.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let program = programs::workspace().join(".tools/azurite/node_modules/azurite/dist/src/blob/main.js");
        ensure!(program.is_file(), "azurite is missing: scripts/install-tools.sh test installs it");
        let port = ports::claim()?;
        let mut command = Command::new("node");
        command.env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", Self::key())).arg(program);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--location"]);
        command.arg(dir.join("blobs")).args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
        let process = Process::start("azurite", dir, &mut command)?;
        let connected = wait::until("azurite", Duration::from_secs(60), async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        });
        connected.await.with_context(|| process.output())?;
        Ok(Self { port, _process: process })
    }

    /// The key of the account, base64.
    pub fn key() -> String {
        BASE64_STANDARD.encode([7; 64])
    }

    /// Where it listens, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes a container.
    ///
    /// # Errors
    /// azurite refuses.
    pub fn make_container(&self, name: &str) -> anyhow::Result<()> {
        let script = programs::workspace().join("tests/azurite/container.py");
        let mut command = Command::new("python3");
        command.arg(script).args([&self.port.to_string(), ACCOUNT, &Self::key(), name]);
        let made = command.output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }
}
