//! Records as bytes in a segment.
//!
//! A segment begins with a header: 8 bytes of format name, 8 random bytes. Each record is a frame:
//! the 8 random bytes again, length and CRC-32C of the body (u32, little-endian), the body. The
//! random mark lets a reader find the next frame behind a damaged one; as nobody can guess it,
//! a payload cannot pose as a frame.

use bytes::Bytes;
use crc::{CRC_32_ISCSI, Crc, Table};

/// A message of a call on its way to JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub id: String,
    pub payload: Bytes,
}

impl Record {
    /// Bytes in a segment.
    pub fn size(&self) -> u64 {
        (FRAME_HEADER + 4 + self.subject.len() + self.id.len() + self.payload.len()) as u64
    }
}

/// What a segment begins with.
pub const SEGMENT_HEADER: usize = 16;
/// The longest body. More than NATS takes by default (1 MiB).
pub const MAX_BODY: usize = 2 << 20;

const FORMAT: &[u8; 8] = b"CSPOOL1\n";
const FRAME_HEADER: usize = 16;
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The random mark of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark([u8; 8]);

impl Mark {
    /// A new mark.
    pub fn random() -> Self {
        let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
        Self(low.to_le_bytes())
    }

    /// The header of a segment with this mark.
    pub fn header(self) -> Vec<u8> {
        [*FORMAT, self.0].concat()
    }

    /// Of a header. None: it is not one of ours.
    pub fn of_header(header: &[u8]) -> Option<Self> {
        let mark = header.strip_prefix(FORMAT)?;
        Some(Self(mark.get(..8)?.try_into().ok()?))
    }

    /// Appends `record` as a frame to `out`.
    pub fn encode(self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.0);
        out.extend_from_slice(&[0; 8]);
        for text in [&record.subject, &record.id] {
            out.extend_from_slice(&(text.len() as u16).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&record.payload);
        let body = &out[start + FRAME_HEADER..];
        let (length, crc) = ((body.len() as u32).to_le_bytes(), CRC.checksum(body).to_le_bytes());
        out[start + 8..start + 12].copy_from_slice(&length);
        out[start + 12..start + 16].copy_from_slice(&crc);
    }

    /// The whole frames of `bytes`, which begins with one. Damage is stepped over as long as a good
    /// frame follows.
    pub fn decode(self, bytes: &Bytes) -> Decoded {
        let mut decoded = Decoded { records: Vec::new(), used: 0, damaged: 0 };
        while let Some(at) = self.next_good(bytes, decoded.used) {
            let Some((record, end)) = self.frame(bytes, at) else { break };
            if at != decoded.used {
                decoded.damaged += 1;
            }
            decoded.records.push(record);
            decoded.used = end;
        }
        decoded
    }

    /// Where the next good frame begins, at `from` or behind it.
    fn next_good(self, bytes: &Bytes, from: usize) -> Option<usize> {
        if self.frame(bytes, from).is_some() {
            return Some(from);
        }
        (from + 1..bytes.len().saturating_sub(FRAME_HEADER))
            .find(|at| bytes[*at..].starts_with(&self.0) && self.frame(bytes, *at).is_some())
    }

    fn frame(self, bytes: &Bytes, at: usize) -> Option<(Record, usize)> {
        let header = bytes.get(at..at + FRAME_HEADER)?;
        let number =
            |range| header.get(range).map(|b: &[u8]| u32::from_le_bytes(b.try_into().unwrap_or_default()));
        let (length, crc) = (number(8..12)? as usize, number(12..16)?);
        if header[..8] != self.0 || length > MAX_BODY {
            return None;
        }
        let (start, end) = (at + FRAME_HEADER, at + FRAME_HEADER + length);
        if end > bytes.len() || CRC.checksum(&bytes[start..end]) != crc {
            return None;
        }
        let mut body = bytes.slice(start..end);
        let subject = take_text(&mut body)?;
        let id = take_text(&mut body)?;
        Some((Record { subject, id, payload: body }, end))
    }
}

/// What some bytes of a segment hold.
pub struct Decoded {
    pub records: Vec<Record>,
    /// Up to where; behind it is no whole good frame.
    pub used: usize,
    /// Damaged places that were stepped over.
    pub damaged: u64,
}

fn take_text(body: &mut Bytes) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(body.get(..2)?.try_into().ok()?));
    let text = std::str::from_utf8(body.get(2..2 + length)?).ok()?.to_owned();
    let _ = body.split_to(2 + length);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u8) -> Record {
        Record { subject: format!("calls.00.a.{n}"), id: format!("r/e/{n}"), payload: vec![n; 40].into() }
    }

    fn segment(mark: Mark) -> Vec<u8> {
        let mut bytes = Vec::new();
        (0..3).for_each(|n| mark.encode(&record(n), &mut bytes));
        bytes
    }

    #[test]
    fn records_survive() {
        let mark = Mark::random();
        let bytes = segment(mark);
        assert_eq!(bytes.len() as u64, (0..3).map(|n| record(n).size()).sum::<u64>());
        let decoded = mark.decode(&bytes.clone().into());
        assert_eq!(
            (decoded.records, decoded.used, decoded.damaged),
            ((0..3).map(record).collect(), bytes.len(), 0)
        );
        assert_eq!(Mark::of_header(&mark.header()), Some(mark));
    }

    #[test]
    fn a_torn_end_is_left_out_wherever_it_is_torn() {
        let mark = Mark::random();
        let bytes = segment(mark);
        let whole = bytes.len() - record(2).size() as usize;
        for end in whole..bytes.len() {
            let decoded = mark.decode(&Bytes::copy_from_slice(&bytes[..end]));
            assert_eq!((decoded.records.len(), decoded.used, decoded.damaged), (2, whole, 0), "cut at {end}");
        }
    }

    #[test]
    fn a_damaged_record_costs_only_itself() {
        let mark = Mark::random();
        for position in 0..record(0).size() as usize {
            let mut bytes = segment(mark);
            bytes[record(0).size() as usize + position] ^= 0x55;
            let decoded = mark.decode(&bytes.into());
            assert_eq!(decoded.records, [record(0), record(2)], "flipped at {position}");
            assert_eq!(decoded.damaged, 1);
        }
    }

    #[test]
    fn a_frame_with_another_mark_is_not_taken_for_one() {
        let (mine, other) = (Mark::random(), Mark::random());
        assert!(mine.decode(&segment(other).into()).records.is_empty());
    }
}
