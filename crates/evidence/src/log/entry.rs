//! The entries of a log: short texts that hold no number, no name and no call id.

mod line;
mod parse;
mod write;

use std::{fmt, str::FromStr, time::Duration};

use domain::{Class, InvalidId, RecordingId, TenantId};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;

pub use self::parse::EntryError;
use crate::{KeyId, Sha256Hash};

/// No entry is longer than this: an entry bundle has two bytes for the length (C2SP tlog-tiles), and
/// what people write (reasons, ways) is cut off long before.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// One entry. Times are kept to the millisecond, lengths too: what is finer is cut off in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened, by the clock of the one who wrote the entry.
    pub at: Timestamp,
    /// Whose log.
    pub tenant: TenantId,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A call rang or began: from now on, something has to become of it.
    Started {
        /// Which one.
        reference: Reference,
    },
    /// A rule said whether it is recorded.
    Decided {
        /// Which one.
        reference: Reference,
        /// What it said.
        outcome: Outcome,
        /// The rule's name; empty if none spoke.
        rule: String,
    },
    /// Its recording was stopped before the call ended.
    Stopped {
        /// Which one.
        reference: Reference,
        /// How: by a key, by a person, by an API.
        way: String,
    },
    /// Its recording was sealed: signed and chained.
    Sealed(Box<SealedEntry>),
    /// It was recorded, and nothing came of it that could be sealed.
    Empty {
        /// Which one.
        reference: Reference,
        /// Why.
        reason: String,
    },
    /// A recording was deleted.
    Deleted {
        /// Which one.
        recording: RecordingId,
        /// Where; none: everywhere.
        targets: Vec<String>,
        /// Why: retention, a person's wish.
        reason: String,
        /// Who: a person's account or a service, never a telephone number.
        by: String,
    },
    /// Somebody listened to a recording or took it out.
    Accessed {
        /// Which one.
        recording: RecordingId,
        /// Listened or took out.
        how: Access,
        /// Who: an account, never a telephone number.
        by: String,
    },
    /// A key came into use.
    Key(Box<KeyEntry>),
    /// Nothing happened for an hour, and the log is alive.
    Heartbeat,
}

/// A recording that was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// The call, as its [`What::Started`] names it.
    pub reference: Reference,
    /// The recording.
    pub recording: RecordingId,
    /// Its class: with the tenant, its lane.
    pub class: Class,
    /// Its place in the lane's chain, from 1.
    pub position: u64,
    /// SHA-256 of `_hash.txt`.
    pub hash_list: Sha256Hash,
    /// SHA-256 of the signature's bytes, not of its file.
    pub signature: Sha256Hash,
    /// The key that signed.
    pub key_id: KeyId,
    /// When the recording began.
    pub started: Timestamp,
    /// How long it is.
    pub duration: Duration,
    /// How many gaps it has.
    pub gaps: u64,
    /// True if its end is missing.
    pub interrupted: bool,
    /// The recording that it adds to, if it came later.
    pub supplement_to: Option<RecordingId>,
    /// The archives it goes to, by name; none: it stays in staging.
    pub targets: Vec<String>,
}

/// A key that came into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// How.
    pub change: KeyChange,
    /// The RSA key that signs recordings from now on.
    pub key_id: KeyId,
    /// The one before.
    pub previous: Option<KeyId>,
    /// SHA-256 fingerprint of the certificate.
    pub certificate: Sha256Hash,
    /// The key that signs checkpoints from now on, as [`LogKey::vkey`](super::LogKey::vkey).
    pub log_key: String,
    /// SHA-256 of the change statement; the first key has none.
    pub statement: Option<Sha256Hash>,
    /// Why.
    pub reason: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$word_doc:meta])* $variant:ident = $word:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $variant),+
        }

        impl $name {
            /// The word in the entry.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(InvalidId::expected($what, "one of the words that the log's format knows")),
                }
            }
        }
    };
}

words!(
    /// What a rule said.
    Outcome, "an outcome",
    /// The call is recorded.
    Recorded = "recorded",
    /// It is not.
    NotRecorded = "not-recorded",
    /// The parties are asked first.
    Asking = "asking"
);
words!(
    /// What somebody did with a recording.
    Access, "a kind of access",
    /// Listened.
    Played = "played",
    /// Took it out.
    Exported = "exported"
);
words!(
    /// How a key came into use.
    KeyChange, "a change of key",
    /// It is the log's first.
    First = "first",
    /// The old key agreed: it signed the change.
    Rotated = "rotated",
    /// The old key was lost: nobody but the new key vouches for the change.
    Replaced = "replaced"
);

/// A call in the log: the first half of HMAC-SHA256 (RFC 2104) of its recording's id under the tenant's
/// salt, as 32 hexadecimal digits. Who has the salt finds a call's entries; nobody else can tell which
/// call they speak of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Reference {
    /// The reference of the call that `recording` is of.
    pub fn of(salt: &[u8], recording: &RecordingId) -> Self {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(salt).expect("HMAC takes keys of any length");
        mac.update(recording.to_string().as_bytes());
        Self(hex::encode(&mac.finalize().into_bytes()[..16]))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::expected("a reference", "32 lower-case hexadecimal digits"))
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl What {
    /// The word of the line `Kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Decided { .. } => "decided",
            Self::Stopped { .. } => "stopped",
            Self::Sealed(_) => "sealed",
            Self::Empty { .. } => "empty",
            Self::Deleted { .. } => "deleted",
            Self::Accessed { .. } => "accessed",
            Self::Key(_) => "key",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// The call it speaks of, if it names one.
    pub const fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Started { reference }
            | Self::Decided { reference, .. }
            | Self::Stopped { reference, .. }
            | Self::Empty { reference, .. } => Some(reference),
            Self::Sealed(sealed) => Some(&sealed.reference),
            Self::Deleted { .. } | Self::Accessed { .. } | Self::Key(_) | Self::Heartbeat => None,
        }
    }
}

impl Entry {
    /// The exact bytes: `Key: value` lines, UTF-8, LF; at most [`MAX_ENTRY_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        write::write(self).into_bytes()
    }

    /// Reads [`to_bytes`](Self::to_bytes), strictly: what is read is written back byte for byte.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        parse::parse(bytes)
    }
}
