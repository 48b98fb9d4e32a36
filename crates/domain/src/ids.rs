//! Identifiers. Each is valid by construction, so that it can stand in a subject, an object key
//! or a file name without being escaped.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Class;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidId {
    what: &'static str,
    expected: &'static str,
}

impl InvalidId {
    /// `what` (a kind of id) has to be `expected`.
    pub const fn expected(what: &'static str, expected: &'static str) -> Self {
        Self { what, expected }
    }
}

const TOKEN: &str = "1 to 63 characters a-z, 0-9 or '-', beginning and ending with a letter or digit";

/// The rule of RFC 1123 labels, which is also what Kubernetes names and NATS subject tokens allow.
fn is_token(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                if is_token(&text) { Ok(Self(text)) } else { Err(InvalidId { what: $what, expected: TOKEN }) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

token_id!(
    /// A tenant: a company whose calls, keys and storage are kept apart from all others (F-108).
    TenantId, "a tenant name"
);
token_id!(
    /// The name of a resource of configuration: a rule, a list, a target, a journal.
    ResourceName, "a resource name"
);
token_id!(
    /// One installation of ingest that keeps its identity over restarts.
    NodeId, "a node name"
);

/// One recording: a call, or a section of one, that is sealed on its own. A UUID of version 7
/// (RFC 9562), so ids sort by time. It alone stands in subjects, keys, logs and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingId(Uuid);

impl RecordingId {
    /// A new id from the system's clock and random numbers.
    #[expect(clippy::new_without_default, reason = "a default id would be a random one")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The UUID itself.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl FromStr for RecordingId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { what: "a recording id", expected: "a lower-case UUID of version 7" };
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.get_version_num() == 7 && uuid.hyphenated().to_string() == text => {
                Ok(Self(uuid))
            }
            _ => Err(invalid),
        }
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// One run of an ingest process. A call belongs to the epoch it began in: messages of another
/// epoch of the same node mean that the process was restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochId(Uuid);

impl EpochId {
    /// A new epoch; later ones sort after earlier ones.
    #[expect(clippy::new_without_default, reason = "a default id would be a random one")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl FromStr for EpochId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { what: "an epoch", expected: "a UUID" })
    }
}

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What is chained: the recordings of one class of one tenant (F-53).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// Whose recordings.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_nothing_that_a_subject_or_a_path_would_read_as_its_own() {
        for good in ["a", "acme", "acme-2", "0"] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a*", "a>b", "a/b", "ä", " a", long.as_str()] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_recording_id_is_a_lower_case_uuid_of_version_7() {
        let id = RecordingId::new();
        assert_eq!(id.to_string().parse::<RecordingId>(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<RecordingId>().is_err());
        assert!(Uuid::new_v4().to_string().parse::<RecordingId>().is_err());
    }
}
