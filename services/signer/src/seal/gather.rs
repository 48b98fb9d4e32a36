//! What is due in a lane, with its audio files: step 1 of the sealing, ahead of the others.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use domain::RecordingId;
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{
    SealError, audio,
    describe::{Terms, Unusable},
    layout,
    prepare::{self, Ready},
};
use crate::{
    context::Context,
    fail_point,
    state::{seal_queue::Waiting, unsealed::Unsealed},
};

/// Recordings that are read from the queue at once.
const ROWS: u32 = 512;
/// Recordings whose records are read, and whose audio files are made durable, together.
const TOGETHER: usize = 64;
/// Samples of all channels after which no further recording is added to those.
const TOGETHER_SAMPLES: u64 = 32 << 20;
/// Groups of recordings whose audio is put together at the same time.
const GROUPS: usize = 2;
/// After this long a lane lets others have their turn.
const TURN: Duration = Duration::from_secs(10);

/// A recording with its audio in staging, or why it has to wait.
pub type Gathered = (RecordingId, Result<Ready, SealError>);

/// A recording that was read, its audio still to be put together.
struct Read {
    ready: Ready,
    job: audio::Job,
}

/// The recordings of a lane that are due, `first` and those that follow in the queue, in order. An error
/// stops the whole lane.
pub fn gather<'a>(
    context: &'a Context,
    lane: &'a domain::Lane,
    first: Vec<Waiting>,
    stop: &'a CancellationToken,
) -> impl Stream<Item = Result<Vec<Gathered>, SealError>> + 'a {
    let queue = Queue { context, lane, last: 0, rest: VecDeque::new(), until: Instant::now() + TURN };
    let read = stream::try_unfold(queue.with(first), move |mut queue| async move {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let some = queue.next().await?;
        Ok::<_, SealError>((!some.is_empty()).then_some((some, queue)))
    });
    let read = read.then(move |waiting| async move { read_all(context, waiting?).await });
    let groups = read.flat_map(|read: Result<Vec<Vec<_>>, SealError>| match read {
        Ok(groups) => stream::iter(groups.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(error)]),
    });
    groups.map(move |group| async move { Ok(put_together(context, group?).await) }).buffered(GROUPS)
}

/// What of a lane has not been taken from the queue yet.
struct Queue<'a> {
    context: &'a Context,
    lane: &'a domain::Lane,
    /// The farthest place of the queue that was taken.
    last: i64,
    rest: VecDeque<Waiting>,
    until: Instant,
}

impl Queue<'_> {
    fn with(mut self, waiting: Vec<Waiting>) -> Self {
        self.last = waiting.iter().map(|one| one.ordinal).fold(self.last, i64::max);
        self.rest.extend(waiting);
        self
    }

    /// The next ones; none: the queue is empty, or the turn is over.
    async fn next(&mut self) -> Result<Vec<Waiting>, SealError> {
        if self.rest.is_empty() && Instant::now() < self.until {
            let more = first_due(self.context, self.lane, self.last).await?;
            self.last = more.iter().map(|one| one.ordinal).fold(self.last, i64::max);
            self.rest.extend(more);
        }
        let some = self.rest.len().min(TOGETHER);
        Ok(self.rest.drain(..some).collect())
    }
}

/// What is due in a lane behind the place `after` of the queue.
///
/// # Errors
/// The state cannot be read.
pub async fn first_due(
    context: &Context,
    lane: &domain::Lane,
    after: i64,
) -> Result<Vec<Waiting>, SealError> {
    Ok(context.state.waiting(lane, after, ROWS).await?)
}

/// Reads the records and plans the files, in groups that are not too large.
async fn read_all(
    context: &Context,
    waiting: Vec<Waiting>,
) -> Result<Vec<Vec<(RecordingId, Result<Read, SealError>)>>, SealError> {
    let ids: Vec<RecordingId> = waiting.iter().map(|one| one.recording).collect();
    let found = context.state.unsealed(&ids).await?;
    let mut groups = vec![Vec::new()];
    let mut samples = 0_u64;
    for (waiting, found) in waiting.into_iter().zip(found) {
        if samples > TOGETHER_SAMPLES {
            groups.push(Vec::new());
            samples = 0;
        }
        let id = waiting.recording;
        let read = found.map_err(SealError::from).and_then(|found| {
            let found = found.ok_or(Unusable("it is not there"))?;
            Ok(read_one(waiting, found)?)
        });
        if let Ok(read) = &read {
            let lengths = read.job.plans.iter().map(|plan| plan.frames * plan.channels.len() as u64);
            samples += lengths.sum::<u64>();
        }
        groups.last_mut().expect("there is a group").push((id, read));
    }
    Ok(groups)
}

fn read_one(waiting: Waiting, found: Unsealed) -> Result<Read, Unusable> {
    let Unsealed { call, segments } = found;
    let id = waiting.recording;
    let terms = Terms::of(&call)?;
    let laid = call.laid.as_ref().ok_or(Unusable("its timeline is not described"))?;
    let plans = layout::plan(&call, laid, terms.channels);
    let base = prepare::base_name(id, &call, &terms);
    let job = audio::Job { folder: audio::folder(&call.tenant, &id), base, plans: plans.clone(), segments };
    let Waiting { prepared, queued_ms, .. } = waiting;
    let ready = Ready { id, call, terms, plans, audio: Vec::new(), prepared, queued_ms };
    Ok(Read { ready, job })
}

async fn put_together(
    context: &Context,
    group: Vec<(RecordingId, Result<Read, SealError>)>,
) -> Vec<Gathered> {
    let mut jobs = Vec::with_capacity(group.len());
    let mut all = Vec::with_capacity(group.len());
    for (id, read) in group {
        all.push((
            id,
            read.map(|Read { ready, job }| {
                jobs.push(job);
                ready
            }),
        ));
    }
    let mut written = audio::write(&context.staging, jobs, &context.metrics.cpu).await.into_iter();
    for (_, one) in &mut all {
        let Ok(ready) = one else { continue };
        match written.next() {
            Some(Ok(audio)) => ready.audio = audio,
            Some(Err(error)) => *one = Err(error.into()),
            None => *one = Err(SealError::Stopped),
        }
    }
    fail_point::reached("seal-audio-written");
    all
}
