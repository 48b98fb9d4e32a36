//! What an audit of a log tells, in words for an auditor.

use std::fmt;

use domain::{Class, RecordingId};
use jiff::Timestamp;

use crate::{
    KeyId,
    log::{Access, Entry, KeyChange, Reference, What},
};

/// Something that should not be. `index` is the entry that shows it, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFinding {
    /// A call began, and the log does not say what became of it.
    NeverEnded {
        /// The entry that says that it began.
        index: u64,
        /// Which call; who has the tenant's salt can tell.
        reference: Reference,
        /// When it began.
        at: Timestamp,
    },
    /// Places in a chain that no recording has.
    PositionsMissing {
        /// The entry that passed them over.
        index: u64,
        /// With the log's tenant, the lane.
        class: Class,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A place in a chain that a recording had before.
    PositionTwice {
        /// The later entry.
        index: u64,
        /// With the log's tenant, the lane.
        class: Class,
        /// The place.
        position: u64,
        /// The later recording.
        recording: RecordingId,
    },
    /// A recording that was sealed after one that follows it in the chain.
    OutOfOrder {
        /// The entry.
        index: u64,
        /// With the log's tenant, the lane.
        class: Class,
        /// The place.
        position: u64,
        /// The recording.
        recording: RecordingId,
    },
    /// A recording that was signed by another key than the log says signs.
    OtherKey {
        /// The entry.
        index: u64,
        /// The recording.
        recording: RecordingId,
        /// The key that signed.
        key: KeyId,
        /// The key that the log says signs.
        expected: KeyId,
    },
    /// A change of key that does not begin with the key in use.
    KeyOutOfLine {
        /// The entry.
        index: u64,
        /// The key it says was in use.
        named: Option<KeyId>,
        /// The key that was.
        expected: Option<KeyId>,
    },
    /// A key that claims to be the log's first, and is not.
    SecondFirstKey {
        /// The entry.
        index: u64,
        /// The key.
        key: KeyId,
    },
    /// The newest checkpoint is signed by a key that was put out of use before.
    RetiredLogKey {
        /// The entry that named another key.
        index: u64,
        /// The size in that checkpoint.
        size: u64,
    },
}

impl AuditFinding {
    /// The entry that shows it, from 0.
    pub const fn index(&self) -> u64 {
        match self {
            Self::NeverEnded { index, .. }
            | Self::PositionsMissing { index, .. }
            | Self::PositionTwice { index, .. }
            | Self::OutOfOrder { index, .. }
            | Self::OtherKey { index, .. }
            | Self::KeyOutOfLine { index, .. }
            | Self::SecondFirstKey { index, .. }
            | Self::RetiredLogKey { index, .. } => *index,
        }
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverEnded { index, reference, at } => write!(
                f,
                "a call began at {at:.3} (entry {index}, reference {reference}), and the log does not say that it was sealed, not recorded or left nothing"
            ),
            Self::PositionsMissing { index, class, from, to } if from == to => {
                write!(
                    f,
                    "no recording has position {from} in the chain of class {class}: entry {index} passed it over"
                )
            }
            Self::PositionsMissing { index, class, from, to } => write!(
                f,
                "no recordings have positions {from} to {to} in the chain of class {class}: entry {index} passed them over"
            ),
            Self::PositionTwice { index, class, position, recording } => write!(
                f,
                "recording {recording} (entry {index}) has position {position} in the chain of class {class}, which another had before: the chain is forked"
            ),
            Self::OutOfOrder { index, class, position, recording } => write!(
                f,
                "recording {recording} (entry {index}) at position {position} in the chain of class {class} was sealed after one that follows it"
            ),
            Self::OtherKey { index, recording, key, expected } => write!(
                f,
                "recording {recording} (entry {index}) was signed by the key {key}, but by the log the key {expected} signs"
            ),
            Self::KeyOutOfLine { index, named, expected } => {
                let name = |key: &Option<KeyId>| key.map_or_else(|| "none".to_owned(), |key| key.to_string());
                let (named, expected) = (name(named), name(expected));
                write!(
                    f,
                    "the change of key in entry {index} names {named} as the one before, but {expected} was"
                )
            }
            Self::SecondFirstKey { index, key } => {
                write!(
                    f,
                    "the key {key} in entry {index} claims to be the log's first, but it had one before"
                )
            }
            Self::RetiredLogKey { index, size } => write!(
                f,
                "the checkpoint over {size} entries is not signed by the log key that entry {index} put into use: somebody went on signing with a former one"
            ),
        }
    }
}

/// Something that may be, and that an auditor wants to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditNote {
    /// A recording was deleted.
    Deleted {
        /// The entry, from 0.
        index: u64,
        /// Which recording.
        recording: RecordingId,
        /// Where; none: everywhere.
        targets: Vec<String>,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// A recording was stopped.
    Stopped {
        /// The entry, from 0.
        index: u64,
        /// Which call; who has the tenant's salt can tell.
        reference: Reference,
        /// By what: the phone's button, an API.
        way: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody listened to a recording, or took it out.
    Accessed {
        /// The entry, from 0.
        index: u64,
        /// Which recording.
        recording: RecordingId,
        /// What was done.
        how: Access,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// For too long nothing was written, not even that there was nothing to write.
    Silence {
        /// The entry after it, from 0.
        index: u64,
        /// When the entry before it was written.
        from: Timestamp,
        /// When that was over.
        to: Timestamp,
    },
    /// A key came into use.
    Key {
        /// The entry, from 0.
        index: u64,
        /// How.
        change: KeyChange,
        /// Which one.
        key: KeyId,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl AuditNote {
    /// What entry `index` says that people did; `None` for what the recorder did by itself.
    pub fn of(index: u64, entry: &Entry) -> Option<Self> {
        let at = entry.at;
        Some(match entry.what.clone() {
            What::Deleted { recording, targets, reason, by } => {
                Self::Deleted { index, recording, targets, reason, by, at }
            }
            What::Stopped { reference, way } => Self::Stopped { index, reference, way, at },
            What::Accessed { recording, how, by } => Self::Accessed { index, recording, how, by, at },
            What::Key(key) => {
                Self::Key { index, change: key.change, key: key.key_id, at, reason: key.reason }
            }
            What::Started { .. }
            | What::Decided { .. }
            | What::Sealed(_)
            | What::Empty { .. }
            | What::Heartbeat => return None,
        })
    }

    /// True for what must not be overlooked: a key that nobody but itself vouches for, and times of
    /// which the log tells nothing.
    pub const fn is_loud(&self) -> bool {
        matches!(self, Self::Key { change: KeyChange::Replaced, .. } | Self::Silence { .. })
    }

    /// The entry that tells it, from 0; of a silence, the one after it.
    pub const fn index(&self) -> u64 {
        match self {
            Self::Deleted { index, .. }
            | Self::Stopped { index, .. }
            | Self::Accessed { index, .. }
            | Self::Silence { index, .. }
            | Self::Key { index, .. } => *index,
        }
    }

    /// When; of a silence, its end.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Deleted { at, .. }
            | Self::Stopped { at, .. }
            | Self::Accessed { at, .. }
            | Self::Silence { to: at, .. }
            | Self::Key { at, .. } => *at,
        }
    }

    /// One word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Deleted { .. } => "deleted",
            Self::Stopped { .. } => "stopped",
            Self::Accessed { .. } => "accessed",
            Self::Silence { .. } => "silence",
            Self::Key { .. } => "key",
        }
    }
}

impl fmt::Display for AuditNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted { index, recording, targets, reason, by, at } => {
                let targets = if targets.is_empty() { "all".to_owned() } else { targets.join(", ") };
                write!(
                    f,
                    "recording {recording} was deleted at {at:.0} by {by} from {targets}: {reason} (entry {index})"
                )
            }
            Self::Stopped { index, reference, way, at } => {
                write!(
                    f,
                    "a recording was stopped at {at:.0} by {way} (entry {index}, reference {reference})"
                )
            }
            Self::Accessed { index, recording, how, by, at } => {
                let done = match how {
                    Access::Played => "listened to",
                    Access::Exported => "taken out",
                };
                write!(f, "recording {recording} was {done} at {at:.0} by {by} (entry {index})")
            }
            Self::Silence { index, from, to } => write!(
                f,
                "ATTENTION: from {from:.0} to {to:.0} the log says nothing, not even that there was nothing (before entry {index}): the recorder was not running or its log was not written. Ask what happened"
            ),
            Self::Key { index, change: KeyChange::First, key, at, .. } => {
                write!(f, "the key {key} signs since {at:.0} (entry {index}): it is the log's first")
            }
            Self::Key { index, change: KeyChange::Rotated, key, at, reason } => {
                write!(
                    f,
                    "the key {key} signs since {at:.0} (entry {index}), and the key before it agreed: {reason}"
                )
            }
            Self::Key { index, change: KeyChange::Replaced, key, at, reason } => write!(
                f,
                "ATTENTION: the key {key} signs since {at:.0} (entry {index}), and the key before it did NOT agree, because it was lost: {reason}. Ask who did this, and compare the certificate's fingerprint"
            ),
        }
    }
}
