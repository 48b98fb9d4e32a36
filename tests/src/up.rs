//! `callseal up` as a child process: everything in one, and NATS as its child.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{ports, process::Process, programs, wait};

/// What it printed when it was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// `sip=HOST:PORT`.
    pub sip: SocketAddr,
    /// `http=http://HOST:PORT`.
    pub http: String,
    /// `metrics=URL`.
    pub metrics: String,
    /// `nats=URL`.
    pub nats: String,
}

impl Ready {
    /// The line `ready sip=… http=… metrics=… nats=…`: these words, in this order, nothing else.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("ready ")?.split(' ');
        let mut word = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let ready = Self {
            sip: word("sip")?.parse().ok()?,
            http: word("http")?,
            metrics: word("metrics")?,
            nats: word("nats")?,
        };
        words.next().is_none().then_some(ready)
    }
}

/// A running `callseal up`. Dropping it kills it, and its NATS, unless it has ended by itself.
#[derive(Debug)]
pub struct Up {
    process: Option<Process>,
    data: PathBuf,
}

impl Up {
    /// Starts it over `<dir>/config` and `<dir>/data`, with SIP and HTTP on free ports of loopback; what
    /// it prints goes to `<dir>/logs/<name>.log`. It is not waited for.
    ///
    /// # Errors
    /// It is not built.
    pub fn start(dir: &Path, name: &str, further: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(dir, name, further, &[])
    }

    /// The same, with these variables in its environment: what has no flag of its own is set so.
    ///
    /// # Errors
    /// It is not built.
    pub fn start_with(
        dir: &Path,
        name: &str,
        further: &[&str],
        env: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let data = dir.join("data");
        let rtp = ports::claim_rtp(200)?;
        let mut command = Command::new(programs::own("callseal")?);
        command
            .args(["up", "--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--rtp-ports", &format!("{}-{}", rtp.start(), rtp.end())])
            .arg("--config")
            .arg(dir.join("config"))
            .arg("--data")
            .arg(&data)
            .args(further)
            .envs(env.iter().copied());
        Ok(Self { process: Some(Process::start(name, &dir.join("logs"), &mut command)?), data })
    }

    /// Waits until it says where it can be reached.
    ///
    /// # Errors
    /// It ends or says nothing within a minute; the text holds what it printed.
    pub async fn ready(&mut self) -> anyhow::Result<Ready> {
        let process = self.process.as_mut().context("it was stopped")?;
        let found = wait::until("callseal up to be ready", Duration::from_secs(60), || {
            let ready = process.output().lines().find_map(Ready::parse);
            let ended = matches!(process.ended(), Ok(Some(_)));
            async move { (ready.is_some() || ended).then_some(ready) }
        })
        .await;
        found.ok().flatten().with_context(|| format!("not ready:\n{}", self.output()))
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// The process id of its NATS, if one runs over its data folder.
    pub fn nats(&self) -> Option<i32> {
        let pid: i32 =
            fs::read_to_string(self.data.join("nats/nats-server.pid")).ok()?.trim().parse().ok()?;
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&command_line).contains(&*self.data.to_string_lossy()).then_some(pid)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.process.as_ref().context("it was stopped")?.signal(signal)
    }

    /// `kill -9`. Its NATS lives on.
    ///
    /// # Errors
    /// It was gone already.
    pub fn kill_hard(&mut self) -> anyhow::Result<()> {
        self.process.take().context("it was stopped")?.kill_hard()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It still runs after `deadline`; the text holds what it printed.
    pub async fn ended(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let process = self.process.as_mut().context("it was stopped")?;
        let ended = wait::until("callseal up to end", deadline, || {
            let ended = process.ended();
            async move { ended.ok().flatten() }
        })
        .await;
        ended.with_context(|| self.output())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take()
            && matches!(process.ended(), Ok(Some(_)))
        {
            // Whatever runs over the folder now is somebody else's.
            return;
        }
        if let Some(nats) = self.nats() {
            let _gone_already = kill(Pid::from_raw(nats), Signal::SIGKILL);
        }
    }
}
