//! `callseal witness` as a process of its own.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{process::Process, programs};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running witness; dropping it kills it.
#[derive(Debug)]
pub struct Witness {
    process: Process,
    /// `http://127.0.0.1:…`: its submission prefix.
    pub url: String,
}

impl Witness {
    /// The public key of the witness whose data lies in `data`; made with the name `name` when there is
    /// none.
    ///
    /// # Errors
    /// The program is not built or refuses.
    pub fn key(data: &Path, name: &str) -> anyhow::Result<String> {
        let shown = Command::new(programs::own("callseal")?)
            .args(["witness", "key", "--name", name, "--data"])
            .arg(data)
            .output()?;
        let (out, said) = (String::from_utf8(shown.stdout)?, String::from_utf8_lossy(&shown.stderr));
        if shown.status.success() { Ok(out.trim().to_owned()) } else { bail!("callseal witness key: {said}") }
    }

    /// Starts one that knows the logs with these public keys. Its output goes to `data/witness.log`.
    ///
    /// # Errors
    /// It does not say within a minute where it listens.
    pub fn start(data: &Path, name: &str, logs: &[String]) -> anyhow::Result<Self> {
        Self::start_at(0, data, name, logs)
    }

    /// The same on a port that is known: it is still there when the witness is started again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(port: u16, data: &Path, name: &str, logs: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(programs::own("callseal")?);
        command
            .args(["witness", "--listen", &format!("127.0.0.1:{port}"), "--name", name, "--data"])
            .arg(data);
        command.args(logs.iter().flat_map(|log| ["--log", log]));
        // Appended over restarts: what was said before is not where this one listens.
        let said_before = std::fs::read(data.join("witness.log")).map_or(0, |log| log.len());
        let process = Process::start("witness", data, &mut command)?;
        let begun = Instant::now();
        loop {
            let output = process.output();
            let said = output.get(said_before..).unwrap_or_default();
            let url = said.lines().find_map(|line| line.strip_prefix("listening on "));
            if let Some(url) = url {
                let url = url.to_owned();
                return Ok(Self { process, url });
            }
            if begun.elapsed() > START {
                return Err(anyhow::anyhow!(output)).context("the witness does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It was gone already.
    pub fn kill_hard(self) -> anyhow::Result<()> {
        self.process.kill_hard()
    }

    /// What it has said so far.
    pub fn output(&self) -> String {
        self.process.output()
    }
}
