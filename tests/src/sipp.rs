//! SIPp: a SIP client that is not ours, run by the scenario files in `tests/sipp`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{ports, process::Process, programs, wait};

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

/// Where a scenario of a consent call takes what the caller does.
const MEANWHILE: &str = "<!-- what the caller does -->";
const AFTER_BYE: &str = "<!-- what the caller does after the BYE -->";

/// What the caller of a consent call does, counted from its ACK.
#[derive(Debug, Clone)]
pub enum Deed {
    /// It listens until it is hung up on.
    Listen,
    /// It presses a key after a while: telephone events (RFC 4733).
    Event(char, Duration),
    /// It presses a key after a while: tones in its audio, A-law without a header.
    Tone {
        /// The tones.
        audio: Vec<u8>,
        /// When.
        after: Duration,
    },
    /// It presses a key when it is hung up on, before it answers that.
    TooLate(char),
    /// It hangs up after a while.
    HangUp(Duration),
}

impl Deed {
    fn sends_events(&self) -> bool {
        matches!(self, Self::Event(..) | Self::TooLate(_))
    }

    /// Commands of a scenario: before the BYE and after it.
    fn steps(&self) -> (String, String) {
        let pause = |after: &Duration| format!("<pause milliseconds=\"{}\"/>", after.as_millis());
        let run = |command: String| format!("<nop><action><exec {command}/></action></nop>");
        let event = |key: &char| run(format!("play_dtmf=\"{key}\""));
        match self {
            Self::Listen => (String::new(), String::new()),
            Self::Event(key, after) => (pause(after) + &event(key), String::new()),
            Self::Tone { after, .. } => {
                let play = run("rtp_stream=\"caller.alaw,1,8,PCMA/8000\"".to_owned());
                (pause(after) + &play, String::new())
            }
            // Longer than the key is held.
            Self::TooLate(key) => (String::new(), event(key) + &pause(&Duration::from_millis(400))),
            Self::HangUp(after) => (pause(after), String::new()),
        }
    }
}

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
        let scenarios = programs::workspace().join("tests/sipp");
        fs::create_dir_all(dir)?;
        for file in ATTACHED {
            fs::copy(scenarios.join(file), dir.join(file))?;
        }
        let scenario = scenarios.join(format!("{scenario}.xml"));
        Self::play(&scenario, srs, transport, dir, caller_audio, &[("pbx_call", pbx_call)])
    }

    /// Calls `consent.<rule>` at `srs` about the PBX's call `pbx_call`, as `tests/sipp/consent_call.xml`
    /// describes it. What the last BYE said can be asked for by [`logged`](Self::logged) `consent`.
    ///
    /// # Errors
    /// SIPp is missing, or the folder cannot be written.
    pub fn consent_call(
        srs: SocketAddr,
        transport: Transport,
        dir: &Path,
        rule: &str,
        pbx_call: &str,
        deed: &Deed,
    ) -> anyhow::Result<Self> {
        let scenarios = programs::workspace().join("tests/sipp");
        fs::create_dir_all(dir)?;
        let mut text = fs::read_to_string(scenarios.join("consent_call.xml"))?;
        // SIPp sends events from its port for files of packets, as type 96; audio from another one.
        let (port, event) =
            if deed.sends_events() { ("[media_port]", "96") } else { ("[rtpstream_audio_port]", "101") };
        text = text.replace("MEDIA_PORT", port).replace("EVENT", event);
        let (meanwhile, after_bye) = deed.steps();
        if matches!(deed, Deed::HangUp(_)) {
            let hang_up = fs::read_to_string(scenarios.join("hang_up.xml"))?;
            let ending = hang_up.split_once("<scenario name=\"hang up\">").context("no scenario")?.1;
            let listening = text.split_once(MEANWHILE).context("no place for the steps")?.0;
            text = format!("{listening}{meanwhile}{ending}");
        }
        text = text.replace(MEANWHILE, &meanwhile).replace(AFTER_BYE, &after_bye);
        let scenario = dir.join("scenario.xml");
        fs::write(&scenario, text)?;
        let audio = if let Deed::Tone { audio, .. } = deed { audio.as_slice() } else { &[] };
        Self::play(&scenario, srs, transport, dir, audio, &[("pbx_call", pbx_call), ("rule", rule)])
    }

    fn play(
        scenario: &Path,
        srs: SocketAddr,
        transport: Transport,
        dir: &Path,
        caller_audio: &[u8],
        keywords: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let program = programs::installed(&["/usr/bin/sipp"], "sip-tester")?;
        fs::write(dir.join("caller.alaw"), caller_audio)?;
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            // Several that start together would look for a free port at the same place.
            .args(["-p", &ports::claim()?.to_string()])
            .arg("-sf")
            .arg(scenario)
            .arg(srs.to_string())
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", "1", "-nostdin"])
            .args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }])
            .args(["-timeout", "120s", "-timeout_error"])
            .args(["-trace_logs", "-log_file", "logged.txt", "-trace_err", "-error_file", "errors.txt"]);
        for (keyword, value) in keywords {
            command.args(["-key", keyword, value]);
        }
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
