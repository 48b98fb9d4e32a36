//! `_info.txt` read back, as `verify` needs it: lenient, because later versions write more keys.

use domain::{Consent, Lane, RecordingId};
use jiff::Timestamp;

use crate::{ChainLink, KeyId, Previous, Sha256Hash, Signature, chain::Standing, text::unescape};

/// The keys and values of an `_info.txt`. A key that is missing or makes no sense reads as `None`.
/// Holds numbers: not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct ParsedInfo {
    pairs: Vec<(String, String)>,
}

impl ParsedInfo {
    /// Reads `Key: value` lines; others are passed over, bytes that are not UTF-8 are replaced.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let pairs = text.split('\n').filter_map(|line| line.split_once(": "));
        Self { pairs: pairs.map(|(key, value)| (key.to_owned(), unescape(value))).collect() }
    }

    /// The value of the first line with `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// `Recording`.
    pub fn recording(&self) -> Option<RecordingId> {
        self.get("Recording")?.parse().ok()
    }

    /// `Datetime`.
    pub fn started(&self) -> Option<Timestamp> {
        self.get("Datetime")?.parse().ok()
    }

    /// `Tenant` and `Class`.
    pub fn lane(&self) -> Option<Lane> {
        Some(Lane { tenant: self.get("Tenant")?.parse().ok()?, class: self.get("Class")?.parse().ok()? })
    }

    /// `Consent`: `Some(None)` is a recording that needs none. To the millisecond.
    pub fn consent(&self) -> Option<Option<Consent>> {
        match self.get("Consent")? {
            "none" => Some(None),
            proof => consent(proof).map(Some),
        }
    }

    /// `KeyId`.
    pub fn key_id(&self) -> Option<KeyId> {
        self.get("KeyId")?.parse().ok()
    }

    /// `ChainPosition`, from 1.
    pub fn position(&self) -> Option<u64> {
        self.get("ChainPosition")?.parse().ok().filter(|position| *position > 0)
    }

    /// `PreviousRecording` and `PreviousSignature`: `Some(None)` is the first of a lane.
    pub fn previous(&self) -> Option<Option<Previous>> {
        match (self.get("PreviousRecording")?, self.get("PreviousSignature")?) {
            ("none", "none") => Some(None),
            (recording, signature) => Some(Some(Previous {
                recording: recording.parse().ok()?,
                signature: Signature::parse(signature.as_bytes()).ok()?,
            })),
        }
    }

    /// The recording as a link of its lane's chain; `signature` is the one of its own hash list.
    /// `None` if a key that this takes is missing.
    pub fn chain_link(&self, signature: &Signature) -> Option<ChainLink> {
        Some(ChainLink {
            lane: self.lane()?,
            position: self.position()?,
            recording: self.recording()?,
            previous: self.previous()?.map(|previous| Standing {
                recording: previous.recording,
                signature: Sha256Hash::of(previous.signature.as_bytes()),
            }),
            signature: Sha256Hash::of(signature.as_bytes()),
        })
    }
}

/// `outcome; mode; [key K;] time; [announcement NAME;] [sha256 HASH;] source`
fn consent(text: &str) -> Option<Consent> {
    let parts: Vec<&str> = text.split("; ").collect();
    let [outcome, mode, between @ .., source] = parts.as_slice() else { return None };
    let named = |name: &str| between.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix(' '));
    let at = between.iter().find_map(|part| part.parse::<Timestamp>().ok())?;
    Some(Consent {
        mode: mode.parse().ok()?,
        outcome: outcome.parse().ok()?,
        key: named("key").map(str::parse).transpose().ok()?,
        at_unix_us: at.as_microsecond(),
        announcement: named("announcement").map(str::parse).transpose().ok()?,
        announcement_sha256: named("sha256").map(str::to_owned),
        source: source.parse().ok()?,
    })
}
