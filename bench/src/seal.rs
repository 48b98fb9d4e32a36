//! Recordings sealed a second in one lane against what one session of the token signs, and the CPU that
//! a sealing costs besides RSA and the hash of the audio.
//!
//! The signer runs as it is, over real NATS, a real disk and SoftHSM; nothing of it is left out. The
//! recordings lie ready when the key comes.
//!
//! It runs twice: once with all its work, for the speed; once without checkpoints, and so without
//! announcements, for the CPU of sealing alone. Counted is the CPU of the whole process, system calls
//! included, from the first sealed recording to the last: also the telling of each sealing on the bus,
//! taking that out of the stream of events again for the log, leases, and looking how far it is. Not
//! counted: making the calls and assembling them (that is over by then), and NATS (another process). RSA
//! is what the signing thread uses within the key, PKCS#11 and verification included, in the same run.

mod calls;
mod share;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bus::{Bus, BusOptions, server::NatsServer};
use callseal_signer::{Options, key::KeySource, state::State};
use evidence::Sha256Hash;
use keys::{KeyError, KeyName, KeySet, SigningKey};
use runtime::Service;
use tokio_util::sync::CancellationToken;

use self::share::Shares;
use crate::sign;

const TENANT: &str = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                      spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";
/// Of what one session signs, as many recordings have to be sealed.
const GOAL: f64 = 0.8;
/// CPU of one sealing besides RSA and the hash of the audio.
const CPU_GOAL: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(180);
/// Seconds between checkpoints, as it is unless told otherwise.
const CHECKPOINTS: f64 = 2.0;
/// Without a checkpoint nothing is announced: what is left is the sealing.
const NEVER: f64 = 86_400.0;

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Recordings.
    pub recordings: u64,
    /// Signatures a second of one session that does nothing else, each one verified.
    pub signed: f64,
    /// Recordings sealed a second, with all the signer's work.
    pub sealed: f64,
    /// The same of the second run: what one session signs before and after it, and what is sealed without
    /// checkpoints and announcements.
    pub signed_and_sealed_alone: (f64, f64),
    /// Of the time in which they were sealed, the part in which the key signed.
    pub key_busy: f64,
    /// Recordings that were announced while the others were sealed.
    pub announced: u64,
    /// CPU for each recording, from queue to commit: audio put together, bytes fixed, signed, committed
    /// with the log's entry.
    pub alone: Shares,
    /// The same with checkpoints signed, files put into staging and the recording announced.
    pub full: Shares,
    /// Of that, the hash of the audio.
    pub cpu_hash: Duration,
}

impl Outcome {
    /// CPU of a sealing besides RSA and the hash of the audio.
    pub fn cpu_besides(&self) -> Duration {
        self.alone.process.saturating_sub(self.alone.key).saturating_sub(self.cpu_hash)
    }

    /// Whether both goals are reached.
    pub fn is_fast_enough(&self) -> bool {
        self.sealed >= GOAL * self.signed && self.cpu_besides() < CPU_GOAL
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recordings, signed, sealed, key_busy, announced, alone, full, cpu_hash, .. } = self;
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        writeln!(f, "{recordings} recordings in one lane, RSA-3072 in SoftHSM")?;
        writeln!(f, "  signatures a second, one session      {signed:8.0}")?;
        writeln!(f, "  recordings sealed a second            {sealed:8.0}")?;
        let (ratio, goal) = (100.0 * sealed / signed, 100.0 * GOAL);
        writeln!(f, "  of what one session signs             {ratio:8.1} % (goal {goal:.0} %)")?;
        writeln!(f, "  of the time, the key was busy         {:8.1} %", 100.0 * key_busy)?;
        writeln!(f, "  announced meanwhile                   {announced:8}")?;
        let (signed, sealed) = self.signed_and_sealed_alone;
        writeln!(f, "  the same when nothing is announced    {sealed:8.0}")?;
        writeln!(f, "  of what one session signs             {:8.1} %", 100.0 * sealed / signed)?;
        writeln!(f, "  CPU of one until it is sealed         {:8.3} ms", ms(&alone.process))?;
        writeln!(f, "    RSA                                 {:8.3}", ms(&alone.key))?;
        writeln!(f, "    hash of the audio                   {:8.3}", ms(cpu_hash))?;
        let goal = ms(&CPU_GOAL);
        writeln!(
            f,
            "    besides                             {:8.3} (goal {goal:.1})",
            ms(&self.cpu_besides())
        )?;
        for (name, time) in alone.besides_the_key() {
            writeln!(f, "      {name:<35} {:6.3}", ms(&time))?;
        }
        write!(f, "  CPU of one until it is announced      {:8.3} ms", ms(&full.process))?;
        for (name, time) in full.besides_the_key() {
            write!(f, "\n      {name:<35} {:6.3}", ms(&time))?;
        }
        Ok(())
    }
}

/// A key that is away until it is let in.
struct Gate {
    keys: KeySet,
    is_open: AtomicBool,
}

impl KeySource for Gate {
    fn open(&self, key: &KeyName) -> Result<KeySet, KeyError> {
        if self.is_open.load(Ordering::SeqCst) {
            Ok(self.keys.clone())
        } else {
            Err(KeyError::TokenMissing(key.to_string()))
        }
    }
}

/// Measures twice with `recordings` calls of a second each: how fast a signer seals that does all its
/// work, and what the sealing alone costs.
///
/// # Errors
/// A server or SoftHSM is missing, or something is not sealed in time.
pub async fn run(dir: &Path, recordings: u64) -> anyhow::Result<Outcome> {
    let (_, keys) = tokio::task::block_in_place(|| sign::new_keys(1))?;
    let one_session = || tokio::task::block_in_place(|| one_session(&*keys.signing));
    let before = one_session()?;
    let full = seal(&dir.join("full"), &keys, recordings, CHECKPOINTS).await?;
    let between = one_session()?;
    let alone = seal(&dir.join("alone"), &keys, recordings, NEVER).await?;
    let after = one_session()?;
    Ok(Outcome {
        recordings,
        // What else the machine does changes while this runs.
        signed: f64::midpoint(before, between),
        sealed: full.a_second,
        signed_and_sealed_alone: (f64::midpoint(between, after), alone.a_second),
        key_busy: full.key_busy,
        announced: full.announced,
        alone: alone.cpu,
        full: full.cpu,
        cpu_hash: hash_of_the_audio(),
    })
}

struct Sealed {
    a_second: f64,
    announced: u64,
    key_busy: f64,
    cpu: Shares,
}

/// Lets the calls wait for the key, brings it, and measures until all are sealed.
async fn seal(dir: &Path, keys: &KeySet, recordings: u64, checkpoint_every_s: f64) -> anyhow::Result<Sealed> {
    let gate = Arc::new(Gate { keys: keys.clone(), is_open: AtomicBool::new(false) });
    let folder = |name: &str| -> anyhow::Result<_> {
        let folder = dir.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    std::fs::write(folder("config")?.join("tenant.yaml"), TENANT)?;
    let nats = NatsServer::start(&bus::server::find_program()?, &folder("nats")?, None)?;
    let mut options = BusOptions::new(nats.url(), "bench");
    options.calls_max_bytes = 256 << 20;
    let bus = Bus::connect(options).await?;
    harness::streams::ensure(&bus).await?;
    let url = format!("sqlite:{}", dir.join("signer.sqlite").display());
    let service = Service::new("signer");
    let options =
        Options { checkpoint_every_s, ..Options::new(folder("config")?, url.clone(), folder("staging")?) };
    let running =
        tokio::spawn(callseal_signer::run_with_keys(options, bus.clone(), service.clone(), gate.clone()));
    let stop = CancellationToken::new();
    calls::publish(&bus, dir, recordings, &stop).await?;
    let state = State::open(&url).await?;
    let wanted = i64::try_from(recordings)?;
    harness::wait::until("the recordings to wait", PATIENCE, || async {
        (state.waiting_count().await.ok()? == wanted).then_some(())
    })
    .await?;
    stop.cancel();

    gate.is_open.store(true, Ordering::SeqCst);
    // From the first one on: until then the key is waited for. With all the work, from the first
    // checkpoint on: until then nothing is announced.
    let sealed = || metric(&service, "callseal_signer_sealed_total");
    let mut first = wait_for(&sealed, 1).await?;
    let is_full = checkpoint_every_s < NEVER;
    if is_full {
        wait_for(&|| metric(&service, "callseal_signer_log_checkpoints_total"), 1).await?;
        first = sealed();
    }
    anyhow::ensure!(first < recordings / 2, "too few recordings: {first} were sealed before it could begin");
    let (begun, before) = (Instant::now(), Shares::until_now(service.registry())?);
    let key_before = signing_seconds(&service);
    let last = wait_for(&sealed, recordings).await?;
    let (took, after) = (begun.elapsed(), Shares::until_now(service.registry())?);
    let key_busy = (signing_seconds(&service) - key_before) / took.as_secs_f64();
    let count = (last - first) as f64;
    // Segments are kept until their recording is announced.
    let segments = dir.join("staging/segments");
    let unannounced = || std::fs::read_dir(&segments).map(|found| found.count() as u64);
    let announced = recordings.saturating_sub(unannounced()?);
    let after = if is_full {
        harness::wait::until("the recordings to be announced", PATIENCE, || async {
            unannounced().is_ok_and(|left| left == 0).then_some(())
        })
        .await?;
        Shares::until_now(service.registry())?
    } else {
        after
    };
    service.shutdown().cancel();
    running.await??;
    Ok(Sealed { a_second: count / took.as_secs_f64(), key_busy, announced, cpu: after.since(&before, count) })
}

/// Seconds in which the key signed, until now.
fn signing_seconds(service: &Service) -> f64 {
    let families = service.registry().gather();
    let family = families.iter().find(|family| family.name() == "callseal_signer_sign_seconds");
    family.map_or(0.0, |family| family.get_metric()[0].get_histogram().get_sample_sum())
}

async fn wait_for(sealed: &impl Fn() -> u64, count: u64) -> anyhow::Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = sealed();
        if now >= count {
            return Ok(now);
        }
        anyhow::ensure!(Instant::now() < deadline, "{now} of {count} recordings are sealed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn metric(service: &Service, name: &str) -> u64 {
    let families = service.registry().gather();
    let family = families.iter().find(|family| family.name() == name);
    family.map_or(0, |family| family.get_metric()[0].get_counter().get_value() as u64)
}

/// Signatures a second.
fn one_session(key: &dyn SigningKey) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_secs(4) {
        key.sign(&sign::HASH_LIST)?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn hash_of_the_audio() -> Duration {
    const ROUNDS: u32 = 1_000;
    let audio = vec![0x55; calls::AUDIO_BYTES];
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        // Twice: segments are compared with their hashes when they are read.
        std::hint::black_box((Sha256Hash::of(&audio), Sha256Hash::of(&audio)));
    }
    begun.elapsed() / ROUNDS
}
