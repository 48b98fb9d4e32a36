//! A `callseal up` for one tenant, `acme`, with one archive and one journal, and calls into it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use callseal::load::{CallReport, Client, SipTransport};
use harness::{
    command::{self, Said},
    installation::http_get,
    log_by_hand::{LogByHand, value},
    programs,
    recordings::{self, Recording},
    resources,
    up::{Ready, Up},
    wait,
};
use nix::sys::signal::Signal;

use crate::{PATIENCE, calls};

/// An installation over one folder; everything of it is gone when it is dropped.
pub struct Scene {
    dir: tempfile::TempDir,
    running: Option<Running>,
    starts: u32,
    /// The calls that have to be recorded, in their order.
    reports: Vec<CallReport>,
}

struct Running {
    up: Up,
    ready: Ready,
    client: Client,
}

impl Scene {
    /// Starts one that records everything.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(resources::record_everything).await
    }

    /// Starts one with resources of its own, for the folder that they lie in.
    pub async fn start_with(resources: impl FnOnce(&Path) -> String) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut scene = Self { dir, running: None, starts: 0, reports: Vec::new() };
        fs::create_dir(scene.path("config"))?;
        scene.configure(&resources(scene.folder()))?;
        scene.start_again().await?;
        Ok(scene)
    }

    /// Starts it over what an earlier run left.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.starts += 1;
        let mut up = Up::start(self.folder(), &format!("up-{}", self.starts), &[])?;
        let ready = up.ready().await?;
        let client = calls::client_of(ready.sip, SipTransport::Tcp).await?;
        self.running = Some(Running { up, ready, client });
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut running = self.running.take().context("it does not run")?;
        running.up.signal(Signal::SIGTERM)?;
        let ended = running.up.ended(PATIENCE).await?;
        ensure!(ended.success(), "{}", running.up.output());
        Ok(())
    }

    /// Puts other resources in the place of those that are there, in one step as editors do.
    pub fn configure(&self, resources: &str) -> anyhow::Result<()> {
        fs::write(self.path("config/resources.new"), resources)?;
        Ok(fs::rename(self.path("config/resources.new"), self.path("config/resources.yaml"))?)
    }

    /// The folder of the whole.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A path below it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder().join(relative)
    }

    /// The archive's folder.
    pub fn archive(&self) -> PathBuf {
        self.path("archive")
    }

    /// The certificate of the first key, as `up` hands it out.
    pub fn certificate(&self) -> PathBuf {
        self.path("data/callseal.pem")
    }

    /// The log in the archive.
    pub fn log(&self) -> LogByHand {
        LogByHand::at(&self.archive(), "acme")
    }

    /// The log as the signer publishes it.
    pub fn published(&self) -> LogByHand {
        LogByHand::at(&self.path("data/staging"), "acme")
    }

    /// An address of what `up` serves, such as `/log/acme/checkpoint`.
    pub fn url(&self, path: &str) -> anyhow::Result<String> {
        Ok(format!("{}{path}", self.running()?.ready.http))
    }

    /// Where calls are placed from.
    pub fn client(&self) -> anyhow::Result<&Client> {
        Ok(&self.running()?.client)
    }

    /// What `up` has said since it was started the last time.
    pub fn output(&self) -> String {
        self.running().map(|running| running.up.output()).unwrap_or_default()
    }

    /// Places a call that has to be recorded to the byte, and returns when it has ended.
    pub async fn call(&mut self) -> anyhow::Result<()> {
        let report = calls::quiet(self.client()?, Duration::from_secs(1)).await?;
        self.reports.push(report);
        Ok(())
    }

    /// Waits until every call lies in the archive with its proof, and the log there covers all of them.
    pub async fn settled(&self) -> anyhow::Result<Vec<Recording>> {
        let count = self.reports.len();
        let what = format!("{count} recordings, covered by the log");
        let found = wait::until(&what, PATIENCE, || async {
            let found = recordings::find(&self.archive()).ok()?;
            let size = self.log().size().ok()?;
            let covered = found.iter().all(|one| index(one).is_some_and(|index| index < size));
            (found.len() >= count && covered).then_some(found)
        });
        let found = found.await.with_context(|| self.output())?;
        ensure!(found.len() == count, "{} recordings of {count} calls", found.len());
        calls::each_is_complete(&found, &self.reports)?;
        Ok(found)
    }

    /// `callseal verify` of the archive by the certificates that lie in it, with further arguments.
    pub fn verify(&self, further: &[&str]) -> anyhow::Result<Said> {
        let mut verify = Command::new(programs::own("callseal")?);
        command::run(verify.arg("verify").arg(self.archive()).args(further))
    }

    /// `callseal` with `--data` of this installation behind the arguments.
    pub fn callseal(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut callseal = Command::new(programs::own("callseal")?);
        command::run(callseal.args(arguments).arg("--data").arg(self.path("data")))
    }

    /// What `/readyz` says.
    pub async fn readyz(&self) -> anyhow::Result<(u16, String)> {
        http_get(self.http()?.port(), "/readyz").await
    }

    /// Waits until `/readyz` has this status and says all of these words.
    pub async fn wait_for_readyz(&self, status: u16, words: &[&str]) -> anyhow::Result<String> {
        let what = format!("{status} and {words:?} at /readyz");
        let said = wait::until(&what, PATIENCE, || async {
            let (now, said) = self.readyz().await.ok()?;
            (now == status && words.iter().all(|word| said.contains(word))).then_some(said)
        });
        said.await.with_context(|| self.output())
    }

    /// Waits until `up` has said this since it was started the last time.
    pub async fn wait_until_says(&self, words: &str) -> anyhow::Result<()> {
        let said = wait::until(words, PATIENCE, || async { self.output().contains(words).then_some(()) });
        said.await.with_context(|| self.output())
    }

    /// Waits until a metric has this value.
    pub async fn wait_for_metric(&self, metric: &str, value: u32) -> anyhow::Result<()> {
        let (port, line) = (self.http()?.port(), format!("{metric} {value}"));
        let seen = wait::until(&line, PATIENCE, || async {
            let (_, page) = http_get(port, "/metrics").await.ok()?;
            page.lines().any(|known| known == line).then_some(())
        });
        seen.await.with_context(|| self.output())
    }

    fn http(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.running()?.ready.http.trim_start_matches("http://").parse()?)
    }

    fn running(&self) -> anyhow::Result<&Running> {
        self.running.as_ref().context("it does not run")
    }
}

/// The number of a recording's entry, as its proof says.
fn index(recording: &Recording) -> Option<u64> {
    let proof = fs::read_to_string(recording.file("_log-proof.txt")).ok()?;
    proof.lines().find_map(|line| line.strip_prefix("index ")?.parse().ok())
}

/// The tenant of [`resources::record_everything`], with this in `spec.evidence`.
pub fn with_evidence(resources: &str, evidence: &str) -> String {
    resources.replace("whenUndecided: record}", &format!("whenUndecided: record, evidence: {evidence}}}"))
}

/// The entries of a kind, `sealed` for example.
pub fn of_kind<'a>(entries: &'a [String], kind: &str) -> Vec<&'a str> {
    let is_one = |entry: &&String| value(entry, "Kind") == Some(kind);
    entries.iter().filter(is_one).map(String::as_str).collect()
}

/// A copy of a folder, with everything in it.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = command::run(Command::new("cp").arg("-R").arg(from).arg(to))?;
    copied.good().map(drop)
}
