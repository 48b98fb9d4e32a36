//! One recording's streams on one clock.
//!
//! Packets are pushed in the order in which they were delivered, with the time at which the kernel
//! took them from the network. What comes out is [`Run`]s: payload at its place, byte for byte.
//! What the output is depends on the pushes alone, never on when somebody asks for it; so a replay
//! from a [snapshot](Timeline::snapshot) makes the same bytes.
//!
//! # Places
//! - All positions are samples of 125 µs (the clock of G.711). Sample 0 is the first packet of any
//!   stream ([`Timeline::started_unix_us`]).
//! - A *source* is one run of sequence numbers: an SSRC, until it restarts. A *segment* is a part
//!   of a source whose RTP timestamps follow one line: sample = base + timestamp + inserted
//!   silence. Within a segment a packet's place is its timestamp, so reordering heals by itself and
//!   loss or DTX leave silence of their length.
//! - A segment's base is the wall clock: the smallest arrival − timestamp seen while its first
//!   packets wait in the window (queues only ever delay, so the smallest is the truest).
//! - A new segment begins with a new source, and where arrival and timestamp part by more than
//!   [`JUMP`]: a sender that stopped its timestamps while on hold, or set them anew.
//! - A source that nothing came before may have been held back by up to two seconds (a recording
//!   client that waits for the recorder's answer and then sends what it kept); one that follows
//!   other payload begins at its end at the earliest.
//!
//! # What is final
//! A packet waits for [`TimelineConfig::window_us`] behind the newest arrival; then it is *laid*,
//! in the order of places, and nothing moves it any more. Payload is never dropped, altered or
//! overlapped. When a place is taken:
//! - The next segment of the same source is laid behind the former one.
//! - Another source that begins while the former still has up to [`PUSH_LIMIT`] to play is laid
//!   behind it (a transfer whose ends overlap).
//! - Everything else goes to a further *layer*: packets that came after their place was final, and
//!   sources that talk at the same time on one stream. A layer is a track of its own with the same
//!   sample 0, so that the caller can seal it as a supplement that can be laid over the first.
//!   After [`LAYERS`] layers the last one takes what is left at its end.
//!
//! # Tracks
//! A [`TrackId`] is (stream, layer, codec): bytes of two laws never share a track. When a stream
//! changes its codec, the next [`Run`] carries another track; the first one is silent meanwhile and
//! goes on if the codec comes back. [`StreamReport::codecs`] says from which sample each counts.
//! Samples that no run covers are silence.
//!
//! # In step
//! Every ten seconds the lag of each stream behind the wall clock is estimated, see [`drift`]. A
//! stream that has fallen 15 ms or more behind the fastest gets that much silence, before the next
//! packet that it sends. Nothing is ever taken away from the faster one.

pub mod drift;
mod lay;
mod output;
mod report;
mod segment;
mod snapshot;
mod source;
mod stream;

use serde::{Deserialize, Serialize};

pub use output::{Gap, GapCause, Run, TrackId};
pub use report::{CodecSpan, PacketCounts, Report, StreamReport, TrackReport};
pub use snapshot::RestoreError;

use crate::{
    codec::{Codec, PayloadMap},
    rtp::{self, RtpError, RtpPacket, SenderReport},
};
use drift::{Drift, WINDOW};
use output::Output;
use stream::Stream;

/// Samples a second, of every codec there is.
const RATE_HZ: i64 = 8_000;

/// Arrival and timestamp that part by more are not jitter: 500 ms. Phones give up on longer
/// delays, so a network in which calls are held does not have them; and what is below is found by
/// the drift correction.
pub const JUMP: i64 = RATE_HZ / 2;

/// How far another source may be moved behind one that still plays: 500 ms.
pub const PUSH_LIMIT: i64 = RATE_HZ / 2;

/// Layers of one stream, the main one included.
pub const LAYERS: usize = 4;

/// Packets are laid when the newest arrival has moved by this much (250 ms), not at each packet.
const LAY_STEP: i64 = RATE_HZ / 4;

/// Arrival times further from the first one are cut to this (60 days): the arithmetic stays far
/// from its limits whatever a broken clock says.
const FARTHEST: i64 = 60 * 86_400 * RATE_HZ;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineConfig {
    /// How long a packet waits for those before it, in microseconds of arrival time.
    pub window_us: i64,
}

impl Default for TimelineConfig {
    /// Two seconds: longer than any jitter that a call survives.
    fn default() -> Self {
        Self { window_us: 2_000_000 }
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    /// Audio: it will be in a [`Run`].
    Audio(Codec),
    /// The same packet was there already.
    Duplicate,
    /// An event, comfort noise or an empty packet: counted, in no channel.
    NotAudio,
    /// A payload type that cannot be archived: counted, in no channel.
    Unsupported(u8),
    /// RTCP, used if it held a sender report.
    Rtcp,
    /// Not a packet at all.
    Malformed(RtpError),
}

/// One recording with its streams. See the [module](self) for the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    window: i64,
    /// Arrival of the first packet; positions are provisional until `zero` says where they begin.
    epoch_us: Option<i64>,
    zero: Option<i64>,
    newest: i64,
    laid_at: i64,
    window_end: i64,
    drift: Drift,
    /// In the order of their first mention; a recording has two, seldom up to eight.
    streams: Vec<Stream>,
    output: Output,
}

impl Timeline {
    /// An empty recording.
    pub fn new(config: TimelineConfig) -> Self {
        Self {
            window: samples(config.window_us.clamp(0, 60_000_000)),
            epoch_us: None,
            zero: None,
            newest: 0,
            laid_at: 0,
            window_end: WINDOW,
            drift: Drift::default(),
            streams: Vec::new(),
            output: Output::default(),
        }
    }

    /// Says what the payload types of a stream mean, from now on. Without it the static types are
    /// known. Makes the stream part of the report even if no packet ever comes.
    pub fn describe_stream(&mut self, stream: u32, payloads: PayloadMap) {
        self.stream_mut(stream).payloads = payloads;
    }

    /// Takes one datagram of a stream. `arrival_us` is Unix time in microseconds by the recorder's
    /// clock; `rtcp` says from which port it came (RTCP on the RTP port is recognised).
    pub fn push(&mut self, stream: u32, arrival_us: i64, datagram: &[u8], rtcp: bool) -> PushOutcome {
        if rtcp || rtp::is_rtcp(datagram) {
            return self.push_rtcp(stream, datagram);
        }
        let packet = match RtpPacket::parse(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                self.stream_mut(stream).counts.malformed += 1;
                return PushOutcome::Malformed(error);
            }
        };
        let epoch = *self.epoch_us.get_or_insert(arrival_us);
        let arrival = samples(arrival_us.saturating_sub(epoch)).clamp(-FARTHEST, FARTHEST);
        let lead = self.drift.lead();
        let spare = self.output.spare_buffer();
        let outcome = self.stream_mut(stream).push(arrival, lead, &packet, spare);
        self.newest = self.newest.max(arrival);
        self.pass_time();
        outcome
    }

    /// What has become final since the last call, in the order in which it was laid.
    pub fn take_ready(&mut self) -> Vec<Run> {
        self.output.take()
    }

    /// Bytes that [`take_ready`](Self::take_ready) would hand out now.
    pub fn ready_bytes(&self) -> usize {
        self.output.ready_bytes()
    }

    /// Makes everything final: no more packets are awaited. Those that come nevertheless go where
    /// late packets go.
    pub fn finish(&mut self) {
        self.lay(i64::MAX);
    }

    /// Unix time of sample 0 in microseconds; `None` before the first packet. Final once something
    /// was handed out: until then a packet may still come that belongs before the first one.
    pub fn started_unix_us(&self) -> Option<i64> {
        self.epoch_us.map(|epoch| epoch.saturating_add(self.start() * 1_000_000 / RATE_HZ))
    }

    fn push_rtcp(&mut self, stream: u32, datagram: &[u8]) -> PushOutcome {
        match SenderReport::parse(datagram) {
            Ok(report) => {
                if let Some(report) = report {
                    self.stream_mut(stream).sender_report(&report);
                }
                PushOutcome::Rtcp
            }
            Err(error) => {
                self.stream_mut(stream).counts.malformed += 1;
                PushOutcome::Malformed(error)
            }
        }
    }

    fn stream_mut(&mut self, index: u32) -> &mut Stream {
        let at = self.streams.iter().position(|stream| stream.index == index).unwrap_or_else(|| {
            self.streams.push(Stream::new(index));
            self.streams.len() - 1
        });
        &mut self.streams[at]
    }

    /// Lays what has waited long enough and closes drift windows. Driven by arrival times only.
    fn pass_time(&mut self) {
        let due = self.newest - self.laid_at >= LAY_STEP;
        if due || self.streams.iter().any(Stream::is_crowded) {
            self.laid_at = self.newest;
            self.lay(self.newest - self.window + self.drift.lead());
        }
        if self.newest >= self.window_end {
            self.window_end = self.newest - self.newest.rem_euclid(WINDOW) + WINDOW;
            self.drift.close_window(&mut self.streams);
        }
    }

    fn lay(&mut self, horizon: i64) {
        let crowded = self.streams.iter().any(Stream::is_crowded);
        let first = self.first_pending();
        if self.zero.is_none() && !crowded && first.is_none_or(|first| first >= horizon) {
            return;
        }
        let zero = *self.zero.get_or_insert(first.unwrap_or(0));
        for stream in &mut self.streams {
            stream.lay(horizon, zero, &mut self.output);
            stream.forget(self.newest);
        }
    }

    fn first_pending(&self) -> Option<i64> {
        self.streams.iter().filter_map(Stream::first_pending).min()
    }

    /// Position of sample 0, as far as it is known.
    fn start(&self) -> i64 {
        self.zero.or_else(|| self.first_pending()).unwrap_or(0)
    }
}

/// Microseconds as samples, rounded down.
fn samples(us: i64) -> i64 {
    (i128::from(us) * i128::from(RATE_HZ)).div_euclid(1_000_000) as i64
}
