//! Datagrams of one call on their way from the sockets to the call's task.

use bytes::Bytes;
use wire::call_v1::{AudioChunk, Packet};
use zeroize::Zeroize;

/// Most that one chunk may hold on the bus, framing of the packets included.
const MAX_ENCODED_BYTES: usize = 64 * 1024 - 256;
/// What protobuf adds to a packet at most: tags, stream, arrival time, lengths.
const FRAMING_BYTES: usize = 24;
const SMALLEST_CAPACITY: usize = 4 * 1024;

/// Where one datagram lies in its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RawPacket {
    stream: u32,
    rtcp: bool,
    arrival_unix_us: i64,
    start: usize,
    end: usize,
}

/// Up to a second of datagrams of one call, all streams together, in one piece of memory.
///
/// The memory never grows, so no copy of undecided audio is left behind by a reallocation, and
/// dropping a chunk really removes what was heard: it is overwritten.
pub struct RawChunk {
    data: Vec<u8>,
    packets: Vec<RawPacket>,
}

impl RawChunk {
    /// An empty chunk for about as much as `expected_bytes` of datagrams.
    pub fn with_capacity(expected_bytes: usize) -> Self {
        let capacity = (expected_bytes + expected_bytes / 4).clamp(SMALLEST_CAPACITY, MAX_ENCODED_BYTES);
        Self { data: Vec::with_capacity(capacity), packets: Vec::with_capacity(capacity / 160) }
    }

    /// Adds one datagram. False: there is no room for it, the chunk has to be handed on first.
    /// A datagram that not even an empty chunk could hold is always taken.
    #[must_use]
    pub fn push(&mut self, stream: u32, rtcp: bool, arrival_unix_us: i64, datagram: &[u8]) -> bool {
        let end = self.data.len() + datagram.len();
        let encoded = end + (self.packets.len() + 1) * FRAMING_BYTES;
        if (end > self.data.capacity() || encoded > MAX_ENCODED_BYTES) && !self.packets.is_empty() {
            return false;
        }
        let start = self.data.len();
        self.data.extend_from_slice(datagram);
        self.packets.push(RawPacket { stream, rtcp, arrival_unix_us, start, end });
        true
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Bytes of datagrams.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// How many datagrams.
    pub fn packets(&self) -> usize {
        self.packets.len()
    }

    /// Memory that is taken while the chunk waits for a decision, in bytes.
    pub fn memory(&self) -> u64 {
        (self.data.capacity() + self.packets.capacity() * size_of::<RawPacket>()) as u64
    }

    /// The datagrams, in the order in which they were taken.
    pub fn heard(&self) -> impl Iterator<Item = Heard<'_>> {
        self.packets.iter().map(|p| Heard {
            stream: p.stream,
            rtcp: p.rtcp,
            arrival_unix_us: p.arrival_unix_us,
            data: &self.data[p.start..p.end],
        })
    }

    /// When the first of its datagrams came; of no stream's an earlier one is in it.
    pub fn earliest_unix_us(&self) -> Option<i64> {
        self.packets.iter().map(|p| p.arrival_unix_us).min()
    }

    /// When the last of its datagrams came.
    pub fn latest_unix_us(&self) -> Option<i64> {
        self.packets.iter().map(|p| p.arrival_unix_us).max()
    }

    /// Overwrites and forgets all that came before `unix_us`.
    pub fn drop_before(&mut self, unix_us: i64) {
        self.keep(|arrival_unix_us| arrival_unix_us >= unix_us);
    }

    /// Overwrites and forgets all that came after `unix_us`.
    pub fn drop_after(&mut self, unix_us: i64) {
        self.keep(|arrival_unix_us| arrival_unix_us <= unix_us);
    }

    fn keep(&mut self, is_kept: impl Fn(i64) -> bool) {
        let data = &mut self.data;
        self.packets.retain(|p| {
            let kept = is_kept(p.arrival_unix_us);
            if !kept {
                data[p.start..p.end].zeroize();
            }
            kept
        });
    }

    /// The message for the bus. The packets share the chunk's memory.
    pub fn into_message(mut self) -> AudioChunk {
        let data = Bytes::from(std::mem::take(&mut self.data));
        let packets = self.packets.iter().map(|p| Packet {
            stream: p.stream,
            arrival_unix_us: p.arrival_unix_us,
            data: data.slice(p.start..p.end),
            rtcp: p.rtcp,
        });
        AudioChunk { packets: packets.collect() }
    }

    /// Overwrites what was heard, and says so where it is read.
    pub fn wipe(self) {}
}

impl Drop for RawChunk {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

/// One datagram of a chunk.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// Index of its stream.
    pub stream: u32,
    /// RTCP, not RTP.
    pub rtcp: bool,
    /// When the kernel had it. Unix time, microseconds.
    pub arrival_unix_us: i64,
    /// All of it.
    pub data: &'a [u8],
}

/// Sizes only: a chunk holds what people said.
impl std::fmt::Debug for RawChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawChunk({} packets, {} bytes)", self.packets.len(), self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use wire::Message;

    use super::*;

    #[test]
    fn datagrams_come_out_as_they_went_in() {
        let mut chunk = RawChunk::with_capacity(0);
        assert!(
            chunk.push(1, false, 5, b"one")
                && chunk.push(0, true, 6, b"")
                && chunk.push(2, false, 7, b"three")
        );
        let packets = chunk.into_message().packets;
        assert_eq!(packets.iter().map(|p| &p.data[..]).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(
            packets.iter().map(|p| (p.stream, p.rtcp)).collect::<Vec<_>>(),
            [(1, false), (0, true), (2, false)]
        );
    }

    #[test]
    fn what_came_too_early_or_too_late_is_overwritten_and_the_rest_stays_as_it_was() {
        let mut chunk = RawChunk::with_capacity(0);
        for (arrival, text) in [(3, b"one"), (5, b"two"), (7, b"six"), (9, b"ten")] {
            assert!(chunk.push(0, false, arrival, text));
        }
        assert_eq!((chunk.earliest_unix_us(), chunk.latest_unix_us()), (Some(3), Some(9)));
        chunk.drop_before(5);
        chunk.drop_after(7);
        assert_eq!(chunk.data, b"\0\0\0twosix\0\0\0");
        assert_eq!(chunk.heard().map(|h| h.data).collect::<Vec<_>>(), [b"two", b"six"]);
        let packets = chunk.into_message().packets;
        assert_eq!(packets.iter().map(|p| &p.data[..]).collect::<Vec<_>>(), [b"two", b"six"]);
    }

    #[test]
    fn a_full_chunk_fits_in_64_kib_of_the_bus_whatever_the_size_of_its_datagrams() {
        for size in [0, 1, 13, 172, 1_500, 9_000] {
            let mut chunk = RawChunk::with_capacity(1 << 20);
            while chunk.push(15, true, i64::MAX, &vec![7; size]) {}
            let encoded = chunk.into_message().encoded_len();
            assert!(encoded <= 64 * 1024, "{size}: {encoded}");
        }
    }

    #[test]
    fn a_chunk_never_moves_its_memory() {
        let mut chunk = RawChunk::with_capacity(100);
        let before = chunk.data.as_ptr();
        while chunk.push(0, false, 1, &[1; 172]) {}
        assert_eq!(chunk.data.as_ptr(), before);
    }

    #[test]
    fn a_datagram_larger_than_any_chunk_is_still_taken() {
        let mut chunk = RawChunk::with_capacity(0);
        assert!(chunk.push(0, false, 1, &vec![1; 65_000]));
        assert_eq!(chunk.into_message().packets[0].data.len(), 65_000);
    }
}
