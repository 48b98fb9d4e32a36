//! What can be said about a recording: for `_info.txt`, and for people who ask what is missing.

use serde::{Deserialize, Serialize};

use super::{Gap, GapCause, Timeline, TrackId, stream::Stream};
use crate::codec::Codec;

/// Counters of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// RTP packets, each once.
    pub received: u64,
    /// Sequence numbers that never came (RFC 3550 appendix A.3).
    pub lost: u64,
    /// Copies of packets that were there.
    pub duplicate: u64,
    /// Packets that came when their place was final; they are in a further layer.
    pub late: u64,
    /// Packets of a second source that talked at the same time; they are in a further layer.
    pub concurrent: u64,
    /// Datagrams that are no packets.
    pub malformed: u64,
    /// Events, comfort noise, empty packets.
    pub not_audio: u64,
    /// Packets of a payload type that cannot be archived.
    pub unsupported: u64,
}

/// From which sample on a stream used a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecSpan {
    /// The codec.
    pub codec: Codec,
    /// Its first sample; it lasts until the next span.
    pub from_sample: u64,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Index of the stream.
    pub stream: u32,
    /// Counters.
    pub packets: PacketCounts,
    /// SSRCs in the order in which they were heard, the first 64.
    pub ssrcs: Vec<u32>,
    /// Codecs of the main layer in the order of use. More than one: several tracks.
    pub codecs: Vec<CodecSpan>,
    /// First sample with payload; `None` if there is none.
    pub start_sample: Option<u64>,
    /// Sample after the last payload of the main layer.
    pub end_sample: u64,
    /// All silence in the main layer, up to the end of the recording, in order.
    pub gaps: Vec<Gap>,
}

/// One track: a file channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackReport {
    /// Which.
    pub track: TrackId,
    /// First sample with payload.
    pub start_sample: u64,
    /// Sample after the last payload.
    pub end_sample: u64,
    /// Samples of payload; the rest is silence.
    pub payload_samples: u64,
}

/// The whole recording, as far as it is final. After [`Timeline::finish`] that is all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Unix time of sample 0 in microseconds; `None` if no packet came.
    pub started_unix_us: Option<i64>,
    /// Length of every channel in samples: the end of the last payload in any main layer. Further
    /// layers may end later.
    pub length_samples: u64,
    /// Streams by index.
    pub streams: Vec<StreamReport>,
    /// Tracks in the order in which they began.
    pub tracks: Vec<TrackReport>,
}

impl Timeline {
    /// The state of things; see [`Report`].
    pub fn report(&self) -> Report {
        let zero = self.start();
        let end = |stream: &Stream| match stream.layers[0].holder {
            Some(_) => (stream.layers[0].end - zero).max(0) as u64,
            None => 0,
        };
        let length_samples = self.streams.iter().map(end).max().unwrap_or(0);
        let mut streams: Vec<_> =
            self.streams.iter().map(|one| report_stream(one, end(one), length_samples)).collect();
        streams.sort_by_key(|stream| stream.stream);
        let tracks = self.output.tracks.iter().map(|laid| TrackReport {
            track: laid.track,
            start_sample: laid.start,
            end_sample: laid.end,
            payload_samples: laid.payload,
        });
        Report { started_unix_us: self.started_unix_us(), length_samples, streams, tracks: tracks.collect() }
    }
}

fn report_stream(stream: &Stream, end_sample: u64, length_samples: u64) -> StreamReport {
    let codecs = stream.layers[0].codecs.clone();
    let mut gaps = stream.layers[0].gaps.clone();
    if length_samples > end_sample {
        let cause = if codecs.is_empty() { GapCause::LateStart } else { GapCause::EarlyEnd };
        gaps.push(Gap { start_sample: end_sample, length_samples: length_samples - end_sample, cause });
    }
    StreamReport {
        stream: stream.index,
        packets: PacketCounts { lost: stream.lost(), ..stream.counts },
        ssrcs: stream.ssrcs.clone(),
        start_sample: codecs.first().map(|span| span.from_sample),
        codecs,
        end_sample,
        gaps,
    }
}
