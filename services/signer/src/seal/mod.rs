//! The second stage: finished recordings are hashed, chained, signed and announced, by the replica that
//! holds the lease `seal`. Lanes are sealed beside each other, each lane in order and in batches
//! ([`lane`]).
//!
//! Write order, and what a crash right after each step leaves behind:
//!
//! 1. *Audio files to staging*, from the segments. Crash: the repeat writes the same bytes again.
//! 2. *The exact bytes of info, journal text and hash list* of a batch are stored in one transaction. The
//!    first of them names the lane's head and its signature; each other one names the one before it, with
//!    a placeholder for that one's signature ([`prepare`]). Crash: the repeat takes these bytes, whatever
//!    version or configuration it runs with, as long as they go on where the chain ends and name the key
//!    that signs now.
//! 3. *Each hash list is signed* in the HSM, in order, and the signature verified; it then takes the
//!    place of the placeholder in the next one. Crash, also in mid-batch: PKCS#1 v1.5 is deterministic,
//!    the repeat gets the same signatures and so the same bytes; nobody has seen the first ones.
//! 4. *One transaction*: the batch's signatures, links of the chain (its head is compared), entries of the
//!    tenant's log, rows of the outbox, states of the recordings; the fence of the lease is compared in
//!    it, and the key with the one in force. This is the moment of sealing: all of the batch, or nothing.
//! 5. [`announce`]: files to staging, then the message, then segments are deleted.
//!
//! A recording that cannot be put together now (a segment cannot be read) waits, and the others of its
//! lane go on. Without its key a lane waits; other tenants may have another key.

pub mod announce;
pub mod audio;
pub mod describe;
mod earlier;
mod entry;
mod gather;
mod lane;
mod lay_out;
pub mod layout;
pub mod prepare;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bus::with_sources;
use domain::Lane;
use evidence::SignatureError;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::describe::Unusable;
use crate::{
    context::Context,
    cost::Stage,
    key::{NoKey, desk},
    log,
    state::{Held, StateError},
};

/// Lanes that are sealed beside each other.
const LANES: usize = 16;
/// The queue is looked at this often even when nobody rings: other replicas fill it, too.
const POLL: Duration = Duration::from_millis(500);
/// The longest pause of a lane that cannot be sealed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    Key(#[from] NoKey),
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
    if !begin_logs(&context, &lease, &stop).await {
        return;
    }
    // One task, so that all end when the lease is lost.
    let cpu = &context.metrics.cpu;
    tokio::join!(
        cpu.during(Stage::Log, log::run(&context, &lease, &stop)),
        seal_all(&context, &lease, &stop),
        cpu.during(Stage::Announce, announce::run(&context, &lease, &stop)),
        desk::run(&context, &lease, &stop),
    );
}

/// Nothing is sealed before each log was compared with what is published of it. False: there is no
/// more to do.
async fn begin_logs(context: &Context, lease: &Held, stop: &CancellationToken) -> bool {
    let mut pause = POLL;
    while !stop.is_cancelled() {
        match log::begin(context, lease).await {
            Ok(()) => return true,
            Err(error) if error.is_fenced() => return false,
            Err(error) => context.fault("log", "", "", &error),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
    false
}

/// A lane that cannot be sealed now.
struct Paused {
    until: Instant,
    pause: Duration,
}

async fn seal_all(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) {
    let mut busy: BTreeSet<Lane> = BTreeSet::new();
    let mut paused: BTreeMap<Lane, Paused> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut ended = VecDeque::new();
    while !(stop.is_cancelled() && running.is_empty() && ended.is_empty()) {
        if !stop.is_cancelled() {
            // A lane may hold the database's write lock: it goes on while others look at the queue.
            let mut look = std::pin::pin!(look_at_queue(context));
            let lanes = loop {
                tokio::select! {
                    lanes = &mut look => break lanes,
                    Some(done) = running.next() => ended.push_back(done),
                }
            };
            let now = Instant::now();
            let due = |lane: &Lane| paused.get(lane).is_none_or(|paused| paused.until <= now);
            for lane in lanes.into_iter().filter(due) {
                if busy.len() < LANES && busy.insert(lane.clone()) {
                    running.push(seal_lane(context, lease, lane, stop));
                }
            }
        }
        let next = async {
            match ended.pop_front() {
                Some(done) => Some(done),
                None => running.next().await,
            }
        };
        tokio::select! {
            Some((lane, outcome)) = next => {
                busy.remove(&lane);
                match outcome {
                    Ok(_) => drop(paused.remove(&lane)),
                    Err(SealError::State(StateError::Fenced(_))) => {
                        tracing::info!("sealing was taken over by another replica");
                        return;
                    }
                    // The next round sees the new one.
                    Err(SealError::State(StateError::KeyChanged(_))) => {}
                    Err(error) => {
                        let pause = paused.get(&lane).map_or(POLL, |paused| (paused.pause * 2).min(LONGEST_PAUSE));
                        report(context, &lane, &error);
                        paused.insert(lane, Paused { until: Instant::now() + pause, pause });
                    }
                }
            }
            () = stop.cancelled(), if !stop.is_cancelled() => {}
            () = context.to_seal.notified() => {}
            () = context.keys.came_back() => {
                paused.clear();
                context.logs.troubles.try_now();
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Lanes in which recordings wait.
async fn look_at_queue(context: &Context) -> Vec<Lane> {
    if let Ok(count) = context.state.waiting_count().await {
        context.metrics.queue.set(count);
    }
    context.state.waiting_lanes().await.unwrap_or_else(|error| {
        context.fault("seal", "", "", &error);
        Vec::new()
    })
}

async fn seal_lane(
    context: &Arc<Context>,
    lease: &Held,
    lane: Lane,
    stop: &CancellationToken,
) -> (Lane, Result<usize, SealError>) {
    let outcome = Box::pin(lane::seal(context, lease, &lane, stop)).await;
    (lane, outcome)
}

/// A key that is away, or a log that is halted, concerns every try of its lanes: whoever found that out
/// has reported it, once.
fn report(context: &Context, lane: &Lane, error: &SealError) {
    if !matches!(error, SealError::Key(_) | SealError::State(StateError::LogHalted(_))) {
        context.fault("seal", lane.tenant.as_str(), "", error);
    }
}
