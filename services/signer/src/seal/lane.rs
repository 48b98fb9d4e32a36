//! One lane's recordings, sealed in batches.
//!
//! Four stages run beside each other, each handing batches to the next: audio files are put together
//! ([`gather`](super::gather)); exact bytes are fixed; they are signed, by a thread that does nothing else;
//! they are committed. So the key is kept busy: while it signs one batch the next ones are written down
//! and the last one is committed. A stage takes what is there, so that a single recording waits for
//! nobody, and a queue is worked off in large transactions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Lane, RecordingId};
use evidence::{KeyId, Signature};
use futures::StreamExt;
use keys::{KeyError, SigningKey};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
use wire::event_v1::{self, event::What};

use super::{
    SealError,
    describe::Unusable,
    entry, gather,
    prepare::{self, Before, Ready},
};
use crate::{
    context::{Context, unix_us},
    cost::Stage,
    fail_point,
    key::{self, NoKey},
    state::{
        Held, StateError,
        chain::{Head, SealedRow},
        seal_queue::{Prepared, Waiting},
    },
};

/// Recordings whose audio lies ready before their turn.
const AHEAD: usize = 128;
/// Recordings in a batch at most.
const BATCH: usize = 64;
/// Batches that are fixed before their turn: the key must not wait for the database.
const FIXED_AHEAD: usize = 2;
/// A slow key hands on what it has signed so far after this long.
const SIGN_FOR: Duration = Duration::from_millis(250);
/// How long a recording waits that could not be put together.
const POSTPONE: Duration = Duration::from_secs(15);

/// What one recording is signed with.
struct Fixed {
    id: RecordingId,
    tenant: String,
    queued_ms: i64,
    prepared: Prepared,
}

/// Where and for whom a lane is sealed.
struct Run<'a> {
    context: &'a Arc<Context>,
    lease: &'a Held,
    lane: &'a Lane,
    key: Arc<dyn SigningKey>,
    /// The log's secret.
    salt: Vec<u8>,
}

/// Seals what is due in `lane`; returns how many recordings were.
///
/// # Errors
/// Whatever stops the whole lane; what concerns one recording is reported and postponed.
pub async fn seal(
    context: &Arc<Context>,
    lease: &Held,
    lane: &Lane,
    stop: &CancellationToken,
) -> Result<usize, SealError> {
    let waiting = gather::first_due(context, lane, 0).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let log = context.log_of(&lane.tenant).await?;
    if !log.halted.is_empty() {
        return Err(StateError::LogHalted(lane.tenant.to_string()).into());
    }
    let (key, salt) = (key::in_log(context, lease, &lane.tenant).await?.signing, log.salt);
    let head = context.state.chain_head(lane).await?.map(before).transpose()?;
    let run = Run { context, lease, lane, key, salt };
    let (to_fix, ready) = mpsc::channel(AHEAD);
    let (to_sign, fixed) = mpsc::channel(FIXED_AHEAD);
    let (to_commit, signed) = mpsc::channel(FIXED_AHEAD);
    let previous = head.as_ref().and_then(|head| head.signature.clone());
    let cpu = &context.metrics.cpu;
    let (found, (), fault, ()) = tokio::try_join!(
        cpu.during(Stage::Audio, run.put_together(waiting, to_fix, stop)),
        cpu.during(Stage::Texts, run.fix(head, ready, to_sign)),
        run.sign(previous, fixed, to_commit),
        cpu.during(Stage::Commit, run.commit(signed)),
    )?;
    match fault {
        None => Ok(found),
        Some(SealError::Key(NoKey::Key(error))) => {
            context.keys.lost(&lane.tenant, &error).await;
            Err(SealError::Key(NoKey::Key(error)))
        }
        Some(other) => Err(other),
    }
}

fn before(head: Head) -> Result<Before, SealError> {
    let damaged = |_| SealError::Record(Unusable("the chain's head in the state database is damaged"));
    Ok(Before {
        position: head.position,
        recording: head.recording.parse().map_err(damaged)?,
        signature: Some(Signature::parse(head.signature.as_bytes())?),
    })
}

impl Run<'_> {
    /// Step 1, in order. The number of recordings that were handed on.
    async fn put_together(
        &self,
        waiting: Vec<Waiting>,
        to: Sender<Ready>,
        stop: &CancellationToken,
    ) -> Result<usize, SealError> {
        let mut count = 0;
        let mut groups = std::pin::pin!(gather::gather(self.context, self.lane, waiting, stop));
        while let Some(group) = groups.next().await {
            for (id, outcome) in group? {
                match outcome {
                    Ok(ready) => {
                        count += 1;
                        if to.send(ready).await.is_err() {
                            // A later stage has met a fault: it says so.
                            return Ok(count);
                        }
                    }
                    Err(error) if !error.concerns_one() => return Err(error),
                    Err(error) => self.postpone(id, &error).await?,
                }
            }
        }
        Ok(count)
    }

    /// Step 2.
    async fn fix(
        &self,
        mut head: Option<Before>,
        mut ready: Receiver<Ready>,
        to: Sender<Vec<Fixed>>,
    ) -> Result<(), SealError> {
        let key_id = self.key.key_id();
        let mut taken = Vec::new();
        while ready.recv_many(&mut taken, BATCH).await > 0 {
            let mut batch = Vec::with_capacity(taken.len());
            let mut anew = Vec::new();
            for mut one in taken.drain(..) {
                let known = one.prepared.take();
                let prepared = match still_good(known, head.as_ref(), key_id) {
                    Some(prepared) => prepared,
                    None => {
                        anew.push(batch.len());
                        prepare::prepare(self.context, &one, key_id, head.as_ref())
                    }
                };
                head = Some(Before { position: prepared.position, recording: one.id, signature: None });
                let Ready { id, call, queued_ms, .. } = one;
                batch.push(Fixed { id, tenant: call.tenant, queued_ms, prepared });
            }
            let rows: Vec<_> = anew.iter().map(|at| (batch[*at].id, &batch[*at].prepared)).collect();
            if !rows.is_empty() {
                self.context.state.commit_prepared(self.lease, &rows).await?;
            }
            fail_point::reached("seal-prepared");
            if to.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Step 3. A fault of the key is returned at the end, when what was signed before it is on its way.
    async fn sign(
        &self,
        previous: Option<Signature>,
        batches: Receiver<Vec<Fixed>>,
        to: Sender<Vec<(Fixed, Signature)>>,
    ) -> Result<Option<SealError>, SealError> {
        let (context, key) = (self.context.clone(), self.key.clone());
        let work = move || sign_all(&context, &*key, previous, batches, &to);
        tokio::task::spawn_blocking(work).await.map_err(|_| SealError::Stopped)
    }

    /// Step 4.
    async fn commit(&self, mut batches: Receiver<Vec<(Fixed, Signature)>>) -> Result<(), SealError> {
        let (context, lane) = (self.context, self.lane);
        while let Some(batch) = batches.recv().await {
            let mut rows = Vec::with_capacity(batch.len());
            let mut told = Vec::with_capacity(batch.len());
            for (fixed, signature) in batch {
                let Fixed { id, tenant, queued_ms, mut prepared } = fixed;
                prepare::finish(&mut prepared, &signature);
                let entry = entry::sealed(lane, &self.salt, id, &prepared, &signature)?;
                // The entry was made from it: it is there.
                let message = prepared.sealed.take().unwrap_or_default();
                told.push((id, tenant, queued_ms, prepared.position, message.duration_ms));
                let signature = signature.to_base64();
                rows.push(SealedRow { recording: id, signature, prepared, message, entry });
            }
            context.state.commit_sealed(self.lease, lane, &rows).await?;
            fail_point::reached("seal-committed");
            // A checkpoint comes first; it rings for those who announce.
            context.logs.grown.notify_one();
            let now_ms = unix_us() / 1_000;
            for (id, tenant, queued_ms, position, duration_ms) in told {
                let waited = Duration::from_millis(u64::try_from(now_ms - queued_ms).unwrap_or(0));
                context.metrics.seal_seconds.observe(waited.as_secs_f64());
                context.metrics.sealed.inc();
                tracing::info!(recording = %id, %lane, position, "sealed");
                let sealed = event_v1::Sealed { chain_position: position, duration_ms };
                context.event(&tenant, &id.to_string(), What::Sealed(sealed));
            }
        }
        Ok(())
    }

    async fn postpone(&self, id: RecordingId, error: &SealError) -> Result<(), SealError> {
        self.context.fault("seal", "", &id.to_string(), error);
        Ok(self.context.state.postpone(self.lease, &id, POSTPONE).await?)
    }
}

/// Bytes that an earlier attempt fixed hold as long as they go on where the chain ends and name the
/// key that signs now.
fn still_good(prepared: Option<Prepared>, head: Option<&Before>, key_id: KeyId) -> Option<Prepared> {
    let (recording, position) = match head {
        Some(head) => (head.recording.to_string(), head.position),
        None => (String::new(), 0),
    };
    prepared.filter(|prepared| {
        prepared.previous_recording == recording
            && prepared.position == position + 1
            && prepared.key_id == key_id.to_string()
    })
}

/// Signs in order, each one with the signature before in it, until there is no more to sign or nobody who
/// takes it; or until the key fails: why. Blocks.
fn sign_all(
    context: &Context,
    key: &dyn SigningKey,
    mut last: Option<Signature>,
    mut batches: Receiver<Vec<Fixed>>,
    to: &Sender<Vec<(Fixed, Signature)>>,
) -> Option<SealError> {
    while let Some(batch) = batches.blocking_recv() {
        let (mut done, mut begun) = (Vec::with_capacity(batch.len()), Instant::now());
        let count = batch.len();
        for (number, mut fixed) in (1..).zip(batch) {
            let fault = match sign_one(context, key, last.as_ref(), &mut fixed) {
                Ok(signature) => {
                    last = Some(signature.clone());
                    done.push((fixed, signature));
                    fail_point::reached("seal-signed-first");
                    None
                }
                Err(error) => Some(error),
            };
            let is_time = number == count || begun.elapsed() >= SIGN_FOR || fault.is_some();
            if is_time && !done.is_empty() {
                fail_point::reached("seal-signed");
                if to.blocking_send(std::mem::take(&mut done)).is_err() {
                    // The commit has met a fault: it says so.
                    return None;
                }
                begun = Instant::now();
            }
            if fault.is_some() {
                return fault;
            }
        }
    }
    None
}

/// The key verifies what it made.
fn sign_one(
    context: &Context,
    key: &dyn SigningKey,
    last: Option<&Signature>,
    fixed: &mut Fixed,
) -> Result<Signature, SealError> {
    let cpu = &context.metrics.cpu;
    cpu.of(Stage::Chain, || prepare::complete(&mut fixed.prepared, last))?;
    let begun = Instant::now();
    let signature: Result<Signature, KeyError> = cpu.of(Stage::Key, || key.sign(&fixed.prepared.hash_list));
    context.metrics.sign_seconds.observe(begun.elapsed().as_secs_f64());
    Ok(signature.map_err(NoKey::from)?)
}
