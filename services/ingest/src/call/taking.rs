//! A recording that is being taken: what of the media belongs to it, and who may stop it.

use domain::{Recorded, Side};
use wire::call_v1::{AudioChunk, CallEnded, EndReason, StoppedBy, Stream};

use super::keys::StopWatch;
use crate::media::{MAX_STREAMS, chunk::RawChunk};

/// One recording while it is taken.
pub struct Taking {
    recorded: Recorded,
    /// Consent stood from here on, or it was started here: what came before is not kept, also if it
    /// is handed over later.
    since_unix_us: i64,
    stop: Option<StopWatch>,
    /// Who stopped it, and when; what was said until then may still wait at another socket.
    until: Option<(StoppedBy, i64)>,
    /// It has not all that the call's sockets took.
    is_part: bool,
    /// Datagrams that were kept, by stream.
    kept: [u64; MAX_STREAMS],
    streams: usize,
}

impl Taking {
    /// A recording of this kind. `is_part`: it does not begin with the call. It begins at `from_unix_us`,
    /// or when consent stood if that was later.
    pub fn new(recorded: Recorded, streams: &[Stream], is_part: bool, from_unix_us: i64) -> Self {
        let consent = recorded.consent.as_ref();
        let since_unix_us = consent.map_or(from_unix_us, |consent| consent.at_unix_us.max(from_unix_us));
        let mut taking = Self {
            stop: recorded.stop_keys.as_ref().and_then(|keys| StopWatch::new(keys, streams)),
            until: None,
            recorded,
            since_unix_us,
            is_part: is_part || since_unix_us > i64::MIN,
            kept: [0; MAX_STREAMS],
            streams: 0,
        };
        taking.count(streams);
        taking
    }

    /// How it is recorded.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// How it was recorded.
    pub fn into_recorded(self) -> Recorded {
        self.recorded
    }

    /// The streams as they are described now.
    pub fn learn(&mut self, streams: &[Stream]) {
        if let Some(stop) = &mut self.stop {
            stop.learn(streams);
        }
        self.count(streams);
    }

    /// The sides whose keys stop it from now on.
    pub fn own_sides(&mut self, sides: &[Side], streams: &[Stream]) {
        if let (Some(stop), Some(keys)) = (&mut self.stop, &mut self.recorded.stop_keys) {
            stop.listen_to(sides, streams);
            keys.sides = sides.to_vec();
        }
    }

    /// Somebody else is on this side, of whom it is not known yet whether he may stop anything.
    pub fn newcomer(&mut self, side: Side, streams: &[Stream]) {
        let Some(keys) = &self.recorded.stop_keys else { return };
        let others: Vec<Side> = keys.sides.iter().copied().filter(|own| *own != side).collect();
        self.own_sides(&others, streams);
    }

    fn count(&mut self, streams: &[Stream]) {
        let indices = streams.iter().filter_map(|s| usize::try_from(s.index).ok());
        self.streams = indices.map(|index| index + 1).fold(self.streams, usize::max).min(MAX_STREAMS);
    }

    /// What of a chunk belongs to the recording. From the keys that stop it on, nothing does.
    pub fn hear(&mut self, mut chunk: RawChunk) -> Option<AudioChunk> {
        if self.since_unix_us > i64::MIN {
            chunk.drop_before(self.since_unix_us);
        }
        if self.until.is_none() {
            let stopped = self.stop.as_mut().and_then(|stop| stop.listen(&chunk, self.since_unix_us));
            self.until = stopped.map(|(side, at_unix_us)| (by_keys(side), at_unix_us));
        }
        if let Some((_, at_unix_us)) = self.until {
            chunk.drop_after(at_unix_us);
        }
        for heard in chunk.heard() {
            if let Some(count) = usize::try_from(heard.stream).ok().and_then(|at| self.kept.get_mut(at)) {
                *count += 1;
            }
        }
        (!chunk.is_empty()).then(|| chunk.into_message())
    }

    /// Who stopped it by keys, and when.
    pub fn stopped_by_keys(&self) -> Option<(StoppedBy, i64)> {
        self.until.clone()
    }

    /// Its end with the call. Where the sockets took more than belongs to it, what was kept counts.
    pub fn ended(&self, ended: CallEnded) -> CallEnded {
        if self.is_part { CallEnded { packets_received: self.counts(), ..ended } } else { ended }
    }

    /// Its end by somebody's wish.
    pub fn stopped(&self, by: StoppedBy, at_unix_us: i64) -> CallEnded {
        CallEnded {
            at_unix_us,
            reason: EndReason::Stopped.into(),
            packets_received: self.counts(),
            stopped_by: Some(by),
        }
    }

    fn counts(&self) -> Vec<u64> {
        self.kept[..self.streams].to_vec()
    }
}

fn by_keys(side: Side) -> StoppedBy {
    let way = match side {
        Side::Caller => "keys on the caller's phone",
        Side::Callee => "keys on the callee's phone",
    };
    StoppedBy { way: way.to_owned(), user: String::new() }
}
