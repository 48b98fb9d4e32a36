//! What was decided about a call, and why.

use serde::{Deserialize, Serialize};

use crate::{AskedBy, Consent, ConsentMode, ResourceName, Side};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All values, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in files, resources and messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::InvalidId;
            fn from_str(text: &str) -> Result<Self, crate::InvalidId> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(crate::InvalidId::expected(stringify!($name), concat!("one of", $(" ", $text),+))),
                }
            }
        }
    };
}

pub(crate) use named_enum;

named_enum!(
    /// The direction of a call, seen from the tenant.
    Direction {
        /// From outside to one of the tenant's users or groups.
        In = "in",
        /// From one of the tenant's users to the outside.
        Out = "out",
        /// Between two of the tenant's own users.
        Internal = "internal",
    }
);

named_enum!(
    /// What a recording is for; regulated and manual recordings are never mixed (F-17).
    Class {
        /// Recorded by legal duty.
        Regulated = "regulated",
        /// Recorded with consent.
        Consent = "consent",
        /// Started by a user.
        Manual = "manual",
    }
);

named_enum!(
    /// What the PBX wishes for one call (F-16).
    Override {
        /// The rules decide.
        Auto = "auto",
        /// Record, whatever the conditions of the rules say.
        Force = "force",
        /// Never record.
        Deny = "deny",
        /// Do not record by itself; a user may start a recording.
        Manual = "manual",
    }
);

#[expect(clippy::derivable_impls, reason = "the enum comes out of a macro")]
impl Default for Override {
    fn default() -> Self {
        Self::Auto
    }
}

named_enum!(
    /// Which sides are kept, and in which files (F-33). Channels are never mixed.
    Channels {
        /// Both sides in one stereo file: channel 1 caller, channel 2 callee.
        Stereo = "stereo",
        /// One file a side.
        Separate = "separate",
        /// The caller alone.
        CallerOnly = "callerOnly",
        /// The callee alone.
        CalleeOnly = "calleeOnly",
    }
);

/// The decision about one call, with everything later stages need to act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The direction that the decision was made under.
    pub direction: Direction,
    /// To record, or not.
    pub verdict: Verdict,
    /// One line a rule, in order: what was passed over and the first condition that failed, or
    /// what matched. Holds rule names and conditions, never numbers or names of people.
    pub trace: Vec<String>,
}

/// To record or not to record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The call is recorded.
    Record(Recorded),
    /// The call is recorded once consent stands; until then nothing of it is kept.
    AskConsent(Box<ConsentAsked>),
    /// The call is not recorded; whatever was heard is wiped.
    DoNotRecord(NotRecorded),
}

/// How a call is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The rule that decided.
    pub rule: ResourceName,
    /// What the recording is for.
    pub class: Class,
    /// Which sides, in which files.
    pub channels: Channels,
    /// The storage targets it goes to. Empty: it stays in staging (F-70).
    pub targets: Vec<ResourceName>,
    /// The journals that get a row.
    pub journals: Vec<ResourceName>,
    /// The consent that the recording rests on; `None` where none is needed.
    pub consent: Option<Consent>,
    /// The keys that stop the recording (F-32); `None`: no keys do.
    pub stop_keys: Option<StopKeys>,
}

/// The keys by which one of the tenant's own users stops a recording (F-32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopKeys {
    /// The keys, one after the other: `*1`.
    pub code: String,
    /// The sides that are the tenant's own users; never an outside party.
    pub sides: Vec<Side>,
    /// Tones within the speech count, too.
    pub in_band: bool,
}

/// A question that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentAsked {
    /// How the call is recorded once consent stands; its `consent` is still empty.
    pub recorded: Recorded,
    /// What can be chosen.
    pub mode: ConsentMode,
    /// Where the answer comes from.
    pub asked_by: AskedBy,
    /// Who is asked: the outside party.
    pub asked_side: Side,
    /// What is played.
    pub announcement: Option<AnnouncementPlayed>,
    /// The only key that counts; `None`: any.
    pub key: Option<char>,
    /// How long after the announcement a key is waited for, milliseconds.
    pub window_ms: u32,
    /// Tones within the speech count as keys, too.
    pub in_band: bool,
}

/// An announcement, as a proof names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncementPlayed {
    /// Its name.
    pub name: ResourceName,
    /// SHA-256 of its file, lower-case hex.
    pub sha256: String,
    /// How long it takes, milliseconds.
    pub duration_ms: u32,
}

/// Why a call is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotRecorded {
    /// The sentence for the person who asks "why is this call missing?".
    pub reason: String,
}

impl Decision {
    /// The recording parameters, if the call is recorded.
    pub fn recorded(&self) -> Option<&Recorded> {
        match &self.verdict {
            Verdict::Record(recorded) => Some(recorded),
            Verdict::AskConsent(_) | Verdict::DoNotRecord(_) => None,
        }
    }
}
