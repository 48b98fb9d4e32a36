//! `_info.txt` (F-41): what is known of a recording, one `Key: value` a line, UTF-8, LF.

mod parsed;
mod write;

use std::time::Duration;

use domain::{Consent, Direction, Lane, RecordingId, Sensitive, Side};
use jiff::{Timestamp, Zoned};

pub use self::parsed::ParsedInfo;
pub(crate) use self::write::{local, side, time_of};
use crate::{BaseName, KeyId, LaneHead};

/// Everything that `_info.txt` and `_journal.json` say.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// `Datetime`: sample 0 in the tenant's time zone. Milliseconds are written.
    pub started: Zoned,
    /// `Recording`.
    pub recording: RecordingId,
    /// `CallId`: the PBX's own id (F-42).
    pub call_id: String,
    /// `Tenant` and `Class`: what it is chained in.
    pub lane: Lane,
    /// `Rule`: the name of the rule that decided, or what stood in for one.
    pub rule: String,
    /// `Direction`.
    pub direction: Direction,
    /// `Caller` and `CallerName`.
    pub caller: Person,
    /// `Callee` and `CalleeName`.
    pub callee: Person,
    /// `Answered`: when; `None` is written `no`.
    pub answered: Option<Timestamp>,
    /// `Duration` of the audio.
    pub duration: Duration,
    /// `Channels`, `Codec`, `PacketsReceived`, `PacketsLost`: one value a channel, in the order of the
    /// channels in the files.
    pub channels: Vec<Channel>,
    /// `Interrupted`: why the recording does not hold the whole call; `None` is written `no`.
    pub interrupted: Option<String>,
    /// `Consent`: what it rests on (F-24), the proof in one line; `None` is written `none`.
    pub consent: Option<Consent>,
    /// `Gaps`: their number, and a line `Gap<n>` for each: all silence that nobody sent as such.
    pub gaps: Vec<Gap>,
    /// `Product`: name and version.
    pub product: String,
    /// `Installation`: its id.
    pub installation: String,
    /// `KeyId`.
    pub key_id: KeyId,
    /// `PreviousRecording`, `PreviousSignature`, `ChainPosition`: the lane's head before this recording;
    /// `None`: this is the lane's first.
    pub previous: Option<LaneHead>,
    /// `Files`: names of the audio files, in order.
    pub files: Vec<String>,
    /// `Participant<n>`: everybody who took part, as far as the PBX said.
    pub participants: Vec<Participant>,
    /// `SupplementTo`, `SupplementReason`: this holds audio that came after the named recording was
    /// sealed.
    pub supplement: Option<Supplement>,
    /// `Started`, `StartedBy`: a user began the recording (F-17); `None` leaves the keys out.
    pub started_by_hand: Option<StartedByHand>,
    /// `Stopped`, `StoppedBy`: somebody ended the recording before the call was over (F-32); `None`
    /// leaves the keys out.
    pub stopped: Option<Stopped>,
    /// Further keys, after all others. Keys are ASCII letters and digits.
    pub more: Vec<(String, String)>,
}

impl Info {
    /// The base name that all files of the recording have.
    pub fn base_name(&self) -> BaseName {
        let (caller, callee) = (self.caller.number.expose(), self.callee.number.expose());
        BaseName::new(self.started.timestamp(), self.direction, caller, callee, self.recording)
    }

    /// The place in the lane's chain, from 1.
    pub fn position(&self) -> u64 {
        self.previous.as_ref().map_or(1, |previous| previous.position + 1)
    }

    /// The exact bytes of `_info.txt`.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::lines(self)
            .into_iter()
            .map(|(key, value)| write::line(&key, &value))
            .collect::<String>()
            .into_bytes()
    }
}

/// One side of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The number or address as the PBX wrote it.
    pub number: Sensitive<String>,
    /// The display name, or nothing.
    pub name: Sensitive<String>,
}

/// A start by a user, while the call went on (F-17).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedByHand {
    /// When.
    pub at: Timestamp,
    /// Where the wish came from: `phone button`, `API`.
    pub way: String,
    /// The user, if it was said who.
    pub user: Sensitive<String>,
}

/// A stop in mid-call. Signed with the rest, it is the attributed record of who wanted it (F-32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// When.
    pub at: Timestamp,
    /// Where the wish came from: `keys on the callee's phone`, `API`.
    pub way: String,
    /// The user, if it was said who.
    pub user: Sensitive<String>,
}

/// One channel of the audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Whose voice.
    pub side: Side,
    /// Encoding name as in SDP: `PCMA`, `PCMU`.
    pub codec: String,
    /// RTP packets that arrived, without duplicates.
    pub packets_received: u64,
    /// RTP packets that the sequence numbers promise and that did not arrive.
    pub packets_lost: u64,
}

/// Silence that was put into a channel, or a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The channel, from 1, counted over all files in order.
    pub channel: u16,
    /// The first sample of silence.
    pub first_sample: u64,
    /// How many samples.
    pub samples: u64,
    /// Samples in a second.
    pub sample_rate_hz: u32,
    /// Why.
    pub cause: GapCause,
}

/// Why there is silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapCause {
    /// `lost`: packets did not arrive.
    Lost,
    /// `quiet`: the sender sent nothing (silence suppression, hold).
    Quiet,
    /// `late-start`: the side began to send after the other.
    LateStart,
    /// `drift`: its clock runs slower than the other side's.
    Drift,
    /// `paused`: recording was paused on demand (F-39).
    Paused,
    /// `not-delivered`: the recorder took the packets, and they did not reach the signer in time.
    NotDelivered,
    /// `ended-early`: the side stopped sending before the other.
    EndedEarly,
}

impl GapCause {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Quiet => "quiet",
            Self::LateStart => "late-start",
            Self::Drift => "drift",
            Self::Paused => "paused",
            Self::NotDelivered => "not-delivered",
            Self::EndedEarly => "ended-early",
        }
    }
}

/// Somebody who took part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// On which side; `None`: not known.
    pub side: Option<Side>,
    /// Number or address, and name.
    pub person: Person,
}

/// What a supplementary recording belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplement {
    /// The recording that was sealed before this audio came.
    pub to: RecordingId,
    /// Why it came late, for people.
    pub reason: String,
}
