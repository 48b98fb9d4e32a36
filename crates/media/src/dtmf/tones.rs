//! Keys as tones in the audio (ITU-T Q.23, Q.24), found in G.711 by Goertzel filters.
//!
//! Audio is looked at in overlapping blocks ([`super::tones::block`]); a key is told when enough
//! blocks in a row hold the same pure pair of tones at the same twist: about 32 ms of it, so that each tone of the
//! 40 ms that ITU-T Q.24 asks for is found and speech hardly ever is.

mod block;
mod press;

use std::time::Duration;

use self::block::{BLOCK_SAMPLES, HOP_SAMPLES, Judge};
use self::press::{Press, Step};
use super::PressedKey;
use crate::rtp::RtpPacket;
use crate::{Codec, g711};

/// Samples a second of both laws.
const SAMPLE_RATE_HZ: u32 = 8_000;

/// A hole in the stream longer than this, in samples, may hide that a key was let go and pressed
/// again: what comes after it is a new press. Shorter holes are bridged, for a lost packet in the
/// middle of a tone must not make two presses of it.
const BRIDGED_SAMPLES: u32 = 800;

/// Hears one G.711 stream and tells each key press once.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    codec: Codec,
    judge: Judge,
    stream: Option<Stream>,
    /// The latest samples, at most one block.
    window: Vec<f32>,
    press: Press,
}

/// Where in the stream we are.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    next_sequence: u16,
    next_timestamp: u32,
}

impl ToneDetector {
    /// A detector for a stream of this codec.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            judge: Judge::new(),
            stream: None,
            window: Vec::with_capacity(BLOCK_SAMPLES),
            press: Press::default(),
        }
    }

    /// Hears one packet of the stream; the caller has looked at the payload type. A packet that is
    /// late or doubled is passed over. At most one key can begin within 60 ms, so one packet tells
    /// at most one; were packets longer, the first would be told.
    ///
    /// The time of the press is counted back from the arrival of the packet: its last sample was
    /// spoken when it was sent.
    pub fn packet(&mut self, packet: &RtpPacket<'_>, arrival_unix_us: i64) -> Option<PressedKey> {
        if !self.follow(packet) {
            return None;
        }
        let mut told = None;
        for (position, byte) in packet.payload.iter().enumerate() {
            self.window.push(f32::from(g711::decode(self.codec, *byte)));
            if self.window.len() < BLOCK_SAMPLES {
                continue;
            }
            let verdict = self.judge.pair_in(&self.window);
            self.window.drain(..HOP_SAMPLES);
            if let Step::Pressed { key, samples } = self.press.step(verdict) {
                let after = packet.payload.len() - 1 - position;
                told = told.or(Some(PressedKey {
                    key,
                    pressed_at_unix_us: arrival_unix_us.saturating_sub(microseconds(samples + after)),
                    duration: Duration::from_micros(microseconds(samples).unsigned_abs()),
                }));
            }
        }
        told
    }

    /// Finds the packet's place in the stream and says whether it is to be heard.
    fn follow(&mut self, packet: &RtpPacket<'_>) -> bool {
        if let Some(stream) = self.stream.filter(|stream| stream.ssrc == packet.ssrc) {
            let ahead = packet.sequence.wrapping_sub(stream.next_sequence);
            if ahead >= 0x8000 {
                return false;
            }
            let hole = packet.timestamp.wrapping_sub(stream.next_timestamp);
            if hole != 0 {
                // Between packets in sequence nothing was lost: the sender was silent.
                let silent = ahead == 0 && hole >= block::PAUSE_SAMPLES;
                self.window.clear();
                if silent || hole > BRIDGED_SAMPLES {
                    self.press = Press::default();
                }
            }
        } else {
            self.window.clear();
            self.press = Press::default();
        }
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            next_sequence: packet.sequence.wrapping_add(1),
            next_timestamp: packet.timestamp.wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(0)),
        });
        true
    }
}

fn microseconds(samples: usize) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX).saturating_mul(1_000_000 / i64::from(SAMPLE_RATE_HZ))
}
