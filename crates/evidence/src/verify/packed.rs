//! The fields of records that get sorted: what comes first sorts first.

use domain::{Lane, RecordingId};
use jiff::Timestamp;

use crate::Sha256Hash;

/// Puts fields one after the other so that the bytes sort as the fields do.
#[derive(Default)]
pub(super) struct Packer(Vec<u8>);

impl Packer {
    /// A text without NUL: names, paths and ids. A text that begins another sorts before it.
    pub(super) fn text(mut self, text: &str) -> Self {
        // A file name cannot hold one; who writes one in a text has it cut off there.
        self.0.extend(text.bytes().take_while(|byte| *byte != 0));
        self.0.push(0);
        self
    }

    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn hash(mut self, hash: &Sha256Hash) -> Self {
        self.0.extend(hash.as_bytes());
        self
    }

    pub(super) fn recording(mut self, recording: RecordingId) -> Self {
        self.0.extend(recording.as_uuid().as_bytes());
        self
    }

    pub(super) fn lane(self, lane: &Lane) -> Self {
        self.text(lane.tenant.as_str()).text(&lane.class.to_string())
    }

    /// To the microsecond.
    pub(super) fn time(self, at: Timestamp) -> Self {
        // Turned so that the time before 1970 sorts before that after.
        self.number((at.as_microsecond() as u64) ^ (1 << 63))
    }

    pub(super) fn option<T>(self, value: Option<T>, pack: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.byte(0),
            Some(value) => pack(self.byte(1), value),
        }
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes them out again, in the same order. What a [`Packer`] did not make ends in `None`, as a journal
/// of another version may.
#[derive(Clone)]
pub(super) struct Unpacker<'a>(pub(super) &'a [u8]);

impl<'a> Unpacker<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = str::from_utf8(&self.0[..end]).ok()?;
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn hash(&mut self) -> Option<Sha256Hash> {
        Some(Sha256Hash::from(<[u8; 32]>::try_from(self.take(32)?).ok()?))
    }

    pub(super) fn recording(&mut self) -> Option<RecordingId> {
        let bytes = <[u8; 16]>::try_from(self.take(16)?).ok()?;
        uuid::Uuid::from_bytes(bytes).hyphenated().to_string().parse().ok()
    }

    pub(super) fn lane(&mut self) -> Option<Lane> {
        Some(Lane { tenant: self.text()?.parse().ok()?, class: self.text()?.parse().ok()? })
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        Timestamp::from_microsecond((self.number()? ^ (1 << 63)) as i64).ok()
    }

    /// The outer `None`: not made by a packer.
    pub(super) fn option<T>(&mut self, unpack: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            _ => unpack(self).map(Some),
        }
    }
}
