//! One run of sequence numbers: unwrapping, duplicates, loss (RFC 3550 appendix A.1, without the
//! probation: what came is recorded).

use serde::{Deserialize, Serialize};

/// How many packets back a duplicate is recognised: 20 s of 20 ms packets.
const MEMORY: i64 = 1024;

/// A sequence number that is further away is a restart, unless the time that passed explains it
/// (MAX_DROPOUT of RFC 3550).
const MAX_DROPOUT: i64 = 3_000;

/// Shortest packet in samples that is assumed when passed time is to explain a dropout: 10 ms.
const SHORTEST_PACKET: i64 = 80;

/// Where a sequence number stands in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Located {
    /// Not seen before, at this extended sequence number.
    New(i64),
    /// Seen, with the same timestamp.
    Duplicate,
    /// Not of this run.
    Elsewhere,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// Ordinal within the stream.
    pub id: u32,
    pub ssrc: u32,
    /// Lowest and highest extended sequence number.
    first: i64,
    highest: i64,
    highest_arrival: i64,
    /// Extended timestamp of the packet that came with the highest sequence number.
    highest_timestamp: i64,
    received: u64,
    /// Which of the last [`MEMORY`] numbers were received, by number modulo MEMORY.
    seen: [u64; MEMORY as usize / 64],
    timestamps: Vec<u32>,
}

impl Source {
    pub fn new(id: u32, ssrc: u32, sequence: u16, timestamp: i64, arrival: i64) -> Self {
        let sequence = i64::from(sequence);
        let mut source = Self {
            id,
            ssrc,
            first: sequence,
            highest: sequence,
            highest_arrival: arrival,
            highest_timestamp: timestamp,
            received: 0,
            seen: [0; MEMORY as usize / 64],
            timestamps: vec![0; MEMORY as usize],
        };
        source.accept(sequence, timestamp, arrival);
        source
    }

    pub fn locate(&self, sequence: u16, timestamp: u32, arrival: i64) -> Located {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let near = i64::from(ahead as i16);
        if near.abs() <= MAX_DROPOUT {
            let at = self.highest + near;
            return match self.seen_timestamp(at) {
                None => Located::New(at),
                Some(seen) if seen == timestamp => Located::Duplicate,
                // The same number for another packet: the sender began anew close by.
                Some(_) => Located::Elsewhere,
            };
        }
        let explained = (arrival - self.highest_arrival) / SHORTEST_PACKET;
        if i64::from(ahead) <= explained {
            Located::New(self.highest + i64::from(ahead))
        } else {
            Located::Elsewhere
        }
    }

    /// Is this number behind the highest?
    pub fn is_behind(&self, at: i64) -> bool {
        at < self.highest
    }

    /// Extended timestamp, by the shorter way round from the newest packet.
    pub fn unwrap_timestamp(&self, timestamp: u32) -> i64 {
        let ahead = timestamp.wrapping_sub(self.highest_timestamp as u32) as i32;
        self.highest_timestamp + i64::from(ahead)
    }

    pub fn accept(&mut self, at: i64, timestamp: i64, arrival: i64) {
        if at > self.highest {
            for between in (self.highest + 1..at).rev().take(MEMORY as usize) {
                self.clear(between);
            }
            self.highest = at;
            self.highest_arrival = arrival;
            self.highest_timestamp = timestamp;
        }
        self.first = self.first.min(at);
        self.received += 1;
        if at > self.highest - MEMORY {
            let slot = at.rem_euclid(MEMORY) as usize;
            self.seen[slot / 64] |= 1 << (slot % 64);
            self.timestamps[slot] = timestamp as u32;
        }
    }

    /// Numbers between `a` and `b` (both excluded) that never came.
    pub fn missing_between(&self, a: i64, b: i64) -> i64 {
        let remembered = (a + 1).max(self.highest - MEMORY + 1)..b.min(self.highest + 1);
        let came = remembered.filter(|at| self.seen_timestamp(*at).is_some()).count() as i64;
        (b - a - 1).max(0) - came
    }

    /// Expected − received (RFC 3550 appendix A.3).
    pub fn lost(&self) -> u64 {
        ((self.highest - self.first + 1) as u64).saturating_sub(self.received)
    }

    fn seen_timestamp(&self, at: i64) -> Option<u32> {
        if at <= self.highest - MEMORY || at > self.highest {
            return None;
        }
        let slot = at.rem_euclid(MEMORY) as usize;
        (self.seen[slot / 64] >> (slot % 64) & 1 == 1).then(|| self.timestamps[slot])
    }

    fn clear(&mut self, at: i64) {
        let slot = at.rem_euclid(MEMORY) as usize;
        self.seen[slot / 64] &= !(1 << (slot % 64));
        self.timestamps[slot] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(source: &mut Source, sequence: u16, timestamp: u32) -> Located {
        let located = source.locate(sequence, timestamp, 0);
        if let Located::New(at) = located {
            source.accept(at, source.unwrap_timestamp(timestamp), 0);
        }
        located
    }

    #[test]
    fn numbers_go_on_over_the_wrap_and_loss_and_duplicates_are_counted() {
        let mut source = Source::new(0, 1, 65_534, i64::from(u32::MAX - 100), 0);
        assert_eq!(take(&mut source, 65_534, u32::MAX - 100), Located::Duplicate);
        assert_eq!(take(&mut source, 0, 219), Located::New(65_536));
        assert_eq!(source.unwrap_timestamp(219), (1 << 32) + 219);
        assert_eq!(source.lost(), 1);
        assert_eq!(source.missing_between(65_534, 65_536), 1);
        assert_eq!(take(&mut source, 65_535, 59), Located::New(65_535));
        assert_eq!(source.lost(), 0);
        assert_eq!(source.missing_between(65_534, 65_536), 0);
        assert_eq!(take(&mut source, 65_533, u32::MAX - 260), Located::New(65_533));
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn a_far_number_is_a_restart_unless_time_explains_it() {
        let source = Source::new(0, 1, 10, 0, 0);
        assert_eq!(source.locate(20_000, 5, 8_000), Located::Elsewhere);
        assert_eq!(source.locate(20_010, 5, 400 * 8_000), Located::New(20_010));
        assert_eq!(source.locate(10, 77, 0), Located::Elsewhere);
    }

    #[test]
    fn an_old_bit_is_not_taken_for_a_new_packet_after_a_whole_turn_of_the_memory() {
        let mut source = Source::new(0, 1, 5, 0, 0);
        take(&mut source, 5 + 1024 + 10, 160);
        assert_eq!(take(&mut source, 5 + 1024, 100), Located::New(1029));
        assert_eq!(source.missing_between(5, 1039), 1032);
    }
}
