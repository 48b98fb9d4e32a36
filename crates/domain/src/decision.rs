//! What was decided about a call, and why.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{InvalidId, ResourceName};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidId::expected(stringify!($name), concat!("one of", $(" ", $text),+))),
                }
            }
        }
    };
}

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
            Verdict::DoNotRecord(_) => None,
        }
    }
}
