//! SIPp: a SIP client that is not ours, run by the scenario files in `tests/sipp`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{process::Process, programs, wait};

/// What SIP runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// One connection.
    Tcp,
}

/// Files that scenarios refer to.
const ATTACHED: [&str; 2] = ["metadata.xml", "transfer.xml"];

/// One call of SIPp, running.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    dir: PathBuf,
}

impl Sipp {
    /// Plays `tests/sipp/<scenario>.xml` once towards `srs`. It runs in `dir`, a folder of its own, in
    /// which `caller_audio` (A-law without a header) becomes what it plays as the first stream.
    /// `pbx_call` is what it says as the PBX's id of the call.
    ///
    /// # Errors
    /// SIPp is missing, or the folder cannot be written.
    pub fn start(
        scenario: &str,
        srs: SocketAddr,
        transport: Transport,
        dir: &Path,
        pbx_call: &str,
        caller_audio: &[u8],
    ) -> anyhow::Result<Self> {
        let program = programs::installed(&["/usr/bin/sipp"], "sip-tester")?;
        let scenarios = programs::workspace().join("tests/sipp");
        fs::create_dir_all(dir)?;
        fs::write(dir.join("caller.alaw"), caller_audio)?;
        for file in ATTACHED {
            fs::copy(scenarios.join(file), dir.join(file))?;
        }
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .arg("-sf")
            .arg(scenarios.join(format!("{scenario}.xml")))
            .arg(srs.to_string())
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", "1", "-nostdin"])
            .args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }])
            .args(["-key", "pbx_call", pbx_call])
            .args(["-timeout", "120s", "-timeout_error"])
            .args(["-trace_logs", "-log_file", "logged.txt", "-trace_err", "-error_file", "errors.txt"]);
        let process = Process::start("sipp", dir, &mut command)?;
        Ok(Self { process, dir: dir.to_owned() })
    }

    /// Waits until the scenario has logged `key=<value>` and gives the value.
    ///
    /// # Errors
    /// It does not within a minute; the text holds what SIPp complained about.
    pub async fn logged(&self, key: &str) -> anyhow::Result<String> {
        let prefix = format!("{key}=");
        let value = || {
            let text = fs::read_to_string(self.dir.join("logged.txt")).ok()?;
            // A line that is still being written has no end yet.
            let whole = &text[..text.rfind('\n')?];
            whole.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
        };
        wait::until(&format!("SIPp to log {key}"), Duration::from_secs(60), async || value())
            .await
            .with_context(|| self.complaints())
    }

    /// Waits until SIPp has ended, with exit code 0: all went as the scenario wants it.
    ///
    /// # Errors
    /// It did not; the text holds what SIPp complained about.
    pub async fn succeeded(&mut self) -> anyhow::Result<()> {
        let process = &mut self.process;
        let ended =
            wait::until("SIPp to end", Duration::from_secs(150), async || process.ended().ok().flatten());
        let status = ended.await?;
        ensure!(status.success(), "SIPp: {status}\n{}", self.complaints());
        Ok(())
    }

    fn complaints(&self) -> String {
        fs::read(self.dir.join("errors.txt"))
            .map_or_else(|_| self.process.output(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}
