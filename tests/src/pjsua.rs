//! A telephone that is not ours: PJSIP, driven by `tests/pjsua/caller.py`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{process::Process, programs, sipp::Transport, wait};

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBy {
    /// Telephone events in RTP (RFC 4733).
    Event,
    /// Tones in the audio.
    Tone,
    /// An INFO request.
    Info,
}

/// What the caller does once media flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It listens until it is hung up on.
    Listen,
    /// It presses a key after a while.
    Press(char, KeyBy, Duration),
    /// It hangs up after a while.
    HangUp(Duration),
}

/// A call of PJSIP, running.
#[derive(Debug)]
pub struct Pjsua {
    process: Process,
    heard: PathBuf,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it printed: a line of JSON.
    pub said: String,
    /// What it heard, 16-bit samples at 8 kHz; nothing where no media flowed.
    pub heard: Vec<i16>,
}

impl Pjsua {
    /// Calls `user` at `sip` with these further headers (`Name: value`), in a folder of its own.
    ///
    /// # Errors
    /// Python is missing, or the folder cannot be made.
    pub fn call(
        sip: SocketAddr,
        user: &str,
        transport: Transport,
        dir: &Path,
        headers: &[String],
        deed: Deed,
    ) -> anyhow::Result<Self> {
        let modules = programs::workspace().join(".tools/python");
        ensure!(modules.join("pjsua2").is_dir(), "pjsua2 is missing: make test installs it");
        fs::create_dir_all(dir)?;
        let heard = dir.join("heard.wav");
        let parameter = if transport == Transport::Tcp { ";transport=tcp" } else { "" };
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", modules)
            .arg(programs::workspace().join("tests/pjsua/caller.py"))
            .args(["--to", &format!("sip:{user}@{sip}{parameter}")])
            .arg("--heard")
            .arg(&heard);
        for header in headers {
            command.args(["--header", header]);
        }
        match deed {
            Deed::Listen => {}
            Deed::Press(key, by, after) => {
                let by = match by {
                    KeyBy::Event => "event",
                    KeyBy::Tone => "tone",
                    KeyBy::Info => "info",
                };
                let after = after.as_secs_f64().to_string();
                command.args(["--key", &key.to_string(), "--by", by, "--key-after", &after]);
            }
            Deed::HangUp(after) => {
                command.args(["--hang-up-after", &after.as_secs_f64().to_string()]);
            }
        }
        Ok(Self { process: Process::start("pjsua", dir, &mut command)?, heard })
    }

    /// Waits until the call is over.
    ///
    /// # Errors
    /// It is not within two minutes, or PJSIP failed; the text holds what it printed.
    pub async fn over(mut self) -> anyhow::Result<Outcome> {
        let process = &mut self.process;
        let ended =
            wait::until("PJSIP to end", Duration::from_secs(120), async || process.ended().ok().flatten())
                .await;
        let status = ended.with_context(|| self.process.output())?;
        ensure!(status.success(), "PJSIP: {status}\n{}", self.process.output());
        let output = self.process.output();
        let said = output.lines().rfind(|line| line.starts_with('{')).context("PJSIP said nothing")?;
        Ok(Outcome { said: said.to_owned(), heard: samples(&self.heard)? })
    }
}

/// The samples of a WAV file of 16-bit PCM, mono, with one chunk of data at its end.
fn samples(path: &Path) -> anyhow::Result<Vec<i16>> {
    // Without media there is no file.
    let Ok(bytes) = fs::read(path) else { return Ok(Vec::new()) };
    let at = bytes.windows(4).position(|window| window == b"data").context("no WAV file")? + 8;
    let pairs = bytes.get(at..).unwrap_or_default().chunks_exact(2);
    Ok(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}
