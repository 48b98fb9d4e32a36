//! One stream: which source and segment a packet belongs to.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    JUMP, LAYERS, PushOutcome, RATE_HZ,
    lay::Layer,
    report::PacketCounts,
    segment::{Block, Segment},
    source::{Located, Source},
};
use crate::{
    codec::{PayloadKind, PayloadMap},
    rtp::{RtpPacket, SenderReport},
};

/// Sources that are remembered for stragglers.
const SOURCES: usize = 4;
/// Segments that are remembered for stragglers, once nothing of them waits.
const OLD_SEGMENTS: usize = 8;
/// How long a segment is remembered: 30 s.
const SEGMENT_MEMORY: i64 = 30 * RATE_HZ;
/// Blocks that may wait (80 s of 20 ms packets): a sender that is faster than time cannot fill the
/// memory.
const MOST_BLOCKS: usize = 4_096;
/// SSRCs that are listed.
const MOST_SSRCS: usize = 64;
/// Segments that may wait.
const MOST_SEGMENTS: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    pub index: u32,
    pub payloads: PayloadMap,
    pub counts: PacketCounts,
    /// Packets lost in sources that were forgotten.
    lost_before: u64,
    next_source: u32,
    next_segment: u64,
    pub sources: VecDeque<Source>,
    pub segments: VecDeque<Segment>,
    pub layers: [Layer; LAYERS],
    /// Blocks that wait, over all segments.
    pub waiting: usize,
    /// In the order in which they were first heard.
    pub ssrcs: Vec<u32>,
    /// Offset of the sender's clock against the wall clock, by the segment for which it was taken.
    pub report_base: Option<(u64, i64)>,
}

impl Stream {
    pub fn new(index: u32) -> Self {
        Self {
            index,
            payloads: PayloadMap::new(),
            counts: PacketCounts::default(),
            lost_before: 0,
            next_source: 0,
            next_segment: 0,
            sources: VecDeque::new(),
            segments: VecDeque::new(),
            layers: Default::default(),
            waiting: 0,
            ssrcs: Vec::new(),
            report_base: None,
        }
    }

    /// Takes a packet in; `spare` becomes the buffer of its payload.
    pub fn push(
        &mut self,
        arrival: i64,
        lead: i64,
        packet: &RtpPacket<'_>,
        mut spare: Vec<u8>,
    ) -> PushOutcome {
        let Some((source, sequence, timestamp, ahead)) = self.locate(arrival, packet) else {
            self.counts.duplicate += 1;
            return PushOutcome::Duplicate;
        };
        self.counts.received += 1;
        let codec = match self.payloads.kind(packet.payload_type) {
            PayloadKind::Audio(codec) if !packet.payload.is_empty() => codec,
            PayloadKind::Audio(_) | PayloadKind::NotAudio => {
                self.counts.not_audio += 1;
                return PushOutcome::NotAudio;
            }
            PayloadKind::Unsupported => {
                self.counts.unsupported += 1;
                return PushOutcome::Unsupported(packet.payload_type);
            }
        };
        spare.extend_from_slice(packet.payload);
        self.accept(source, arrival, lead, ahead, Block { timestamp, sequence, codec, bytes: spare });
        PushOutcome::Audio(codec)
    }

    /// The packet's source (made if needed), extended sequence number and timestamp, and whether
    /// the number is the highest yet. `None` for a duplicate.
    fn locate(&mut self, arrival: i64, packet: &RtpPacket<'_>) -> Option<(u32, i64, i64, bool)> {
        let mut restarted = None;
        for source in self.sources.iter_mut().rev().filter(|source| source.ssrc == packet.ssrc) {
            match source.locate(packet.sequence, packet.timestamp, arrival) {
                Located::Duplicate => return None,
                Located::New(sequence) => {
                    let timestamp = source.unwrap_timestamp(packet.timestamp);
                    let ahead = !source.is_behind(sequence);
                    source.accept(sequence, timestamp, arrival);
                    return Some((source.id, sequence, timestamp, ahead));
                }
                // Timestamps may go on where numbers restart: keep counting in the same space.
                Located::Elsewhere => {
                    restarted.get_or_insert(source.unwrap_timestamp(packet.timestamp));
                }
            }
        }
        let timestamp = restarted.unwrap_or_else(|| i64::from(packet.timestamp));
        let id = self.next_source;
        self.next_source += 1;
        self.sources.push_back(Source::new(id, packet.ssrc, packet.sequence, timestamp, arrival));
        if self.ssrcs.len() < MOST_SSRCS && !self.ssrcs.contains(&packet.ssrc) {
            self.ssrcs.push(packet.ssrc);
        }
        if self.sources.len() > SOURCES
            && let Some(forgotten) = self.sources.pop_front()
        {
            self.lost_before += forgotten.lost();
        }
        Some((id, i64::from(packet.sequence), timestamp, true))
    }

    fn accept(&mut self, source: u32, arrival: i64, lead: i64, ahead: bool, block: Block) {
        let (timestamp, of_source) = (block.timestamp, |segment: &&mut Segment| segment.source == source);
        let deviation = |segment: &&mut Segment| segment.deviation(timestamp, arrival).abs();
        // Numbers that are ahead can only go on with the newest line. A straggler belongs to the
        // line that it deviates least from.
        let segment = if ahead {
            self.segments.iter_mut().rev().find(of_source).filter(|segment| deviation(segment) <= JUMP)
        } else {
            self.segments.iter_mut().rev().filter(of_source).min_by_key(deviation)
        };
        self.waiting += 1;
        match segment {
            Some(segment) => segment.accept(block, arrival, ahead),
            None => {
                let ssrc = self.ssrc_of(source);
                let former = self.segments.iter().rev().find(|segment| self.ssrc_of(segment.source) == ssrc);
                let id = (self.next_segment, source);
                let mut segment = Segment::new(id, block.timestamp, arrival, lead, former, self.end());
                self.next_segment += 1;
                segment.accept(block, arrival, true);
                self.segments.push_back(segment);
            }
        }
    }

    /// End of all payload, laid or waiting.
    fn end(&self) -> Option<i64> {
        let laid = self.layers[0].holder.map(|_| self.layers[0].end);
        self.segments.iter().filter_map(Segment::pending_end).chain(laid).max()
    }

    fn ssrc_of(&self, source: u32) -> Option<u32> {
        self.sources.iter().find(|one| one.id == source).map(|one| one.ssrc)
    }

    /// Notes a sender report for the newest segment of its SSRC.
    pub fn sender_report(&mut self, report: &SenderReport) {
        let Some(source) = self.sources.iter().rev().find(|source| source.ssrc == report.ssrc) else {
            return;
        };
        let Some(segment) = self.segments.iter_mut().rev().find(|segment| segment.source == source.id) else {
            return;
        };
        if report.ntp != 0 {
            let clock = (u128::from(report.ntp) * RATE_HZ as u128) >> 32;
            segment.sender_report(clock as i64, source.unwrap_timestamp(report.rtp_timestamp));
        }
    }

    /// More waits than the memory is meant for.
    pub fn is_crowded(&self) -> bool {
        self.waiting > MOST_BLOCKS || self.segments.len() > MOST_SEGMENTS
    }

    pub fn first_pending(&self) -> Option<i64> {
        self.segments.iter().filter_map(Segment::first_position).min()
    }

    /// Drops the memory of segments that no straggler can belong to any more. The newest of each
    /// source stays: its line is where the source goes on.
    pub fn forget(&mut self, newest: i64) {
        let mut idle = self.segments.iter().filter(|segment| segment.blocks.is_empty()).count();
        let mut at = 0;
        while at < self.segments.len() {
            let segment = &self.segments[at];
            let last_of_source =
                !self.segments.iter().skip(at + 1).any(|later| later.source == segment.source);
            let source_lives = self.sources.iter().any(|source| source.id == segment.source);
            let old = idle > OLD_SEGMENTS || newest.saturating_sub(segment.last_arrival) > SEGMENT_MEMORY;
            if segment.blocks.is_empty() && (!source_lives || (old && !last_of_source)) {
                self.segments.remove(at);
                idle -= 1;
            } else {
                at += 1;
            }
        }
    }

    /// Packets that never came, over all sources.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.sources.iter().map(Source::lost).sum::<u64>()
    }

    /// Buffer bookkeeping when a block leaves its segment.
    pub fn take_block(&mut self, segment: usize) -> Option<Block> {
        let block = self.segments[segment].blocks.pop_front()?;
        self.waiting -= 1;
        Some(block)
    }
}
