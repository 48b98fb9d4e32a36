//! Audio files from segments: streamed, hashed on the way.

use std::io::{self, BufWriter, Cursor, Write};

use domain::RecordingId;
use evidence::{BaseName, HashedFile, HashingWriter, Sha256Hash};
use media::wav::{LaidReader, WavError, WavHeader, write_interleaved};
use object_store::path::Path as Key;

use super::layout::{ChannelPlan, FilePlan};
use crate::{
    cost::{self, Costs},
    staging::{Put, Staging, StagingError, Together},
    state::recording::Segment,
};

/// What is written at once.
const PART_BYTES: usize = 64 << 10;

/// Why an audio file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// Reading a segment, or writing the file.
    #[error("the audio file cannot be put together")]
    Wav(#[from] WavError),
    /// Finishing the file.
    #[error("the audio file cannot be finished in staging (is the disk full?)")]
    Finish(#[source] io::Error),
    /// Making the file, or putting it into its place.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The process is ending.
    #[error("the work was stopped")]
    Stopped,
}

/// The audio files of one recording, to be written.
pub struct Job {
    /// The recording's [`folder`].
    pub folder: String,
    /// How its files are called.
    pub base: BaseName,
    /// What they hold.
    pub plans: Vec<FilePlan>,
    /// Where that lies.
    pub segments: Vec<Segment>,
}

/// The folder of a sealed recording.
pub fn folder(tenant: &str, recording: &RecordingId) -> String {
    format!("sealed/{tenant}/{recording}")
}

/// Writes the planned files of these recordings to staging; when this returns they are durable. A repeat
/// writes the same bytes. The outcome of each recording by itself, in order: a segment is missing or
/// damaged, or staging cannot be written.
pub async fn write(
    staging: &Staging,
    jobs: Vec<Job>,
    costs: &Costs,
) -> Vec<Result<Vec<HashedFile>, AudioError>> {
    let (staging, count, costs) = (staging.clone(), jobs.len(), costs.clone());
    let work = move || costs.of(cost::Stage::Audio, || write_all(&staging, &jobs));
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| (0..count).map(|_| Err(AudioError::Stopped)).collect())
}

fn write_all(staging: &Staging, jobs: &[Job]) -> Vec<Result<Vec<HashedFile>, AudioError>> {
    let mut together = staging.together();
    let written: Vec<_> = jobs
        .iter()
        .map(|job| {
            let before = together.len();
            let files: Result<Vec<_>, AudioError> =
                job.plans.iter().map(|plan| write_file(staging, &mut together, job, plan)).collect();
            if files.is_err() {
                together.take_back(before);
            }
            files
        })
        .collect();
    let mut outcomes = together.put().into_iter();
    let finish = |files: Vec<HashedFile>| {
        let put: Vec<Result<(), StagingError>> = outcomes.by_ref().take(files.len()).collect();
        put.into_iter().collect::<Result<(), _>>()?;
        Ok(files)
    };
    let mut finish = finish;
    written.into_iter().map(|files| files.and_then(&mut finish)).collect()
}

fn write_file(
    staging: &Staging,
    together: &mut Together<'_>,
    job: &Job,
    plan: &FilePlan,
) -> Result<HashedFile, AudioError> {
    let name = job.base.file(plan.section);
    let key = Key::from(job.folder.as_str()).join(format!("{}{}", job.base.recording(), plan.section));
    let channels = u16::try_from(plan.channels.len()).unwrap_or(u16::MAX);
    let header = WavHeader::new(plan.codec, channels, plan.frames);
    let mut inputs: Vec<_> = plan
        .channels
        .iter()
        .map(|channel| LaidReader::new(plan.codec, parts(staging, channel, &job.segments)))
        .collect();
    let file = together.create(&key, Put::Replace)?;
    let mut to = HashingWriter::new(BufWriter::with_capacity(PART_BYTES, file));
    write_interleaved(&header, &mut inputs, &mut to)?;
    let (mut buffer, sha256, size) = to.finish();
    buffer.flush().map_err(AudioError::Finish)?;
    Ok(HashedFile { name, size, sha256 })
}

/// The segments of a channel's tracks, each read when its turn comes and compared with its hash.
fn parts<'a>(
    staging: &'a Staging,
    channel: &'a ChannelPlan,
    segments: &'a [Segment],
) -> impl Iterator<Item = io::Result<(u64, Cursor<Vec<u8>>)>> + 'a {
    channel
        .tracks
        .iter()
        .flat_map(move |track| segments.iter().filter(move |segment| segment.track == track.track))
        .map(move |segment| {
            let content = staging.read_now(&Key::from(segment.object.as_str())).map_err(io::Error::other)?;
            if Sha256Hash::of(&content).to_string() != segment.sha256 {
                return Err(io::Error::other(StagingError::Damaged));
            }
            Ok((segment.start_sample, Cursor::new(content)))
        })
}
