//! Recordings sealed a second in one lane against what one session of the token signs, and the CPU that
//! a sealing costs besides RSA and the hash of the audio.
//!
//! The signer runs as it is, over real NATS, a real disk and SoftHSM; nothing of it is left out. The
//! recordings lie ready when the key comes.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bus::{Bus, BusOptions, CallPublisher, CallPublisherOptions, server::NatsServer};
use callseal_signer::{Options, key::KeySource, state::State};
use domain::RecordingId;
use evidence::Sha256Hash;
use keys::{KeyError, KeyName, KeySet, SigningKey};
use runtime::Service;
use tokio_util::sync::CancellationToken;
use wire::call_v1::{
    AudioChunk, CallEnded, CallFacts, CallStarted, Decision, EndReason, Packet, Payload, Recorded, Side,
    Stream, call_message::Body,
};

use crate::{cpu, sign};

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
/// Audio of one call, bytes: two channels of one second.
const AUDIO_BYTES: usize = 16_000;
const BEGIN_US: i64 = 1_795_338_930_123_000;

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Recordings.
    pub recordings: u64,
    /// Signatures a second of one session that does nothing else, each one verified.
    pub signed: f64,
    /// Recordings sealed a second.
    pub sealed: f64,
    /// CPU of the whole process for each recording, from queue to commit: audio put together, bytes fixed,
    /// signed, committed with the log's entry.
    pub cpu: Duration,
    /// The same with checkpoints signed, files put into staging and the recording announced.
    pub cpu_announced: Duration,
    /// Of that, signature and verification.
    pub cpu_rsa: Duration,
    /// Of that, the hash of the audio.
    pub cpu_hash: Duration,
}

impl Outcome {
    /// CPU of a sealing besides RSA and the hash of the audio.
    pub fn cpu_besides(&self) -> Duration {
        self.cpu.saturating_sub(self.cpu_rsa).saturating_sub(self.cpu_hash)
    }

    /// Whether both goals are reached.
    pub fn is_fast_enough(&self) -> bool {
        self.sealed >= GOAL * self.signed && self.cpu_besides() < CPU_GOAL
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recordings, signed, sealed, cpu, cpu_announced, cpu_rsa, cpu_hash } = self;
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        writeln!(f, "{recordings} recordings in one lane, RSA-3072 in SoftHSM")?;
        writeln!(f, "  signatures a second, one session {signed:8.0}")?;
        writeln!(f, "  recordings sealed a second       {sealed:8.0}")?;
        let (ratio, goal) = (100.0 * sealed / signed, 100.0 * GOAL);
        writeln!(f, "  of what one session signs        {ratio:8.1} % (goal {goal:.0} %)")?;
        writeln!(f, "  CPU of one until it is announced {:8.3} ms", ms(cpu_announced))?;
        writeln!(f, "  CPU of one until it is sealed    {:8.3} ms", ms(cpu))?;
        writeln!(f, "    RSA                            {:8.3}", ms(cpu_rsa))?;
        writeln!(f, "    hash of the audio              {:8.3}", ms(cpu_hash))?;
        write!(
            f,
            "    besides                        {:8.3} (goal {:.1})",
            ms(&self.cpu_besides()),
            ms(&CPU_GOAL)
        )
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
    let after = one_session()?;
    let alone = seal(&dir.join("alone"), &keys, recordings, NEVER).await?;
    Ok(Outcome {
        recordings,
        // What else the machine does changes while this runs.
        signed: f64::midpoint(before.0, after.0),
        sealed: full.a_second,
        cpu: alone.cpu,
        cpu_announced: full.cpu,
        cpu_rsa: (before.1 + after.1) / 2,
        cpu_hash: hash_of_the_audio(),
    })
}

struct Sealed {
    a_second: f64,
    cpu: Duration,
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
    publish(&bus, dir, recordings, &stop).await?;
    let state = State::open(&url).await?;
    let wanted = i64::try_from(recordings)?;
    harness::wait::until("the recordings to wait", PATIENCE, || async {
        (state.waiting_count().await.ok()? == wanted).then_some(())
    })
    .await?;
    stop.cancel();

    gate.is_open.store(true, Ordering::SeqCst);
    // From the first one on: until then the key is waited for.
    let sealed = || metric(&service, "callseal_signer_sealed_total");
    let first = wait_for(&sealed, 1).await?;
    let (begun, before) = (Instant::now(), cpu::used(std::process::id())?);
    let last = wait_for(&sealed, recordings).await?;
    let (took, used) = (begun.elapsed(), cpu::used(std::process::id())?.saturating_sub(before));
    let count = (last - first) as f64;
    service.shutdown().cancel();
    running.await??;
    Ok(Sealed { a_second: count / took.as_secs_f64(), cpu: used.div_f64(count) })
}

async fn wait_for(sealed: &impl Fn() -> u64, count: u64) -> anyhow::Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = sealed();
        if now >= count {
            return Ok(now);
        }
        anyhow::ensure!(Instant::now() < deadline, "{now} of {count} recordings are sealed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn metric(service: &Service, name: &str) -> u64 {
    let families = service.registry().gather();
    let family = families.iter().find(|family| family.name() == name);
    family.map_or(0, |family| family.get_metric()[0].get_counter().get_value() as u64)
}

/// Signatures a second, and the CPU of one.
fn one_session(key: &dyn SigningKey) -> anyhow::Result<(f64, Duration)> {
    let (begun, before) = (Instant::now(), cpu::used(std::process::id())?);
    let mut count = 0_u32;
    while begun.elapsed() < Duration::from_secs(4) {
        key.sign(&sign::HASH_LIST)?;
        count += 1;
    }
    let used = cpu::used(std::process::id())?.saturating_sub(before);
    Ok((f64::from(count) / begun.elapsed().as_secs_f64(), used / count))
}

fn hash_of_the_audio() -> Duration {
    const ROUNDS: u32 = 1_000;
    let audio = vec![0x55; AUDIO_BYTES];
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        // Twice: segments are compared with their hashes when they are read.
        std::hint::black_box((Sha256Hash::of(&audio), Sha256Hash::of(&audio)));
    }
    begun.elapsed() / ROUNDS
}

async fn publish(bus: &Bus, dir: &Path, recordings: u64, stop: &CancellationToken) -> anyhow::Result<()> {
    let options = CallPublisherOptions::new("ingest-1".parse()?, dir.join("spool"));
    let publisher = CallPublisher::start(bus.clone(), options, stop.clone()).await?;
    for _ in 0..recordings {
        let mut writer = publisher.call(&"acme".parse()?, RecordingId::new());
        for body in [started(), audio(), ended()] {
            writer.send(body);
        }
    }
    // What JetStream does not take at once follows from the spool.
    publisher.drained().await;
    Ok(())
}

fn started() -> Body {
    let stream = |index, side: Side| Stream {
        index,
        label: index.to_string(),
        side: side as i32,
        payloads: vec![Payload {
            payload_type: 8,
            encoding: "PCMA".to_owned(),
            clock_rate_hz: 8_000,
            channels: 1,
        }],
        ..Stream::default()
    };
    Body::Started(CallStarted {
        invited_unix_us: BEGIN_US,
        facts: Some(CallFacts {
            tenant: "acme".to_owned(),
            direction: "in".to_owned(),
            ..CallFacts::default()
        }),
        decision: Some(Decision {
            direction: "in".to_owned(),
            recorded: Some(Recorded {
                rule: "desk".to_owned(),
                class: "regulated".to_owned(),
                channels: "stereo".to_owned(),
                targets: vec!["archive".to_owned()],
                ..Recorded::default()
            }),
            ..Decision::default()
        }),
        streams: vec![stream(0, Side::Caller), stream(1, Side::Callee)],
        ..CallStarted::default()
    })
}

fn audio() -> Body {
    let packet = |stream: u32, at: u32| {
        let mut data = vec![0x80, 8];
        data.extend_from_slice(&u16::try_from(at).unwrap_or(0).to_be_bytes());
        data.extend_from_slice(&(at * 160).to_be_bytes());
        data.extend_from_slice(&(0x1000 + stream).to_be_bytes());
        data.extend((0..160_u32).map(|n| (n.wrapping_mul(at + 7) >> 2) as u8));
        let arrival_unix_us = BEGIN_US + i64::from(at) * 20_000;
        Packet { stream, arrival_unix_us, data: data.into(), rtcp: false }
    };
    let packets = (0..50).flat_map(|at| [packet(0, at), packet(1, at)]).collect();
    Body::Audio(AudioChunk { packets })
}

fn ended() -> Body {
    Body::Ended(CallEnded {
        at_unix_us: BEGIN_US + 1_000_000,
        reason: EndReason::Bye as i32,
        packets_received: vec![50; 2],
        stopped_by: None,
    })
}
