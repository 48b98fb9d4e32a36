//! A part of a source whose timestamps follow one line.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::RATE_HZ;
use crate::codec::Codec;

/// A base this close (15 ms) to where the former line would have led is that line: the jump was
/// a hole in delivery, not in time.
const SNAP: i64 = 120;

/// A stream's first packets may have been held back by up to this (2 s): a recording client that
/// kept them until the recorder answered, and then sends them all at once.
const HELD_BACK: i64 = 2 * RATE_HZ;

/// Payload that waits to be laid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    /// Extended timestamp and sequence number: the order within a segment.
    pub timestamp: i64,
    pub sequence: i64,
    pub codec: Codec,
    pub bytes: Vec<u8>,
}

impl Block {
    pub fn key(&self) -> (i64, i64) {
        (self.timestamp, self.sequence)
    }

    pub fn len(&self) -> i64 {
        self.bytes.len() as i64
    }
}

/// Silence that is put in before the packet with this timestamp, against drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Insertion {
    before: i64,
    length: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// Ordinal within the stream.
    pub id: u64,
    /// The source it belongs to.
    pub source: u32,
    first_timestamp: i64,
    /// Position of `first_timestamp`; falls with the smallest delay until the first block is laid.
    base: i64,
    /// The base never falls below.
    floor: i64,
    /// The recording's clock minus the wall clock when it began.
    lead: i64,
    /// Where the former segment of the source would put `first_timestamp`.
    continued: Option<i64>,
    pub fixed: bool,
    /// Insertions and pushes that apply to all blocks from here on.
    shift: i64,
    /// The part of `shift` by which it was moved behind payload that was there first.
    pub pushed: i64,
    insertions: VecDeque<Insertion>,
    /// Estimated lag that is to be made good before the next new packet.
    pub owed: i64,
    pub blocks: VecDeque<Block>,
    /// Key of the last block that was laid in order.
    pub laid: Option<(i64, i64)>,
    newest_timestamp: i64,
    pub last_arrival: i64,
    /// Smallest arrival − timestamp in the present drift window and the one before, and packets
    /// in the present one.
    transit: Option<i64>,
    transit_before: Option<i64>,
    pub packets_in_window: u32,
    /// The last sender report of the window: the sender's clock in samples, extended timestamp.
    report: Option<(i64, i64)>,
}

impl Segment {
    /// A segment that begins with this packet. `former` is the one before it of the same SSRC,
    /// `end` where all payload of the stream ends that came before.
    pub fn new(
        (id, source): (u64, u32),
        timestamp: i64,
        arrival: i64,
        lead: i64,
        former: Option<&Self>,
        end: Option<i64>,
    ) -> Self {
        let base = arrival + lead;
        let continued = former.map(|former| former.position(timestamp));
        // A segment that came late may be a queue that was held up and now drains: it may fall
        // back to the line it had. Otherwise it may fall back to what was there before.
        let earliest = continued.filter(|line| *line <= base).or(end.map(|end| end.min(base)));
        Self {
            id,
            source,
            first_timestamp: timestamp,
            base,
            floor: earliest.unwrap_or(base - HELD_BACK),
            lead,
            continued,
            fixed: false,
            shift: 0,
            pushed: 0,
            insertions: VecDeque::new(),
            owed: 0,
            blocks: VecDeque::new(),
            laid: None,
            newest_timestamp: timestamp,
            last_arrival: arrival,
            transit: None,
            transit_before: None,
            packets_in_window: 0,
            report: None,
        }
    }

    /// Position of a timestamp, as known now.
    pub fn position(&self, timestamp: i64) -> i64 {
        let inserted: i64 =
            self.insertions.iter().take_while(|one| one.before <= timestamp).map(|one| one.length).sum();
        self.base + (timestamp - self.first_timestamp) + self.shift + inserted
    }

    /// How far a packet is from where the line expects it: positive if it came later.
    pub fn deviation(&self, timestamp: i64, arrival: i64) -> i64 {
        match self.transit.into_iter().chain(self.transit_before).min() {
            Some(reference) => self.transit_of(timestamp, arrival) - reference,
            None => 0,
        }
    }

    /// Takes a packet in. `ahead`: its sequence number is the highest yet.
    pub fn accept(&mut self, block: Block, arrival: i64, ahead: bool) {
        if ahead && self.owed > 0 && block.timestamp > self.newest_timestamp {
            // Before a packet that is newer than all others: none that still comes is affected.
            self.insertions.push_back(Insertion { before: block.timestamp, length: self.owed });
            self.owed = 0;
        }
        self.newest_timestamp = self.newest_timestamp.max(block.timestamp);
        self.last_arrival = self.last_arrival.max(arrival);
        let transit = self.transit_of(block.timestamp, arrival);
        self.transit = Some(self.transit.map_or(transit, |least| least.min(transit)));
        self.packets_in_window += 1;
        if !self.fixed {
            self.base = self.base.min(transit + self.lead).max(self.floor);
        }
        let key = block.key();
        let at = self.blocks.iter().rposition(|other| other.key() < key).map_or(0, |before| before + 1);
        self.blocks.insert(at, block);
    }

    /// From now on the base stays.
    pub fn fix(&mut self) {
        self.fixed = true;
        if let Some(line) = self.continued
            && (line - self.base).abs() <= SNAP
        {
            self.base = line;
        }
    }

    /// Moves all that is not yet laid behind something that was there first.
    pub fn push_back(&mut self, by: i64) {
        self.shift += by;
        self.pushed += by;
    }

    /// Insertions up to a timestamp become part of the line; returns their length.
    pub fn consume_insertions(&mut self, timestamp: i64) -> i64 {
        let mut length = 0;
        while let Some(one) = self.insertions.front().filter(|one| one.before <= timestamp) {
            length += one.length;
            self.insertions.pop_front();
        }
        self.shift += length;
        length
    }

    pub fn first_position(&self) -> Option<i64> {
        self.blocks.front().map(|block| self.position(block.timestamp))
    }

    /// End of the last block that waits.
    pub fn pending_end(&self) -> Option<i64> {
        self.blocks.back().map(|block| self.position(block.timestamp) + block.len())
    }

    pub fn sender_report(&mut self, sender_clock: i64, timestamp: i64) {
        self.report = Some((sender_clock, timestamp));
    }

    /// How far the line lies behind the wall clock, by the quickest packet of the window.
    pub fn lag(&self) -> Option<i64> {
        self.transit.map(|transit| transit - self.base - self.whole_shift())
    }

    /// How far the line lies behind the sender's own clock, whose zero nobody knows.
    pub fn report_offset(&self) -> Option<i64> {
        let (clock, timestamp) = self.report?;
        Some(clock - (self.base + (timestamp - self.first_timestamp) + self.whole_shift()))
    }

    pub fn next_window(&mut self) {
        self.transit_before = self.transit.take().or(self.transit_before);
        self.packets_in_window = 0;
        self.report = None;
    }

    fn whole_shift(&self) -> i64 {
        self.shift + self.insertions.iter().map(|one| one.length).sum::<i64>()
    }

    fn transit_of(&self, timestamp: i64, arrival: i64) -> i64 {
        arrival - (timestamp - self.first_timestamp)
    }
}
