//! The second stage: finished recordings are hashed, chained, signed and announced, one after the
//! other, by the replica that holds the lease `seal`.
//!
//! Write order, and what a crash right after each step leaves behind:
//!
//! 1. *Audio files to staging*, from the segments. Crash: the repeat writes the same bytes again.
//! 2. *The exact bytes of info, journal text and hash list* are stored, with the lane's head in them.
//!    Crash: the repeat takes these bytes, whatever version or configuration it runs with.
//! 3. *The hash list is signed* in the HSM and the signature verified. Crash: PKCS#1 v1.5 is
//!    deterministic, the repeat gets the same signature; nobody has seen the first one.
//! 4. *One transaction*: signature, link of the chain (its head is compared), row of the outbox, state
//!    of the recording; the fence of the lease is compared in it. This is the moment of sealing.
//! 5. [`announce`]: files to staging, then the message, then segments are deleted.
//!
//! A recording that cannot be put together now (a segment cannot be read) waits, and the others of its
//! lane go on. Without a key everything waits.

pub mod announce;
pub mod audio;
pub mod describe;
pub mod layout;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bus::with_sources;
use domain::RecordingId;
use evidence::{BaseName, Documents, HashedFile, KeyId, LaneHead, Section, Signature, SignatureError};
use futures::{StreamExt, stream};
use keys::KeyError;
use tokio_util::sync::CancellationToken;
use wire::{
    event_v1::{self, event::What},
    recording_v1::{JournalRow, RecordingSealed, SealedFile},
};

use self::describe::{Surroundings, Terms, Unusable};
use crate::{
    context::{Context, unix_us},
    fail_point,
    state::{
        Held, StateError,
        call_record::CallRecord,
        chain::Head,
        seal_queue::{Prepared, Waiting},
    },
};

/// Recordings whose audio is put together at the same time.
const AT_ONCE: usize = 8;
/// Recordings that are taken from the queue at once.
const BATCH: u32 = 64;
/// The queue is looked at this often even when nobody rings: other replicas fill it, too.
const POLL: Duration = Duration::from_millis(500);
/// How long a recording waits that could not be put together.
const POSTPONE: Duration = Duration::from_secs(15);

/// Why a recording is not sealed yet.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its audio.
    #[error(transparent)]
    Audio(#[from] audio::AudioError),
    /// Its record.
    #[error(transparent)]
    Record(#[from] Unusable),
    /// The key.
    #[error("the recording cannot be signed")]
    Key(#[from] KeyError),
    /// The chain's head is no signature.
    #[error("the chain's head in the state database is damaged")]
    Head(#[from] SignatureError),
    /// The process is ending.
    #[error("the work was stopped")]
    Stopped,
}

impl SealError {
    /// It is about this recording or its lane; others can be sealed.
    const fn concerns_one(&self) -> bool {
        matches!(self, Self::Audio(_) | Self::Record(_) | Self::Head(_) | Self::State(StateError::Damaged(_)))
    }
}

/// Seals and announces until `stop`, or until the lease is lost.
pub async fn run(context: Arc<Context>, lease: Held, stop: CancellationToken) {
    if let Err(error) = announce::sweep_segments(&context).await {
        // Space only; the next start tries again.
        tracing::warn!(error = with_sources(&error), "left-over segments could not be deleted");
    }
    // One task, so that both end when the lease is lost.
    tokio::join!(seal_all(&context, &lease, &stop), announce::run(&context, &lease, &stop));
}

async fn seal_all(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) {
    let mut pause = Duration::from_millis(500);
    while !stop.is_cancelled() {
        let wait = match batch(context, lease, stop).await {
            Ok(0) => POLL,
            Ok(_) => {
                pause = Duration::from_millis(500);
                continue;
            }
            Err(SealError::State(StateError::Fenced(_))) => {
                tracing::info!("sealing was taken over by another replica");
                break;
            }
            Err(error) => {
                let stage = if matches!(error, SealError::Key(_)) { "key" } else { "seal" };
                context.fault(stage, "", "", &error);
                pause = (pause * 2).min(Duration::from_secs(60));
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = context.to_seal.notified(), if wait == POLL => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A recording with everything that is read and written before its turn in the chain.
struct Ready {
    id: RecordingId,
    call: CallRecord,
    terms: Terms,
    plans: Vec<layout::FilePlan>,
    audio: Vec<HashedFile>,
    prepared: Option<Prepared>,
    queued_ms: i64,
}

async fn batch(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) -> Result<usize, SealError> {
    let waiting = context.state.waiting(BATCH).await?;
    context.metrics.queue.set(context.state.waiting_count().await?);
    let found = waiting.len();
    let assemble = |waiting: Waiting| {
        let context = context.clone();
        async move { (waiting.recording, make_ready(&context, waiting).await) }
    };
    // Audio is prepared ahead, in order; the chain is a line.
    let mut ready = std::pin::pin!(stream::iter(waiting).map(assemble).buffered(AT_ONCE));
    while let Some((id, outcome)) = ready.next().await {
        if stop.is_cancelled() {
            break;
        }
        let sealed = match outcome {
            Ok(ready) => seal_one(context, lease, ready).await,
            Err(error) => Err(error),
        };
        match sealed {
            Ok(()) => {}
            Err(error) if !error.concerns_one() => return Err(error),
            Err(error) => {
                context.fault("seal", "", &id.to_string(), &error);
                context.state.postpone(lease, &id, POSTPONE).await?;
            }
        }
    }
    Ok(found)
}

/// Step 1.
async fn make_ready(context: &Context, waiting: Waiting) -> Result<Ready, SealError> {
    let id = waiting.recording;
    let stored = context.state.recording(&id).await?.ok_or(Unusable("it is not there"))?;
    let call = stored.call;
    let terms = Terms::of(&call)?;
    let laid = call.laid.clone().ok_or(Unusable("its timeline is not described"))?;
    let plans = layout::plan(&call, &laid, terms.channels);
    let base = base_name(id, &call, &terms);
    let segments = context.state.segments(&id).await?;
    let folder = audio::folder(&call.tenant, &id);
    let audio = audio::write(&context.staging, &folder, &base, plans.clone(), segments).await?;
    fail_point::reached("seal-audio-written");
    Ok(Ready { id, call, terms, plans, audio, prepared: waiting.prepared, queued_ms: waiting.queued_ms })
}

/// Steps 2 to 4.
async fn seal_one(context: &Arc<Context>, lease: &Held, ready: Ready) -> Result<(), SealError> {
    let head = context.state.chain_head(&ready.terms.lane).await?;
    let mut prepared = match still_good(ready.prepared.clone(), head.as_ref(), context.key.key_id()) {
        Some(prepared) => prepared,
        None => {
            let prepared = prepare(context, &ready, head)?;
            context.state.commit_prepared(lease, &ready.id, &prepared).await?;
            prepared
        }
    };
    fail_point::reached("seal-prepared");
    let signature = sign(context, prepared.hash_list.clone()).await?;
    fail_point::reached("seal-signed");
    complete(&mut prepared, &signature);
    let lane = &ready.terms.lane;
    context.state.commit_sealed(lease, lane, &ready.id, &prepared, &signature.to_base64()).await?;
    fail_point::reached("seal-committed");
    context.to_announce.notify_one();
    let waited = Duration::from_millis(u64::try_from(unix_us() / 1_000 - ready.queued_ms).unwrap_or(0));
    context.metrics.seal_seconds.observe(waited.as_secs_f64());
    context.metrics.sealed.inc();
    tracing::info!(recording = %ready.id, %lane, position = prepared.position, "sealed");
    let duration_ms = prepared.sealed.as_ref().map_or(0, |sealed| sealed.duration_ms);
    let sealed = event_v1::Sealed { chain_position: prepared.position, duration_ms };
    context.event(&ready.call.tenant, &ready.id.to_string(), What::Sealed(sealed));
    Ok(())
}

/// Bytes that an earlier attempt fixed hold as long as they go on where the chain ends and name the
/// key that signs now.
fn still_good(prepared: Option<Prepared>, head: Option<&Head>, key_id: KeyId) -> Option<Prepared> {
    let head = head.map_or("", |head| head.recording.as_str());
    prepared.filter(|p| p.previous_recording == head && p.key_id == key_id.to_string())
}

fn base_name(id: RecordingId, call: &CallRecord, terms: &Terms) -> BaseName {
    let number = |party: Option<&wire::call_v1::Party>| party.map(|p| p.number.clone()).unwrap_or_default();
    let facts = call.facts.as_ref();
    let caller = number(facts.and_then(|facts| facts.caller.as_ref()));
    let callee = number(facts.and_then(|facts| facts.callee.as_ref()));
    BaseName::new(describe::started(call), terms.direction, &caller, &callee, id)
}

fn prepare(context: &Context, ready: &Ready, head: Option<Head>) -> Result<Prepared, SealError> {
    let previous = head
        .map(|head| {
            Ok::<_, SealError>(LaneHead {
                position: head.position,
                recording: head.recording.parse().map_err(|_| SignatureError::NotBase64)?,
                signature: Signature::parse(head.signature.as_bytes())?,
            })
        })
        .transpose()?;
    let time_zone = (context.time_zones)(&ready.terms.lane.tenant);
    let zone_name = time_zone.iana_name().unwrap_or("UTC").to_owned();
    let around = Surroundings {
        time_zone,
        installation: context.options.installation.to_string(),
        key_id: context.key.key_id(),
        previous,
    };
    let info = describe::info(ready.id, &ready.call, &ready.terms, &ready.plans, &around);
    let documents = Documents::new(&info, ready.audio.clone());
    let position = info.position();
    let row = JournalRow {
        base_file_name: documents.base.as_str().to_owned(),
        direction: evidence::journal_json::journal_direction(info.direction).to_owned(),
        time_unix_ms: documents.base.started().as_millisecond(),
        call_id: info.call_id.clone(),
        caller_name: info.caller.name.expose().clone(),
        caller: info.caller.number.expose().clone(),
        callee: info.callee.number.expose().clone(),
        setting: info.rule.clone(),
        signature: String::new(),
    };
    let hash_list = HashedFile::of(documents.base.file(Section::HashList), &documents.hash_list);
    let sealed = RecordingSealed {
        recording_id: ready.id.to_string(),
        tenant: ready.call.tenant.clone(),
        class: ready.terms.lane.class.to_string(),
        chain_position: position,
        base_name: documents.base.as_str().to_owned(),
        files: documents.hashed.iter().chain([&hash_list]).map(sealed_file).collect(),
        staging_prefix: audio::folder(&ready.call.tenant, &ready.id),
        targets: ready.terms.targets.clone(),
        journals: ready.terms.journals.clone(),
        started_unix_ms: documents.base.started().as_millisecond(),
        duration_ms: u64::try_from(info.duration.as_millis()).unwrap_or(u64::MAX),
        time_zone: zone_name,
        row: Some(row),
        sealed_unix_ms: unix_us() / 1_000,
    };
    Ok(Prepared {
        position,
        previous_recording: info.previous.as_ref().map(|p| p.recording.to_string()).unwrap_or_default(),
        info: documents.info,
        journal: documents.journal,
        hash_list: documents.hash_list,
        signature_file: Vec::new(),
        sealed: Some(sealed),
        key_id: context.key.key_id().to_string(),
    })
}

/// Step 3. The key verifies what it made.
async fn sign(context: &Arc<Context>, message: Vec<u8>) -> Result<Signature, SealError> {
    let key = context.key.clone();
    let begun = Instant::now();
    let signature = tokio::task::spawn_blocking(move || key.sign(&message)).await;
    context.metrics.sign_seconds.observe(begun.elapsed().as_secs_f64());
    Ok(signature.map_err(|_| SealError::Stopped)??)
}

/// The signature's file and its place in the announcement.
fn complete(prepared: &mut Prepared, signature: &Signature) {
    prepared.signature_file = signature.to_file();
    if let Some(sealed) = &mut prepared.sealed {
        let name = format!("{}{}", sealed.base_name, Section::Signature);
        sealed.files.push(sealed_file(&HashedFile::of(name, &prepared.signature_file)));
        if let Some(row) = &mut sealed.row {
            row.signature = signature.to_base64();
        }
    }
}

fn sealed_file(file: &HashedFile) -> SealedFile {
    SealedFile { name: file.name.clone(), size: file.size, sha256: file.sha256.as_bytes().to_vec() }
}
