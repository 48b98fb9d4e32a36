//! From samples to what is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::RATE_HZ;
use crate::{Codec, g711};

/// Bytes in a packet: 20 ms of G.711.
pub const FRAME_BYTES: usize = 160;

/// How much a packet plays.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// An announcement in one codec, cut into frames of [`FRAME_BYTES`]. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    codec: Codec,
    payload: Bytes,
}

impl Encoded {
    /// Encodes samples of 16 bits at [`RATE_HZ`]; the last frame is filled up with silence. The
    /// same samples always make the same bytes.
    pub fn new(codec: Codec, samples: &[i16]) -> Self {
        let mut payload: Vec<u8> = samples.iter().map(|sample| g711::encode(codec, *sample)).collect();
        payload.resize(payload.len().next_multiple_of(FRAME_BYTES), codec.silence());
        Self { codec, payload: payload.into() }
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// All frames, one after the other.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// How many frames there are.
    pub fn frame_count(&self) -> usize {
        self.payload.len() / FRAME_BYTES
    }

    /// The payload of one packet, counted from 0; `None` after the last. Shares the bytes.
    pub fn frame(&self, index: usize) -> Option<Bytes> {
        let start = index.checked_mul(FRAME_BYTES)?;
        (start < self.payload.len()).then(|| self.payload.slice(start..start + FRAME_BYTES))
    }

    /// The payloads of all packets in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Bytes> + '_ {
        (0..self.frame_count())
            .map(|index| self.payload.slice(index * FRAME_BYTES..(index + 1) * FRAME_BYTES))
    }

    /// How long it plays, the filled-up last frame included.
    pub fn duration(&self) -> Duration {
        duration_of(self.payload.len())
    }
}

/// Without the audio.
impl fmt::Debug for Encoded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Encoded")
            .field("codec", &self.codec)
            .field("frames", &self.frame_count())
            .finish_non_exhaustive()
    }
}

/// How long so many samples play.
pub(super) fn duration_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(RATE_HZ))
}

/// Rounds to 16 bits; full scale is ±1.
pub(super) fn to_16_bits(samples: &[f32]) -> Vec<i16> {
    // `as` saturates, so a sample of exactly 1 becomes the largest one.
    samples.iter().map(|sample| (sample * 32_768.0).round() as i16).collect()
}
