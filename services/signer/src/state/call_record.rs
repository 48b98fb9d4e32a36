//! What is stored of one recording: the call's facts and, once assembled, what lies on its
//! timeline. Protobuf, like the bus, so that a later version reads what an earlier one wrote.

use prost::Message;
use wire::call_v1;

/// A recording as the signer knows it. Holds numbers: never print it.
#[derive(Clone, PartialEq, Message)]
pub struct CallRecord {
    /// Whose it is.
    #[prost(string, tag = "1")]
    pub tenant: String,
    /// The recording id that the messages name; a supplementary section has an id of its own.
    #[prost(string, tag = "2")]
    pub recording_id: String,
    /// The ingest node.
    #[prost(string, tag = "3")]
    pub node: String,
    /// Its run.
    #[prost(string, tag = "4")]
    pub epoch: String,
    /// Who calls whom; the latest that was said.
    #[prost(message, optional, tag = "5")]
    pub facts: Option<call_v1::CallFacts>,
    /// How it is recorded.
    #[prost(message, optional, tag = "6")]
    pub decision: Option<call_v1::Decision>,
    /// Every stream that was ever named, by index.
    #[prost(message, repeated, tag = "7")]
    pub streams: Vec<call_v1::Stream>,
    /// When the INVITE came. Unix time, microseconds.
    #[prost(int64, tag = "8")]
    pub invited_unix_us: i64,
    /// When it was answered, as far as the PBX says; 0: not said.
    #[prost(int64, tag = "9")]
    pub answered_unix_us: i64,
    /// The last message, if it came.
    #[prost(message, optional, tag = "10")]
    pub ended: Option<call_v1::CallEnded>,
    /// Message numbers that are still wanted. At completion: those that never came.
    #[prost(message, repeated, tag = "11")]
    pub wanted: Vec<NumberRange>,
    /// Why the recording is not whole; empty: it is.
    #[prost(string, tag = "12")]
    pub interrupted: String,
    /// 0: the call itself; 1, 2, …: what came after it was sealed.
    #[prost(uint32, tag = "13")]
    pub section: u32,
    /// The recording that a supplementary section belongs to; empty for section 0.
    #[prost(string, tag = "14")]
    pub supplements: String,
    /// What lies on the timeline; only once complete.
    #[prost(message, optional, tag = "15")]
    pub laid: Option<Laid>,
    /// Time stamp of the last message on the bus. Unix time, microseconds.
    #[prost(int64, tag = "16")]
    pub last_stored_unix_us: i64,
    /// People on the call that another took the place of, so that none is forgotten.
    #[prost(message, repeated, tag = "17")]
    pub former_streams: Vec<call_v1::Stream>,
    /// Numbers that are not waited for any more while the recording is still open.
    #[prost(message, repeated, tag = "18")]
    pub given_up: Vec<NumberRange>,
}

/// Message numbers, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct NumberRange {
    /// The first.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// The last; `u64::MAX`: no end is known.
    #[prost(uint64, tag = "2")]
    pub last: u64,
}

/// The finished timeline of a recording.
#[derive(Clone, PartialEq, Message)]
pub struct Laid {
    /// Arrival of the first packet: sample 0. Unix time, microseconds; 0: no RTP came.
    #[prost(int64, tag = "1")]
    pub origin_unix_us: i64,
    /// Tracks: a stream, in one codec.
    #[prost(message, repeated, tag = "2")]
    pub tracks: Vec<TrackLaid>,
    /// What each stream received.
    #[prost(message, repeated, tag = "3")]
    pub streams: Vec<StreamLaid>,
    /// Length of the main channels, samples.
    #[prost(uint64, tag = "4")]
    pub length_samples: u64,
}

/// One track: audio of one stream in one codec, one byte a sample.
#[derive(Clone, PartialEq, Message)]
pub struct TrackLaid {
    /// Number within the recording, as the segments name it (see `assemble::laid::track_number`).
    #[prost(uint32, tag = "1")]
    pub track: u32,
    /// Index of the stream.
    #[prost(uint32, tag = "2")]
    pub stream: u32,
    /// `PCMA` or `PCMU`.
    #[prost(string, tag = "3")]
    pub codec: String,
    /// Its first sample with payload, counted from sample 0.
    #[prost(uint64, tag = "4")]
    pub start_sample: u64,
    /// The sample after its last payload.
    #[prost(uint64, tag = "5")]
    pub end_sample: u64,
    /// Samples of payload in it; the rest is silence.
    #[prost(uint64, tag = "6")]
    pub payload_samples: u64,
    /// 0: the stream itself; 1, 2, …: what found its place taken.
    #[prost(uint32, tag = "7")]
    pub layer: u32,
}

/// A stretch of silence that was put in.
#[derive(Clone, PartialEq, Message)]
pub struct GapLaid {
    /// Begin on the recording's clock, samples.
    #[prost(uint64, tag = "1")]
    pub start_sample: u64,
    /// Length, samples.
    #[prost(uint64, tag = "2")]
    pub samples: u64,
    /// `lost`, `quiet`, `drift`, `late-start`, `early-end`.
    #[prost(string, tag = "3")]
    pub cause: String,
}

/// Packet counts of one stream.
#[derive(Clone, PartialEq, Message)]
pub struct StreamLaid {
    /// Index of the stream.
    #[prost(uint32, tag = "1")]
    pub stream: u32,
    /// RTP packets that were taken, doubles not counted.
    #[prost(uint64, tag = "2")]
    pub received: u64,
    /// Packets missing in the sequence.
    #[prost(uint64, tag = "3")]
    pub lost: u64,
    /// Packets that came twice.
    #[prost(uint64, tag = "4")]
    pub duplicates: u64,
    /// Packets whose place had been written when they came.
    #[prost(uint64, tag = "5")]
    pub late: u64,
    /// Datagrams that were no RTP.
    #[prost(uint64, tag = "6")]
    pub malformed: u64,
    /// Packets of a second source that sent at the same time.
    #[prost(uint64, tag = "7")]
    pub concurrent: u64,
    /// Packets of a codec that cannot be archived.
    #[prost(uint64, tag = "8")]
    pub unsupported: u64,
    /// Silence that was put into its main channel.
    #[prost(message, repeated, tag = "9")]
    pub gaps: Vec<GapLaid>,
}
