//! One partition of the stream CALLS, for as long as its lease is held.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{BusError, Entry, Partition, PartitionReader};
use domain::TenantId;
use tokio_util::sync::CancellationToken;
use wire::{
    Message,
    call_v1::{CallMessage, call_message::Body},
    event_v1::{self, event::What},
};

use super::{
    directory::Directory,
    empty, purge,
    recording::{Assembler, Offered},
    segments,
};
use crate::{
    context::Context,
    fail_point,
    staging::StagingError,
    state::{
        Held, Phase, StateError,
        recording::{Finished, Stored, Update},
    },
};

/// The stream whose messages are assembled.
const STREAM: &str = "CALLS";

/// A partition is stored before its finished audio takes more memory than this, however long the
/// time between flushes is.
const READY_BYTES: usize = 8 << 20;

/// What `Interrupted` says of a recording that lacks parts.
const PARTS_MISSING: &str = "parts of the call did not arrive in time";

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Why the work on a partition stopped. Everything in memory is dropped then and read again: what
/// counts is in SQL and in the stream.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The bus.
    #[error("the bus")]
    Bus(#[from] BusError),
}

/// Assembles a partition until `stop` (flushes, then returns) or until the lease is lost. Faults are
/// reported and the work begins again from what is stored.
pub async fn run(context: Arc<Context>, part: u16, lease: Held, stop: CancellationToken) {
    let mut pause = Duration::from_millis(200);
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let outcome = match Worker::start(context.clone(), part, lease.clone()).await {
            Ok(mut worker) => Box::pin(worker.work(&stop)).await,
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return };
        if let AssembleError::State(StateError::Fenced(_)) = error {
            tracing::info!(part, "the partition was taken over by another replica");
            return;
        }
        context.fault("assemble", "", "", &error);
        if begun.elapsed() > Duration::from_secs(60) {
            pause = Duration::from_millis(200);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(10)),
        }
    }
}

/// What is to be done about a recording whose messages do not come.
enum Due {
    /// It ends, for this reason.
    End(String),
    /// It goes on without what is missing.
    Hole,
}

struct Worker {
    context: Arc<Context>,
    part: u16,
    lease: Held,
    partition: Partition,
    reader: PartitionReader,
    directory: Directory,
    /// Everything up to here is stored.
    mark: u64,
    /// Tenants of which there were messages since the stream was purged as a whole.
    unpurged: BTreeSet<TenantId>,
    /// Something in the stream may not be needed any more.
    purge_due: bool,
    /// Everything up to here was read.
    read: u64,
    flushed: Instant,
}

impl Worker {
    async fn start(context: Arc<Context>, part: u16, lease: Held) -> Result<Self, AssembleError> {
        let now = Instant::now();
        let mark = context.state.mark(part).await?;
        let directory = Directory::load(&context.state, part, now).await?;
        let partition = context.bus.partition(part);
        let reader = partition.read_from(mark + 1).await?;
        tracing::debug!(part, mark, open = directory.open_count(), "assembling a partition");
        context.metrics.open.add(gauge(directory.open_count()));
        let unpurged = BTreeSet::new();
        Ok(Self {
            context,
            part,
            lease,
            partition,
            reader,
            directory,
            mark,
            unpurged,
            purge_due: true,
            read: mark,
            flushed: now,
        })
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), AssembleError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // `PartitionReader::next` loses nothing when it is cancelled.
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.flush().await,
                _ = tick.tick() => self.look_at_deadlines().await?,
                // A message is large, and the futures that hold it are several times as large.
                entry = self.reader.next() => Box::pin(self.take(entry?)).await?,
            }
        }
    }

    async fn take(&mut self, entry: Entry) -> Result<(), AssembleError> {
        let (sequence, stored_unix_us) = (entry.sequence, entry.stored_unix_us);
        // Before the message is looked at: a step back (see `read_again`) lowers it again.
        self.read = sequence;
        match entry.content {
            Ok(message) => match message.body {
                Some(Body::NodeStarted(_)) => self.node_started(&message).await?,
                _ => Box::pin(self.message(sequence, stored_unix_us, message)).await?,
            },
            Err(poison) => self.bury(sequence, &poison.reason, &poison.payload).await?,
        }
        let unstored = i64::try_from(self.read.saturating_sub(self.mark)).unwrap_or(i64::MAX);
        self.context.metrics.unstored.with_label_values(&[&self.part.to_string()]).set(unstored);
        Ok(())
    }

    async fn message(
        &mut self,
        sequence: u64,
        stored_unix_us: i64,
        message: CallMessage,
    ) -> Result<(), AssembleError> {
        let (Ok(recording), Ok(tenant)) = (message.recording(), message.tenant.parse::<TenantId>()) else {
            return self.bury(sequence, "its ids are not valid", &message.encode_to_vec()).await;
        };
        if !self.unpurged.contains(&tenant) {
            self.unpurged.insert(tenant);
        }
        let origin = format!("{recording}/{}", message.epoch);
        if self.directory.get_mut(&origin).is_some_and(|open| open.has_given_up(message.number)) {
            // A section is laid in the order of its numbers: this one begins the next section.
            self.end_early(&origin, PARTS_MISSING).await?;
            if self.directory.get_mut(&origin).is_some() {
                // The stream is read again from a place before this message.
                return Ok(());
            }
        }
        let now = Instant::now();
        let opened = self.directory.open_count();
        let state = &self.context.state;
        let Some(open) = self.directory.find_or_open(state, recording, &message, now).await? else {
            self.context.metrics.messages.with_label_values(&["known"]).inc();
            return Ok(());
        };
        // The message is kept only for the case that it cannot be used.
        let started = matches!(message.body, Some(Body::Started(_))).then(|| message.clone());
        let outcome = open.offer(sequence, stored_unix_us, message, now);
        let (origin, whole) = (open.origin.clone(), open.is_whole());
        self.context.metrics.open.add(gauge(self.directory.open_count()) - gauge(opened));
        let outcome_name = match outcome {
            Offered::Applied => "applied",
            Offered::Held => "held",
            Offered::Known => "known",
            Offered::NotKept => "not_kept",
            Offered::Unusable(reason) => {
                let payload = started.map(|message| message.encode_to_vec()).unwrap_or_default();
                self.bury(sequence, reason, &payload).await?;
                "unusable"
            }
        };
        self.context.metrics.messages.with_label_values(&[outcome_name]).inc();
        if whole { self.finish(&origin, String::new()).await } else { self.read_again(&origin).await }
    }

    /// Messages that there was no room for are read once those before them were applied.
    async fn read_again(&mut self, origin: &str) -> Result<(), AssembleError> {
        match self.directory.get_mut(origin).and_then(Assembler::reread) {
            Some(from) => self.step_back(from).await,
            None => Ok(()),
        }
    }

    async fn step_back(&mut self, from: u64) -> Result<(), AssembleError> {
        if from <= self.read {
            tracing::debug!(part = self.part, from, "reading a part of the stream again");
            self.reader = self.partition.read_from(from).await?;
            self.read = from - 1;
        }
        Ok(())
    }

    /// An ingest node runs anew and has handed over what it had: its earlier calls get no more
    /// messages.
    async fn node_started(&mut self, message: &CallMessage) -> Result<(), AssembleError> {
        // Epochs are UUIDv7 in lower case: they sort by time.
        let ended: Vec<String> = self
            .directory
            .open()
            .filter(|open| open.call.node == message.node && open.call.epoch < message.epoch)
            .map(|open| open.origin.clone())
            .collect();
        for origin in ended {
            self.end_early(&origin, "the recorder was restarted during the call").await?;
        }
        Ok(())
    }

    /// Ends a recording whose missing messages will not come, or were waited for long enough.
    async fn end_early(&mut self, origin: &str, reason: &str) -> Result<(), AssembleError> {
        let Some(open) = self.directory.get_mut(origin) else { return Ok(()) };
        if !open.has_beginning() {
            return self.finish(origin, reason.to_owned()).await;
        }
        open.give_up_holes();
        if open.not_kept().is_some() {
            // What is still in the stream comes first; the reason is found again at its end.
            return self.read_again(origin).await;
        }
        self.finish(origin, reason.to_owned()).await
    }

    async fn look_at_deadlines(&mut self) -> Result<(), AssembleError> {
        let now = Instant::now();
        let options = &self.context.options;
        let patience = options.interrupted_after();
        let steady = self.context.connected_for(now).is_some_and(|since| since >= patience);
        let mut due: Vec<(String, Due)> = Vec::new();
        for open in self.directory.open() {
            let silent = open.silent_for(now);
            let what = if let Some(since) = open.incomplete_for(now) {
                let is_late = since >= options.spool_deadline() && silent >= TICK;
                is_late.then(|| Due::End(PARTS_MISSING.to_owned()))
            } else if silent >= patience {
                Some(Due::End(format!("the recorder sent nothing for {} seconds", patience.as_secs())))
            } else {
                // The stream keeps all that waits: one call must not fill it for as long as it lasts.
                let is_stuck = open.hole_for(now).is_some_and(|since| since >= options.spool_deadline());
                (is_stuck && open.has_beginning()).then_some(Due::Hole)
            };
            due.extend(what.map(|what| (open.origin.clone(), what)));
        }
        if !due.is_empty() && self.may_judge(steady).await {
            for (origin, what) in due {
                match what {
                    Due::End(reason) => self.end_early(&origin, &reason).await?,
                    Due::Hole => self.give_up_hole(&origin).await?,
                }
            }
        }
        let ready: usize = self.directory.open().map(Assembler::ready_bytes).sum();
        if (self.read > self.mark || self.purge_due)
            && (self.flushed.elapsed() >= self.context.options.flush_every() || ready >= READY_BYTES)
        {
            self.flush().await?;
        }
        Ok(())
    }

    /// Goes on with a call that lives without the part that it has waited for.
    async fn give_up_hole(&mut self, origin: &str) -> Result<(), AssembleError> {
        let Some(open) = self.directory.get_mut(origin) else { return Ok(()) };
        tracing::warn!(recording = %open.id, "a part of the call did not arrive in time; it goes on without");
        open.give_up_hole(Instant::now());
        if open.is_whole() { self.finish(origin, String::new()).await } else { self.read_again(origin).await }
    }

    /// Whether silence is that of the recorder: all of the stream was read, and the bus has been there
    /// for long enough. A bus that is connected and does not answer cannot have taken anything either.
    async fn may_judge(&self, steady: bool) -> bool {
        if !self.context.bus.is_connected() {
            return false;
        }
        match self.partition.last_sequence().await {
            Ok(last) => steady && last <= self.read,
            Err(_) => {
                self.context.bus_failed(Instant::now());
                false
            }
        }
    }

    /// Steps 2 to 4 of the write order (see [`super`]) for all open recordings.
    async fn flush(&mut self) -> Result<(), AssembleError> {
        let mut updates = Vec::new();
        let mut tenants = BTreeSet::new();
        let mut keep_from = self.read + 1;
        for open in self.directory.open_mut() {
            keep_from = keep_from.min(open.keep_from().unwrap_or(u64::MAX));
            let (id, origin) = (open.id, open.origin.clone());
            if let Some((runs, call, timeline)) = open.take_changes() {
                let segments = segments::write(&self.context.staging, &id, runs).await?;
                tenants.insert(call.tenant.clone());
                let stored = Stored { id, origin, call, phase: Phase::Open, timeline: Some(timeline) };
                updates.push(Update { stored, segments });
            }
        }
        fail_point::reached("flush-segments-written");
        let mark = (keep_from - 1).max(self.mark);
        if mark > self.mark || !updates.is_empty() {
            for tenant in &tenants {
                self.ensure_log(tenant).await?;
            }
            self.context.state.commit_flush(&self.lease, self.part, mark, &updates).await?;
            fail_point::reached("flush-committed");
            self.mark = mark;
            self.purge_due = true;
        }
        if self.purge_due {
            let up_to = (self.mark, self.read);
            match purge::to(&self.context, &self.partition, &mut self.unpurged, up_to).await {
                Ok(is_done) => self.purge_due = !is_done,
                // Can wait: the next flush purges this, too.
                Err(error) => tracing::debug!(part = self.part, %error, "the stream could not be purged yet"),
            }
        }
        self.flushed = Instant::now();
        Ok(())
    }

    async fn finish(&mut self, origin: &str, interrupted: String) -> Result<(), AssembleError> {
        let Some(open) = self.directory.take(origin) else { return Ok(()) };
        self.context.metrics.open.dec();
        let Some(lane) = open.lane() else { return Box::pin(self.finish_headless(open)).await };
        let (id, origin) = (open.id, open.origin.clone());
        let interrupted = match open.has_gaps() {
            true if interrupted.is_empty() => PARTS_MISSING.to_owned(),
            _ => interrupted,
        };
        let was_interrupted = !interrupted.is_empty();
        let (runs, call) = open.finish(interrupted);
        let segments = segments::write(&self.context.staging, &id, runs).await?;
        fail_point::reached("assemble-segments-written");
        let laid = call.laid.clone().unwrap_or_default();
        let received: u64 = laid.streams.iter().map(|stream| stream.received).sum();
        // A late "ended" alone is no section; a call without audio is a recording all the same.
        let is_empty = !call.supplements.is_empty() && received == 0;
        let phase = if is_empty { Phase::Empty } else { Phase::Complete };
        let stored = Stored { id, origin: origin.clone(), call: call.clone(), phase, timeline: None };
        let update = Update { stored, segments };
        self.ensure_log(&call.tenant).await?;
        let empty = match is_empty {
            true => empty::entry(&self.context, &call, &id, "a late section of a call held no audio").await?,
            false => None,
        };
        let then = if is_empty { Finished::Empty(empty.as_ref()) } else { Finished::ToSeal(&lane) };
        // A flush of several statements is large, and so would be the futures that hold it.
        Box::pin(self.context.state.commit_finished(&self.lease, self.part, &update, then)).await?;
        fail_point::reached("assemble-committed");
        let outcome = match (is_empty, call.supplements.is_empty(), was_interrupted) {
            (true, ..) => "empty",
            (_, false, _) => "supplement",
            (_, _, true) => "interrupted",
            _ => "complete",
        };
        self.context.metrics.assembled.with_label_values(&[outcome]).inc();
        tracing::info!(recording = %id, outcome, packets = received, "assembled");
        if !is_empty {
            let assembled = event_v1::Assembled {
                packets_received: received,
                packets_lost: laid.streams.iter().map(|stream| stream.lost).sum(),
                duration_ms: laid.length_samples / 8,
                supplement_to: call.supplements.clone(),
            };
            self.context.event(&call.tenant, &id.to_string(), What::Assembled(assembled));
            self.context.to_seal.notify_one();
        }
        self.directory.finished(origin, call);
        Ok(())
    }

    /// The tenant's log is there, so that the beginning of its calls can be written into it.
    async fn ensure_log(&self, tenant: &str) -> Result<(), AssembleError> {
        if let Ok(tenant) = tenant.parse() {
            self.context.log_of(&tenant).await?;
        }
        Ok(())
    }

    /// The first message never came: nobody knows whether and for whom this is to be recorded. What
    /// came is kept in the dead-letter stream; should the beginning come later, it opens a section.
    async fn finish_headless(&mut self, open: Assembler) -> Result<(), AssembleError> {
        let (id, origin) = (open.id, open.origin.clone());
        let not_kept = open.not_kept();
        let (call, held) = open.into_held();
        for held in held {
            let payload = held.message.encode_to_vec();
            self.bury(held.sequence, "the beginning of its call never came", &payload).await?;
        }
        let stored =
            Stored { id, origin: origin.clone(), call: call.clone(), phase: Phase::Headless, timeline: None };
        let update = Update { stored, segments: Vec::new() };
        let empty = empty::entry(&self.context, &call, &id, "the beginning of the call never came").await?;
        let then = Finished::Empty(empty.as_ref());
        Box::pin(self.context.state.commit_finished(&self.lease, self.part, &update, then)).await?;
        self.context.metrics.assembled.with_label_values(&["headless"]).inc();
        tracing::error!(recording = %id, "the beginning of the call never came; its messages are dead letters");
        let fault = event_v1::Fault {
            r#where: "signer/assemble".to_owned(),
            problem: "the beginning of the call never came; what came lies in the dead-letter stream"
                .to_owned(),
            will_retry: false,
        };
        self.context.event(&call.tenant, &id.to_string(), What::Fault(fault));
        self.directory.finished(origin, call);
        // The rest of its messages follows the same way.
        match not_kept {
            Some(from) => self.step_back(from).await,
            None => Ok(()),
        }
    }

    async fn bury(&self, sequence: u64, reason: &str, payload: &[u8]) -> Result<(), AssembleError> {
        tracing::warn!(
            part = self.part,
            sequence,
            reason,
            "a message cannot be used; it goes to the dead letters"
        );
        Ok(self.context.bus.dead_letter(STREAM, sequence, reason, payload).await?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.context.metrics.open.sub(gauge(self.directory.open_count()));
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
