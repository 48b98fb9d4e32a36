//! The outbox: sealed recordings are laid out in staging and announced to shipper and journal.
//!
//! Write order, and what a crash right after each step leaves behind:
//!
//! A row waits until a signed checkpoint covers its entry in the tenant's log ([`log`](crate::log)), so
//! that the proof of that is delivered with it.
//!
//! 1. *Info, journal text, hash list, signature to staging* beside the audio, then the log's proof and,
//!    where the tenant wants it, a time stamp; each is made once. Crash: the repeat finds its own bytes. Of
//!    proof and stamp it would make others, under a later checkpoint and of a later time: it takes those
//!    that lie there, if they prove the same; if they do not, somebody else wrote them, and people are told.
//!    Nobody knows of the files yet, so nobody has deleted them.
//! 2. *Stage 1 is stored*, with the files that came last. From here on files are not put again: the shipper may have taken them away.
//! 3. *The message is published*, under the recording's id. Crash: it is published again; the stream
//!    knows the id for a while, and its readers for ever.
//! 4. *Segments are deleted.* Crash: what is left of them is deleted by the repeat.
//! 5. *The row goes*, and those of segments. From here on the chain alone knows the recording: that it is
//!    sealed once, and so announced once.

use std::time::Duration;

use bus::{BusError, with_sources};
use domain::{RecordingId, TenantId, resources::tenant::evidence::Stamp};
use evidence::Sha256Hash;
use futures::future;
use object_store::path::Path as Key;
use tokio_util::sync::CancellationToken;
use wire::event_v1::{Fault, event::What};

use super::lay_out::lay_out;
use crate::{
    assemble::segments,
    context::{Context, unix_us},
    fail_point,
    log::LogError,
    staging::StagingError,
    state::{
        Held, Phase, StateError,
        outbox::{Stage, Unsent},
    },
};

const BATCH: u32 = 128;
const POLL: Duration = Duration::from_millis(500);

/// Why a recording is not announced yet.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// Its proof cannot be made.
    #[error("the proof that a recording stands in the log cannot be made")]
    Proof(#[from] LogError),
    /// The bus.
    #[error("a sealed recording cannot be announced")]
    Bus(#[from] BusError),
}

/// Announces until `stop`, or until the lease is lost.
pub async fn run(context: &Context, lease: &Held, stop: &CancellationToken) {
    let mut pause = POLL;
    while !stop.is_cancelled() {
        let wait = match batch(context, lease).await {
            Ok(0) => POLL,
            Ok(_) => {
                pause = POLL;
                continue;
            }
            Err(AnnounceError::State(StateError::Fenced(_))) => return,
            Err(error) => {
                context.fault("outbox", "", "", &error);
                pause = (pause * 2).min(Duration::from_secs(30));
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = context.to_announce.notified(), if wait == POLL => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Deletes segments that a crash left behind after their recording was done with.
///
/// # Errors
/// Staging or the state cannot be read.
pub async fn sweep_segments(context: &Context) -> Result<(), AnnounceError> {
    for recording in context.staging.folders(&Key::from("segments")).await? {
        let Ok(id) = recording.parse::<RecordingId>() else { continue };
        // A recording that nobody knows may be one that another replica has not stored yet.
        let phase = context.state.recording(&id).await?.map(|stored| stored.phase);
        if matches!(phase, Some(Phase::Sealed | Phase::Empty | Phase::Headless)) {
            context.staging.delete_all(&segments::folder(&id)).await?;
        }
    }
    Ok(())
}

async fn batch(context: &Context, lease: &Held) -> Result<usize, AnnounceError> {
    let unsent = context.state.unsent(BATCH).await?;
    if unsent.is_empty() {
        return Ok(0);
    }
    let (new, earlier): (Vec<Unsent>, Vec<Unsent>) =
        unsent.into_iter().partition(|row| row.stage == Stage::Committed);
    let (new, failed) = lay_out(context, new).await;
    if earlier.is_empty() && new.is_empty() {
        return failed.into_iter().next().map_or(Ok(0), |(_, error)| Err(error));
    }
    for (recording, error) in failed {
        // The others need not wait until somebody has looked after it.
        context.fault("outbox", "", &recording.to_string(), &error);
    }
    if !new.is_empty() {
        fail_point::log_reached("proof-put");
        fail_point::reached("outbox-files-put");
        context.state.commit_files_put(lease, &new).await?;
        fail_point::reached("outbox-stage-stored");
    }
    // In order of sealing; the acknowledgements may come as they like.
    let all: Vec<Unsent> = earlier.into_iter().chain(new).collect();
    let published: Vec<_> = all.iter().map(|row| context.bus.publish_sealed(&row.message)).collect();
    future::try_join_all(published).await?;
    fail_point::reached("outbox-published");
    let folders: Vec<Key> = all.iter().map(|row| segments::folder(&row.recording)).collect();
    context.staging.delete_folders(&folders).await?;
    fail_point::reached("outbox-segments-deleted");
    let ids: Vec<RecordingId> = all.iter().map(|row| row.recording).collect();
    context.state.commit_announced(lease, &ids).await?;
    Ok(all.len())
}

/// The time stamp of the hash list, if the tenant wants one: `None` to wait for it, `Some(None)` to go
/// on without.
pub(super) async fn time_stamp(context: &Context, row: &Unsent) -> Option<Option<Vec<u8>>> {
    let Ok(tenant) = row.message.tenant.parse::<TenantId>() else { return Some(None) };
    let wanted = context.logs.wishes_of(&tenant).time_stamps;
    let Some(wanted) = wanted.filter(|wanted| wanted.stamp == Stamp::Recordings) else { return Some(None) };
    let hash = Sha256Hash::of(&row.prepared.hash_list);
    let waited = u64::try_from(unix_us() / 1_000 - row.message.sealed_unix_ms).unwrap_or(0);
    let waited = Duration::from_millis(waited);
    match context.logs.stamps.stamp(context, &tenant, &wanted, &hash).await {
        Ok(token) => Some(Some(token)),
        Err(_) if waited < context.options.stamp_patience() => None,
        Err(error) => {
            let problem = format!("a recording is delivered without a time stamp: {}", with_sources(&error));
            tracing::warn!(recording = %row.recording, problem, "no time stamp came");
            let fault = Fault { r#where: "signer/time-stamps".to_owned(), problem, will_retry: false };
            context.event(tenant.as_str(), &row.recording.to_string(), What::Fault(fault));
            Some(None)
        }
    }
}
