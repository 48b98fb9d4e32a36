//! The outbox: sealed recordings are laid out in staging and announced to shipper and journal.
//!
//! Write order, and what a crash right after each step leaves behind:
//!
//! 1. *Info, journal text, hash list, signature to staging* beside the audio. Crash: the repeat finds
//!    its own bytes. Nobody knows of the files yet, so nobody has deleted them.
//! 2. *Stage 1 is stored.* From here on files are not put again: the shipper may have taken them away.
//! 3. *The message is published*, under the recording's id. Crash: it is published again; the stream
//!    knows the id for a while, and its readers for ever.
//! 4. *Segments are deleted.* Crash: what is left of them is deleted by the repeat.
//! 5. *Stage 2 is stored*, rows of segments and the stored bytes go.

use std::time::Duration;

use bus::BusError;
use bytes::Bytes;
use domain::RecordingId;
use evidence::Section;
use futures::{StreamExt, TryStreamExt, future, stream};
use object_store::path::Path as Key;
use tokio_util::sync::CancellationToken;

use crate::{
    assemble::segments,
    context::Context,
    fail_point,
    staging::StagingError,
    state::{
        Held, Phase, StateError,
        outbox::{Stage, Unsent},
    },
};

/// Recordings whose files are written at the same time: what takes its time is the disk's sync, and
/// syncs that come together cost little more than one.
const AT_ONCE: usize = 16;
const BATCH: u32 = 64;
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
    let (new, failed) = laid_out(context, new).await;
    if earlier.is_empty() && new.is_empty() {
        return failed.into_iter().next().map_or(Ok(0), |(_, error)| Err(error));
    }
    for (recording, error) in failed {
        // The others need not wait until somebody has looked after it.
        context.fault("outbox", "", &recording.to_string(), &error);
    }
    if !new.is_empty() {
        fail_point::reached("outbox-files-put");
        let ids: Vec<RecordingId> = new.iter().map(|row| row.recording).collect();
        context.state.commit_stage(lease, &ids, Stage::FilesPut).await?;
        fail_point::reached("outbox-stage-stored");
    }
    // In order of sealing; the acknowledgements may come as they like.
    let all: Vec<Unsent> = earlier.into_iter().chain(new).collect();
    let published: Vec<_> = all.iter().map(|row| context.bus.publish_sealed(&row.message)).collect();
    future::try_join_all(published).await?;
    fail_point::reached("outbox-published");
    in_parallel(&all, |row| delete_segments(context, row)).await?;
    fail_point::reached("outbox-segments-deleted");
    let ids: Vec<RecordingId> = all.iter().map(|row| row.recording).collect();
    context.state.commit_stage(lease, &ids, Stage::Announced).await?;
    Ok(all.len())
}

/// Puts the files of each row, a few rows at a time: those that lie in staging now, and those that
/// could not be put there.
async fn laid_out(context: &Context, rows: Vec<Unsent>) -> (Vec<Unsent>, Vec<(RecordingId, AnnounceError)>) {
    let put = |row: Unsent| async move {
        let outcome = put_files(context, &row).await;
        (row, outcome)
    };
    let work: Vec<_> = rows.into_iter().map(put).collect();
    let (mut there, mut failed) = (Vec::new(), Vec::new());
    let mut outcomes = stream::iter(work).buffered(AT_ONCE);
    while let Some((row, outcome)) = outcomes.next().await {
        match outcome {
            Ok(()) => there.push(row),
            Err(error) => failed.push((row.recording, error)),
        }
    }
    (there, failed)
}

/// Does `work` for each row, a few at a time; the first error ends it.
async fn in_parallel<'a, F>(rows: &'a [Unsent], work: impl Fn(&'a Unsent) -> F) -> Result<(), AnnounceError>
where
    F: Future<Output = Result<(), AnnounceError>>,
{
    let work: Vec<F> = rows.iter().map(work).collect();
    stream::iter(work).map(Ok).try_for_each_concurrent(AT_ONCE, |one| one).await
}

async fn delete_segments(context: &Context, row: &Unsent) -> Result<(), AnnounceError> {
    Ok(context.staging.delete_all(&segments::folder(&row.recording)).await?)
}

async fn put_files(context: &Context, row: &Unsent) -> Result<(), AnnounceError> {
    let prepared = &row.prepared;
    let put = |(section, content): (Section, &Vec<u8>)| {
        let name = format!("{}{section}", row.message.base_name);
        let key = Key::from(row.message.staging_key(&name));
        let content = Bytes::from(content.clone());
        async move { context.staging.put_once(&key, content, "a sealed file").await }
    };
    let files = [
        (Section::Info, &prepared.info),
        (Section::Journal, &prepared.journal),
        (Section::HashList, &prepared.hash_list),
        (Section::Signature, &prepared.signature_file),
    ];
    future::try_join_all(files.map(put)).await?;
    Ok(())
}
