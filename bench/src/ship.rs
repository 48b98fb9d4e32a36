//! Recordings to three targets at once while operations fail: how long, how much memory, and whether each
//! is there, whole and once.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions, server::NatsServer};
use domain::RecordingId;
use harness::{process::Process, programs, sshd::Sshd};
use ring::digest::{SHA256, digest};
use tokio::time::Instant;
use wire::recording_v1::{RecordingSealed, SealedFile};

/// Most memory that the shipper may need, KiB.
const MOST_KIB: u64 = 200 * 1024;
/// Recordings in staging at a time: it need not hold all of them.
const IN_STAGING: usize = 300;
/// NATS sets the size of the streams aside.
const CALLS_MAX_BYTES: i64 = 64 << 20;

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    recordings: usize,
    kilobytes: usize,
    took: Duration,
    peak_kib: u64,
    wrong: Vec<String>,
}

impl Outcome {
    /// Each recording is everywhere, as it was sealed, and memory stayed within its limit.
    pub fn is_well(&self) -> bool {
        self.wrong.is_empty() && self.peak_kib < MOST_KIB
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recordings, kilobytes, took, peak_kib, wrong } = self;
        let rate = (recordings * kilobytes * 3) as f64 / 1e3 / took.as_secs_f64();
        writeln!(
            f,
            "{recordings} recordings of {kilobytes} KB to 3 targets: {:.1} s, {rate:.1} MB/s, {:.1} a second",
            took.as_secs_f64(),
            *recordings as f64 / took.as_secs_f64()
        )?;
        writeln!(f, "memory at most {} KiB (limit {MOST_KIB})", peak_kib)?;
        for wrong in wrong {
            writeln!(f, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}

struct Place<'a> {
    dir: &'a Path,
    content: Vec<u8>,
}

impl Place<'_> {
    fn staging(&self) -> PathBuf {
        self.dir.join("staging")
    }

    fn staged(&self) -> usize {
        fs::read_dir(self.staging().join("sealed/acme")).map_or(0, Iterator::count)
    }

    fn seal(&self) -> anyhow::Result<RecordingSealed> {
        let id = RecordingId::new();
        let staging_prefix = format!("sealed/acme/{id}");
        let folder = self.staging().join(&staging_prefix);
        fs::create_dir_all(&folder)?;
        // Another content for each: the number of the recording stands in it.
        let mut audio = self.content.clone();
        audio[..36].copy_from_slice(id.to_string().as_bytes());
        let mut files = Vec::new();
        for (ending, content) in [(".wav", audio.as_slice()), ("_hash.txt", id.to_string().as_bytes())] {
            fs::write(folder.join(format!("{id}{ending}")), content)?;
            let sha256 = digest(&SHA256, content).as_ref().to_vec();
            files.push(SealedFile { name: format!("{id}{ending}"), size: content.len() as u64, sha256 });
        }
        Ok(RecordingSealed {
            recording_id: id.to_string(),
            tenant: "acme".into(),
            class: "regulated".into(),
            base_name: id.to_string(),
            files,
            staging_prefix,
            targets: ["first", "second", "remote"].map(str::to_owned).to_vec(),
            started_unix_ms: 1_782_943_200_000,
            time_zone: "Europe/Berlin".into(),
            ..Default::default()
        })
    }
}

/// Brings `recordings` of `kilobytes` each to two folders and an SFTP server, while the share `faults` of
/// operations fails.
///
/// # Errors
/// A server or the shipper cannot be started, or the recordings do not arrive.
pub async fn run(dir: &Path, recordings: usize, kilobytes: usize, faults: f64) -> anyhow::Result<Outcome> {
    let sshd = Sshd::start(&dir.join("sshd")).await?;
    let nats_program = bus::server::find_program().context("nats-server")?;
    let nats = NatsServer::start(&nats_program, &dir.join("nats"), None)?;
    let options = BusOptions { calls_max_bytes: CALLS_MAX_BYTES, ..BusOptions::new(nats.url(), "bench") };
    let bus = Bus::connect(options).await?;
    harness::streams::ensure(&bus).await?;
    let place = Place { dir, content: vec![b'c'; (kilobytes * 1000).max(36)] };
    fs::create_dir_all(place.staging().join("sealed/acme"))?;
    configure(dir, &sshd)?;
    let shipper = start(dir, nats.url(), faults)?;

    let begun = Instant::now();
    let mut sealed = Vec::new();
    while sealed.len() < recordings {
        if place.staged() >= IN_STAGING {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let recording = place.seal()?;
        bus.publish_sealed(&recording).await?;
        sealed.push(recording);
    }
    let mut progress = (place.staged(), Instant::now());
    while place.staged() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if place.staged() != progress.0 {
            progress = (place.staged(), Instant::now());
        }
        ensure!(progress.1.elapsed() < Duration::from_secs(120), "nothing gets on:\n{}", shipper.output());
    }
    let took = begun.elapsed();
    let peak_kib = most_resident_kib(&shipper)?;
    let roots = [dir.join("data/first"), dir.join("data/second"), sshd.home().join("remote")];
    let wrong = roots.iter().flat_map(|root| wrong_in(root, &sealed)).collect();
    Ok(Outcome { recordings, kilobytes, took, peak_kib, wrong })
}

/// Each file is there as it was sealed, and no recording's file more.
fn wrong_in(root: &Path, sealed: &[RecordingSealed]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in sealed.iter().flat_map(|sealed| &sealed.files) {
        let found = fs::read(root.join(&file.name)).unwrap_or_default();
        if digest(&SHA256, &found).as_ref() != file.sha256 {
            wrong.push(format!("{} is missing or damaged in {}", file.name, root.display()));
        }
    }
    let expected: usize = sealed.iter().map(|sealed| sealed.files.len()).sum();
    let found = fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.ends_with(".wav") || name.ends_with("_hash.txt") || name.ends_with(".part")
    });
    let found = found.count();
    if found != expected {
        wrong.push(format!("{found} files instead of {expected} in {}", root.display()));
    }
    wrong
}

fn configure(dir: &Path, sshd: &Sshd) -> anyhow::Result<()> {
    let key: String = sshd.client_key()?.lines().map(|line| format!("    {line}\n")).collect();
    let head = "---\napiVersion: callseal.io/v1alpha1\nkind:";
    let folder = |name: &str| {
        format!(
            "{head} StorageTarget\nmetadata: {{name: {name}, namespace: acme}}\nspec: {{folder: {{path: {name}}}}}\n"
        )
    };
    let text = format!(
        "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec: {{country: DE, timeZone: Europe/Berlin}}\n\
         {}{}{head} Secret\nmetadata: {{name: login, namespace: acme}}\nstringData:\n  key: |\n{key}\
         {head} StorageTarget\nmetadata: {{name: remote, namespace: acme}}\nspec: {{sftp: {{host: 127.0.0.1, port: {}, user: {}, \
         path: remote, hostKeys: [\"{}\"], privateKey: {{secretRef: {{name: login, key: key}}}}}}}}\n",
        folder("first"),
        folder("second"),
        sshd.port(),
        sshd.user()?,
        sshd.host_key("ed25519")?,
    );
    fs::create_dir_all(dir.join("config"))?;
    fs::write(dir.join("config/resources.yaml"), text)?;
    Ok(())
}

fn start(dir: &Path, nats: &str, faults: f64) -> anyhow::Result<Process> {
    let mut command = Command::new(programs::own("callseal-shipper")?);
    command.arg(format!("--calls-max-bytes={CALLS_MAX_BYTES}")).args([
        "--http",
        "127.0.0.1:0",
        "--nats",
        nats,
    ]);
    command.args(["--retry-after", "0.02", "--retry-at-least-every", "1", "--concurrency", "4"]);
    command.arg(format!("--inject-faults={faults}"));
    for (flag, folder) in [("--config", "config"), ("--staging", "staging"), ("--data", "data")] {
        command.arg(flag).arg(dir.join(folder));
    }
    command.arg("--state").arg(format!("sqlite:{}", dir.join("shipper.sqlite").display()));
    Process::start("shipper", dir, &mut command)
}

fn most_resident_kib(process: &Process) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.split_whitespace().next().context("VmHWM")?.parse()?)
}
