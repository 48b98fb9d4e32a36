//! Audio files from segments: streamed, hashed on the way.

use std::io::{self, Cursor};

use bytes::Bytes;
use domain::RecordingId;
use evidence::{BaseName, HashedFile, HashingWriter, Sha256Hash};
use media::wav::{LaidReader, WavError, WavHeader, write_interleaved};
use object_store::{buffered::BufWriter, path::Path as Key};
use tokio::{io::AsyncWriteExt, runtime::Handle};
use tokio_util::io::SyncIoBridge;

use super::layout::{ChannelPlan, FilePlan};
use crate::{
    staging::{Staging, StagingError},
    state::recording::Segment,
};

/// What is written at once, and kept in memory for it.
const PART_BYTES: usize = 4 << 20;

/// Why an audio file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// Reading a segment, or writing the file.
    #[error("the audio file cannot be put together")]
    Wav(#[from] WavError),
    /// Finishing the file.
    #[error("the audio file cannot be finished in staging (is the disk full?)")]
    Finish(#[source] io::Error),
    /// The process is ending.
    #[error("the work was stopped")]
    Stopped,
}

/// The folder of a sealed recording.
pub fn folder(tenant: &str, recording: &RecordingId) -> String {
    format!("sealed/{tenant}/{recording}")
}

/// Writes the planned files to staging under `folder`. A repeat writes the same bytes.
///
/// # Errors
/// A segment is missing or damaged, or staging cannot be written.
pub async fn write(
    staging: &Staging,
    folder: &str,
    base: &BaseName,
    plans: Vec<FilePlan>,
    segments: Vec<Segment>,
) -> Result<Vec<HashedFile>, AudioError> {
    let (staging, folder, base) = (staging.clone(), folder.to_owned(), base.clone());
    let runtime = Handle::current();
    let work = move || {
        let mut files = Vec::new();
        for plan in plans {
            let name = base.file(plan.section);
            let key = Key::from(folder.as_str()).join(format!("{}{}", base.recording(), plan.section));
            files.push(write_file(&staging, &runtime, key, name, &plan, &segments)?);
        }
        Ok(files)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(AudioError::Stopped))
}

fn write_file(
    staging: &Staging,
    runtime: &Handle,
    key: Key,
    name: String,
    plan: &FilePlan,
    segments: &[Segment],
) -> Result<HashedFile, AudioError> {
    let channels = u16::try_from(plan.channels.len()).unwrap_or(u16::MAX);
    let header = WavHeader::new(plan.codec, channels, plan.frames);
    let mut inputs: Vec<_> = plan
        .channels
        .iter()
        .map(|channel| LaidReader::new(plan.codec, parts(staging, runtime, channel, segments)))
        .collect();
    let upload = BufWriter::with_capacity(staging.store().clone(), key, PART_BYTES);
    let mut to = HashingWriter::new(SyncIoBridge::new_with_handle(upload, runtime.clone()));
    let written = write_interleaved(&header, &mut inputs, &mut to);
    let (bridge, sha256, size) = to.finish();
    let mut upload = bridge.into_inner();
    if let Err(error) = written {
        // What was written so far is of no use; if it stays, a repeat writes over it.
        let _ = runtime.block_on(upload.abort());
        return Err(error.into());
    }
    runtime.block_on(upload.shutdown()).map_err(AudioError::Finish)?;
    Ok(HashedFile { name, size, sha256 })
}

/// The segments of a channel's tracks, each read when its turn comes and compared with its hash.
fn parts<'a>(
    staging: &'a Staging,
    runtime: &'a Handle,
    channel: &'a ChannelPlan,
    segments: &'a [Segment],
) -> impl Iterator<Item = io::Result<(u64, Cursor<Bytes>)>> + 'a {
    channel
        .tracks
        .iter()
        .flat_map(move |track| segments.iter().filter(move |segment| segment.track == track.track))
        .map(move |segment| {
            let content = runtime.block_on(staging.read(&Key::from(segment.object.as_str())));
            let content = content.map_err(io::Error::other)?;
            if Sha256Hash::of(&content).to_string() != segment.sha256 {
                return Err(io::Error::other(StagingError::Damaged));
            }
            Ok((segment.start_sample, Cursor::new(content)))
        })
}
