//! Names of a recording's files (F-40): they sort by time and are allowed on every target.

use std::{fmt, str::FromStr};

use domain::{Direction, RecordingId, Side};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use unicode_normalization::UnicodeNormalization;

/// How many bytes of a number stand in a name: enough for any number and most SIP addresses, and
/// with two of them a name stays under 200 bytes, which even encrypting file systems take.
const NUMBER_BYTES: usize = 40;
/// `20261122-091530.123Z`
const STAMP: &str = "%Y%m%d-%H%M%S.%3fZ";
const STAMP_BYTES: usize = 20;
const ID_BYTES: usize = 36;

/// Why a text is not the base name of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a recording: expected <time stamp>_<direction>_<caller>_<callee>_<recording id>")]
pub struct InvalidBaseName;

/// The name that all files of one recording begin with:
/// `20261122-091530.123Z_in_+4970311234_+4922198765_<recording id>`.
///
/// The stamp is UTC, because local time repeats an hour each autumn. Numbers keep letters and digits of
/// any script (in Unicode form NFC), `+`, `-` and `.`; anything else becomes `_`. No two names of
/// different recordings are equal even where case counts for nothing, because the id stands in them.
/// Holds numbers: `Debug` shows the recording id alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseName {
    text: String,
    started: Timestamp,
    direction: Direction,
    recording: RecordingId,
}

impl BaseName {
    /// The name of a recording whose sample 0 was at `started` (milliseconds count).
    pub fn new(started: Timestamp, direction: Direction, caller: &str, callee: &str, recording: RecordingId) -> Self {
        let started = whole_milliseconds(started);
        let stamp = started.to_zoned(TimeZone::UTC).strftime(STAMP);
        let text = format!("{stamp}_{direction}_{}_{}_{recording}", safe(caller), safe(callee));
        Self { text, started, direction, recording }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// When sample 0 was; whole milliseconds.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// The direction of the call.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Whose name it is.
    pub const fn recording(&self) -> RecordingId {
        self.recording
    }

    /// The name of the file that holds `section`.
    pub fn file(&self, section: Section) -> String {
        format!("{}{section}", self.text)
    }

    /// The recording and section that a file name stands for; `None` if it is not a name of ours.
    pub fn parse_file(name: &str) -> Option<(Self, Section)> {
        let (base, ending) = Self::split_file(name)?;
        Some((base, ending.parse().ok()?))
    }

    /// The recording that a file name begins with, and what follows, known section or not.
    pub fn split_file(name: &str) -> Option<(Self, &str)> {
        // The id ends the base name, and no ending of a section looks like an id: the last place
        // where the text up to it is a base name is the place.
        let mut at = name.len();
        while at > STAMP_BYTES + ID_BYTES {
            if name.is_char_boundary(at)
                && let Ok(base) = name[..at].parse()
            {
                return Some((base, &name[at..]));
            }
            at -= 1;
        }
        None
    }
}

impl FromStr for BaseName {
    type Err = InvalidBaseName;
    fn from_str(text: &str) -> Result<Self, InvalidBaseName> {
        let parse = || {
            let (stamp, rest) = text.split_at_checked(STAMP_BYTES)?;
            let started = strtime::parse("%Y%m%d-%H%M%S.%fZ", stamp).ok()?.to_datetime().ok()?;
            let started = started.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let (direction, rest) = rest.strip_prefix('_')?.split_once('_')?;
            let (numbers, id) = rest.split_at_checked(rest.len().checked_sub(ID_BYTES)?)?;
            let (caller, callee) = numbers.strip_suffix('_')?.split_once('_')?;
            let clean = numbers.chars().all(|c| is_safe(c) || c == '_') && !caller.is_empty() && !callee.is_empty();
            let direction = direction.parse().ok()?;
            let recording = id.parse().ok()?;
            (clean && text.len() < 200).then(|| Self { text: text.to_owned(), started, direction, recording })
        };
        parse().ok_or(InvalidBaseName)
    }
}

impl fmt::Debug for BaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseName(…_{})", self.recording)
    }
}

/// `at` without what is finer than a millisecond.
pub(crate) fn whole_milliseconds(at: Timestamp) -> Timestamp {
    // A floor towards the past; every millisecond of a timestamp is a timestamp.
    Timestamp::from_millisecond(at.as_nanosecond().div_euclid(1_000_000) as i64).unwrap_or(at)
}

fn is_safe(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// A number as it can stand in a name on every target.
fn safe(number: &str) -> String {
    let mut out = String::new();
    for c in number.trim().nfc().map(|c| if is_safe(c) { c } else { '_' }) {
        if out.len() + c.len_utf8() > NUMBER_BYTES {
            break;
        }
        out.push(c);
    }
    if out.is_empty() { "anonymous".to_owned() } else { out }
}

/// How a file of audio is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AudioFormat {
    /// WAVE or RF64.
    Wav,
    /// Ogg.
    Ogg,
}

/// One of the files of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Audio: `.wav`, `_caller.wav`, `_callee.wav`, and `_2.wav`, `_caller_2.wav` … where one file
    /// cannot hold all, because the codec changed.
    Audio {
        /// The side in it; `None`: both, channel 1 caller, channel 2 callee.
        side: Option<Side>,
        /// From 1; 1 is not written in the name.
        part: u8,
        /// Container.
        format: AudioFormat,
    },
    /// `_info.txt` (F-41).
    Info,
    /// `_journal.json` (F-43).
    Journal,
    /// `_hash.txt` (F-50).
    HashList,
    /// `_hash.SHA256withRSA.sig` (F-51).
    Signature,
    /// `_log-proof.txt` (F-58).
    LogProof,
    /// `_hash.tsr`: a time stamp of an authority (RFC 3161) over the hash list.
    TimeStamp,
}

impl Section {
    /// The one WAVE file with both sides.
    pub const STEREO: Self = Self::wav(None, 1);

    /// A WAVE file with the given side (`None`: both); `part` from 1.
    pub const fn wav(side: Option<Side>, part: u8) -> Self {
        Self::Audio { side, part, format: AudioFormat::Wav }
    }

    /// True for files that the hash list has to name.
    pub const fn is_hashed(self) -> bool {
        matches!(self, Self::Audio { .. } | Self::Info | Self::Journal)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio { side, part, format } => {
                f.write_str(match side {
                    None => "",
                    Some(Side::Caller) => "_caller",
                    Some(Side::Callee) => "_callee",
                })?;
                if *part > 1 {
                    write!(f, "_{part}")?;
                }
                f.write_str(match format {
                    AudioFormat::Wav => ".wav",
                    AudioFormat::Ogg => ".ogg",
                })
            }
            Self::Info => f.write_str("_info.txt"),
            Self::Journal => f.write_str("_journal.json"),
            Self::HashList => f.write_str("_hash.txt"),
            Self::Signature => f.write_str("_hash.SHA256withRSA.sig"),
            Self::LogProof => f.write_str("_log-proof.txt"),
            Self::TimeStamp => f.write_str("_hash.tsr"),
        }
    }
}

impl FromStr for Section {
    type Err = InvalidBaseName;
    fn from_str(ending: &str) -> Result<Self, InvalidBaseName> {
        let fixed = [Self::Info, Self::Journal, Self::HashList, Self::Signature, Self::LogProof, Self::TimeStamp];
        if let Some(section) = fixed.into_iter().find(|section| section.to_string() == ending) {
            return Ok(section);
        }
        let parse = || {
            let (stem, format) = match ending.strip_suffix(".wav") {
                Some(stem) => (stem, AudioFormat::Wav),
                None => (ending.strip_suffix(".ogg")?, AudioFormat::Ogg),
            };
            let (side, stem) = if let Some(stem) = stem.strip_prefix("_caller") {
                (Some(Side::Caller), stem)
            } else if let Some(stem) = stem.strip_prefix("_callee") {
                (Some(Side::Callee), stem)
            } else {
                (None, stem)
            };
            let part = if stem.is_empty() { 1 } else { stem.strip_prefix('_')?.parse().ok()? };
            Some(Self::Audio { side, part, format }).filter(|section| section.to_string() == ending)
        };
        parse().ok_or(InvalidBaseName)
    }
}
