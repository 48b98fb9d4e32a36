//! What a timeline hands out.

use serde::{Deserialize, Serialize};

use crate::codec::Codec;

/// Silence up to this length (1 s) stands in a run as bytes; longer silence ends it, so that an
/// hour on hold costs no memory.
const INLINE_SILENCE: u64 = 8_000;

/// Buffers that are kept for the next packets.
const MOST_SPARES: usize = 64;

/// One line of samples: bytes of one codec, from sample 0 of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackId {
    /// Index of the stream.
    pub stream: u32,
    /// 0: what belongs in the channel. Above: payload whose place there was taken or final, to be
    /// sealed as a supplement.
    pub layer: u8,
    /// The law of the bytes.
    pub codec: Codec,
}

/// Bytes that are final. Runs of a track come in order and do not overlap; samples that no run
/// covers are silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Where they belong.
    pub track: TrackId,
    /// Position of the first byte, in samples from sample 0.
    pub start_sample: u64,
    /// One byte a sample; listed gaps up to a second are filled with [`Codec::silence`].
    pub bytes: Vec<u8>,
}

impl Run {
    /// Position after the last byte.
    pub fn end_sample(&self) -> u64 {
        self.start_sample + self.bytes.len() as u64 / u64::from(self.track.codec.bytes_per_sample())
    }
}

/// Why there is silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GapCause {
    /// Packets did not arrive.
    Lost,
    /// Nothing was sent: voice activity detection, hold, a change of the source.
    Quiet,
    /// Inserted because the sender's clock runs slower than that of another side.
    Drift,
    /// The stream began later than the recording.
    LateStart,
    /// The stream ended earlier than the recording.
    EarlyEnd,
}

impl GapCause {
    /// The word in `_info.txt`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Quiet => "quiet",
            Self::Drift => "drift",
            Self::LateStart => "late-start",
            Self::EarlyEnd => "early-end",
        }
    }
}

/// Silence in the main layer of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First silent sample, from sample 0.
    pub start_sample: u64,
    /// Length in samples.
    pub length_samples: u64,
    /// Why.
    pub cause: GapCause,
}

impl Gap {
    /// Where it begins, in milliseconds from sample 0, rounded down.
    pub const fn start_ms(&self) -> u64 {
        self.start_sample / 8
    }

    /// How long it is in milliseconds, rounded up: what is silent is never said to be nothing.
    pub const fn length_ms(&self) -> u64 {
        self.length_samples.div_ceil(8)
    }
}

/// A track, as far as it was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Laid {
    pub track: TrackId,
    pub start: u64,
    pub end: u64,
    pub payload: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Output {
    runs: Vec<Run>,
    pub tracks: Vec<Laid>,
    #[serde(skip)]
    spares: Spares,
}

/// Emptied payload buffers. Not part of the state: any two are equal.
#[derive(Debug, Clone, Default)]
struct Spares(Vec<Vec<u8>>);

impl PartialEq for Spares {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Spares {}

impl Output {
    pub fn append(&mut self, track: TrackId, start: u64, mut bytes: Vec<u8>) {
        let end = start + bytes.len() as u64;
        match self.tracks.iter_mut().find(|one| one.track == track) {
            Some(laid) => {
                laid.end = laid.end.max(end);
                laid.payload += bytes.len() as u64;
            }
            None => self.tracks.push(Laid { track, start, end, payload: bytes.len() as u64 }),
        }
        let last = self.runs.iter_mut().rev().find(|run| run.track == track);
        match last.filter(|run| start >= run.end_sample() && start - run.end_sample() <= INLINE_SILENCE) {
            Some(run) => {
                run.bytes.resize((start - run.start_sample) as usize, track.codec.silence());
                run.bytes.append(&mut bytes);
            }
            None => {
                let mut run = Run { track, start_sample: start, bytes: Vec::with_capacity(4_096) };
                run.bytes.append(&mut bytes);
                self.runs.push(run);
            }
        }
        if self.spares.0.len() < MOST_SPARES {
            self.spares.0.push(bytes);
        }
    }

    pub fn take(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.runs)
    }

    pub fn ready_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }

    pub fn spare_buffer(&mut self) -> Vec<u8> {
        self.spares.0.pop().unwrap_or_default()
    }
}
