//! One recording while its messages come in: they are put in order, applied to the call's facts
//! and to the timeline. No I/O; time is an argument.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use domain::{Lane, RecordingId};
use media::{PayloadMap, Timeline, TimelineConfig, timeline::Run};
use wire::call_v1::{CallMessage, Stream, call_message::Body};

use super::numbers::Numbers;
use crate::state::call_record::{CallRecord, NumberRange};

/// What a message that came before its turn may take in memory, over one recording: about four
/// minutes of a two-party call. Beyond it the message is read again from the stream later.
const HELD_BYTES: usize = 4 << 20;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It was applied, and with it those that waited for it.
    Applied,
    /// It waits for those before it.
    Held,
    /// It was there already, or is not awaited any more.
    Known,
    /// There was no room to hold it: it has to be read from the stream again.
    NotKept,
    /// It says what cannot be; it counts as applied.
    Unusable(&'static str),
}

/// A message that came before its turn.
pub struct HeldMessage {
    /// Where it lies in the stream.
    pub sequence: u64,
    /// The message.
    pub message: CallMessage,
}

/// Messages that there was no room for.
#[derive(Debug, Clone, Copy)]
struct NotKept {
    /// The lowest place in the stream of any of them.
    sequence: u64,
    /// The lowest number of any of them.
    number: u64,
}

/// A recording that is being assembled.
pub struct Assembler {
    /// Its id.
    pub id: RecordingId,
    /// `<recording id>/<epoch>` as the messages name it.
    pub origin: String,
    /// What is known of the call.
    pub call: CallRecord,
    numbers: Numbers,
    timeline: Timeline,
    held: BTreeMap<u64, HeldMessage>,
    held_bytes: usize,
    not_kept: Option<NotKept>,
    changed: bool,
    last_seen: Instant,
    end_seen: Option<Instant>,
    /// The number that others wait for, and since when.
    hole: Option<(u64, Instant)>,
}

impl Assembler {
    /// A recording of which nothing is known but its ids, and `wanted` numbers; `call` holds what is
    /// known from an earlier section.
    pub fn new(id: RecordingId, origin: String, call: CallRecord, wanted: Numbers, now: Instant) -> Self {
        let mut timeline = Timeline::new(TimelineConfig::default());
        describe(&mut timeline, &call.streams);
        Self::with(id, origin, call, wanted, timeline, now)
    }

    /// A recording as it was stored.
    ///
    /// # Errors
    /// The timeline's snapshot is of a version that cannot be read.
    pub fn restore(
        id: RecordingId,
        origin: String,
        call: CallRecord,
        snapshot: &[u8],
        now: Instant,
    ) -> Result<Self, media::timeline::RestoreError> {
        let timeline = Timeline::restore(snapshot)?;
        let numbers = Numbers::restore(call.wanted.clone());
        let ended = !numbers.is_open_ended();
        let mut restored = Self::with(id, origin, call, numbers, timeline, now);
        restored.end_seen = ended.then_some(now);
        restored.changed = false;
        Ok(restored)
    }

    fn with(
        id: RecordingId,
        origin: String,
        call: CallRecord,
        numbers: Numbers,
        timeline: Timeline,
        now: Instant,
    ) -> Self {
        Self {
            id,
            origin,
            call,
            numbers,
            timeline,
            held: BTreeMap::new(),
            held_bytes: 0,
            not_kept: None,
            changed: true,
            last_seen: now,
            end_seen: None,
            hole: None,
        }
    }

    /// Takes a message in whatever order it comes.
    pub fn offer(
        &mut self,
        sequence: u64,
        stored_unix_us: i64,
        message: CallMessage,
        now: Instant,
    ) -> Offered {
        let outcome = self.take(sequence, stored_unix_us, message, now);
        self.look_for_hole(now);
        outcome
    }

    fn look_for_hole(&mut self, now: Instant) {
        let waits = !self.held.is_empty() || self.not_kept.is_some();
        self.hole = match (self.numbers.next().filter(|_| waits), self.hole) {
            (Some(next), Some(known)) if known.0 == next => Some(known),
            (next, _) => next.map(|next| (next, now)),
        };
    }

    fn take(&mut self, sequence: u64, stored_unix_us: i64, message: CallMessage, now: Instant) -> Offered {
        self.last_seen = now;
        self.call.last_stored_unix_us = self.call.last_stored_unix_us.max(stored_unix_us);
        let number = message.number;
        if !self.numbers.wants(number) || self.held.contains_key(&number) {
            return Offered::Known;
        }
        self.changed = true;
        if matches!(message.body, Some(Body::Ended(_))) {
            self.numbers.end_at(number);
            self.end_seen = Some(now);
        }
        if self.numbers.next() == Some(number) {
            let outcome = self.apply(message);
            self.apply_held();
            return outcome;
        }
        let size = size_of(&message);
        if self.held_bytes + size > HELD_BYTES {
            let lowest = self.not_kept.unwrap_or(NotKept { sequence, number });
            self.not_kept =
                Some(NotKept { sequence: lowest.sequence.min(sequence), number: lowest.number.min(number) });
            return Offered::NotKept;
        }
        self.held_bytes += size;
        self.held.insert(number, HeldMessage { sequence, message });
        Offered::Held
    }

    /// All messages were applied.
    pub fn is_whole(&self) -> bool {
        self.numbers.next().is_none()
    }

    /// The first message came, or an earlier section knows what it said.
    pub fn has_beginning(&self) -> bool {
        self.lane().is_some()
    }

    /// Where the recording is to be chained; `None` before the first message.
    pub fn lane(&self) -> Option<Lane> {
        let recorded = self.call.decision.as_ref()?.recorded.as_ref()?;
        Some(Lane { tenant: self.call.tenant.parse().ok()?, class: recorded.class.parse().ok()? })
    }

    /// Stops waiting for numbers that are missing before those that are held, and applies the held
    /// ones.
    pub fn give_up_holes(&mut self) {
        while self.give_up_first_hole() {}
        self.hole = None;
    }

    /// The same for the first hole alone: what is missing behind it may still be on its way.
    pub fn give_up_hole(&mut self, now: Instant) {
        self.give_up_first_hole();
        self.look_for_hole(now);
    }

    /// Whether more may be given up.
    fn give_up_first_hole(&mut self) -> bool {
        self.changed = true;
        // What was not kept is not missing: it is read again before anything behind it.
        let (held, not_kept) = (self.held.keys().next().copied(), self.not_kept.map(|lowest| lowest.number));
        let Some(target) = held.into_iter().chain(not_kept).min() else { return false };
        self.call.given_up.extend(self.numbers.give_up_below(target));
        if Some(target) == not_kept {
            return false;
        }
        self.apply_held();
        true
    }

    /// How long messages have waited for the same missing one.
    pub fn hole_for(&self, now: Instant) -> Option<Duration> {
        self.hole.map(|(_, since)| now.saturating_duration_since(since))
    }

    /// The message was waited for in vain; later ones were applied without it.
    pub fn has_given_up(&self, number: u64) -> bool {
        self.call.given_up.iter().any(|range| (range.first..=range.last).contains(&number))
    }

    /// Parts are missing that were not waited for any longer.
    pub fn has_gaps(&self) -> bool {
        !self.call.given_up.is_empty()
    }

    /// Sequence from which the stream has to be read again, because a message that was not kept is
    /// the next one now. `None`: nothing has to be.
    pub fn reread(&mut self) -> Option<u64> {
        let is_its_turn = self.not_kept?.number <= self.numbers.next().unwrap_or(u64::MAX);
        if is_its_turn { self.not_kept.take().map(|lowest| lowest.sequence) } else { None }
    }

    /// Sequence of the first message that there was no room for.
    pub fn not_kept(&self) -> Option<u64> {
        self.not_kept.map(|lowest| lowest.sequence)
    }

    /// The lowest sequence that must stay in the stream, because its content is not stored.
    pub fn keep_from(&self) -> Option<u64> {
        self.held.values().map(|held| held.sequence).chain(self.not_kept()).min()
    }

    /// How long no message has come.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_seen)
    }

    /// How long ago the last message came, if others are still missing.
    pub fn incomplete_for(&self, now: Instant) -> Option<Duration> {
        self.end_seen.map(|at| now.saturating_duration_since(at))
    }

    /// Bytes of finished audio that wait to be written.
    pub fn ready_bytes(&self) -> usize {
        self.timeline.ready_bytes()
    }

    /// Finished audio, and the state without it; `None`: nothing changed since the last time.
    pub fn take_changes(&mut self) -> Option<(Vec<Run>, CallRecord, Vec<u8>)> {
        if !mem::take(&mut self.changed) {
            return None;
        }
        let runs = self.timeline.take_ready();
        self.call.wanted = self.numbers.ranges().to_vec();
        Some((runs, self.call.clone(), self.timeline.snapshot()))
    }

    /// Ends the recording: the remaining audio and the call's record with what lies on the timeline.
    /// Numbers that never came stay wanted. `interrupted`: why it is not whole.
    pub fn finish(mut self, interrupted: String) -> (Vec<Run>, CallRecord) {
        self.timeline.finish();
        let runs = self.timeline.take_ready();
        let mut wanted: Vec<NumberRange> = mem::take(&mut self.call.given_up);
        wanted.extend_from_slice(self.numbers.ranges());
        self.call.wanted = wanted;
        self.call.interrupted = interrupted;
        self.call.laid = Some(super::laid::describe(&self.timeline));
        (runs, self.call)
    }

    /// What was held, for the dead-letter stream.
    pub fn into_held(self) -> (CallRecord, Vec<HeldMessage>) {
        let mut call = self.call;
        call.wanted = self.numbers.ranges().to_vec();
        (call, self.held.into_values().collect())
    }

    fn apply_held(&mut self) {
        while let Some(next) = self.numbers.next()
            && let Some(held) = self.held.remove(&next)
        {
            self.held_bytes -= size_of(&held.message);
            self.apply(held.message);
        }
        // Behind the end nothing counts, and what was given up will not be taken any more.
        let numbers = &self.numbers;
        self.held.retain(|number, _| numbers.wants(*number));
        self.held_bytes = self.held.values().map(|held| size_of(&held.message)).sum();
    }

    fn apply(&mut self, message: CallMessage) -> Offered {
        self.numbers.applied(message.number);
        let call = &mut self.call;
        match message.body {
            Some(Body::Started(started)) => {
                if started.decision.as_ref().is_none_or(|decision| decision.recorded.is_none()) {
                    return Offered::Unusable("a call that is not to be recorded was handed over");
                }
                call.invited_unix_us = started.invited_unix_us;
                call.facts = started.facts;
                call.decision = started.decision;
                call.answered_unix_us = started.answered_unix_us;
                self.streams(started.streams);
            }
            Some(Body::Audio(chunk)) => {
                for packet in &chunk.packets {
                    self.timeline.push(packet.stream, packet.arrival_unix_us, &packet.data, packet.rtcp);
                }
            }
            Some(Body::Changed(changed)) => {
                if changed.facts.is_some() {
                    call.facts = changed.facts;
                }
                if changed.answered_unix_us != 0 {
                    call.answered_unix_us = changed.answered_unix_us;
                }
                self.streams(changed.streams);
            }
            Some(Body::Ended(ended)) => call.ended = Some(ended),
            Some(Body::NodeStarted(_)) | None => {
                return Offered::Unusable("a message of a call without content");
            }
        }
        Offered::Applied
    }

    /// Takes over a list of streams. A stream that is not in it any more keeps its audio; somebody
    /// whose place was taken is remembered.
    fn streams(&mut self, streams: Vec<Stream>) {
        describe(&mut self.timeline, &streams);
        for stream in streams {
            match self.call.streams.iter_mut().find(|known| known.index == stream.index) {
                Some(known) => {
                    let before = mem::replace(known, stream);
                    if before.participant != known.participant && !before.participant.is_empty() {
                        self.call.former_streams.push(before);
                    }
                }
                None => self.call.streams.push(stream),
            }
        }
        self.call.streams.sort_by_key(|stream| stream.index);
    }
}

fn describe(timeline: &mut Timeline, streams: &[Stream]) {
    for stream in streams {
        let mut payloads = PayloadMap::new();
        for payload in &stream.payloads {
            if let Ok(payload_type) = u8::try_from(payload.payload_type) {
                payloads.insert(payload_type, &payload.encoding, payload.clock_rate_hz);
            }
        }
        timeline.describe_stream(stream.index, payloads);
    }
}

/// Bytes of audio, and something for the rest.
fn size_of(message: &CallMessage) -> usize {
    let audio = match &message.body {
        Some(Body::Audio(chunk)) => chunk.packets.iter().map(|packet| packet.data.len() + 64).sum(),
        _ => 0,
    };
    audio + 512
}
