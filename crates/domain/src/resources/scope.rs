//! Whose calls a rule covers (F-03).

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{FieldPath, field::Findings};

/// Whose calls a rule covers (F-03).
#[derive(Clone, PartialEq, Eq)]
pub enum Scope {
    /// All calls: users, groups, services.
    All,
    /// Calls from a user or addressed directly to one; not those of groups.
    AllUsers,
    /// Calls addressed to one of the groups, calls by their members, and calls from or to one of
    /// the users.
    Selected {
        /// Group names.
        groups: BTreeSet<String>,
        /// User names.
        users: BTreeSet<String>,
        /// Direct calls to members of the groups count too (F-09).
        direct_calls_to_members: bool,
    },
}

// User names are people's names.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::AllUsers => f.write_str("AllUsers"),
            Self::Selected { groups, users, direct_calls_to_members } => f
                .debug_struct("Selected")
                .field("groups", groups)
                .field("users", &users.len())
                .field("direct_calls_to_members", direct_calls_to_members)
                .finish(),
        }
    }
}

/// The raw form of a [`Scope`]: a word, or groups and users.
#[derive(Clone)]
pub enum ScopeSpec {
    /// `all` or `allUsers`.
    Word(String),
    /// Groups and users.
    Selected(SelectedSpec),
}

impl fmt::Debug for ScopeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Selected(s) => write!(f, "Selected({} groups, {} users)", s.groups.len(), s.users.len()),
        }
    }
}

/// The raw form of [`Scope::Selected`].
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SelectedSpec {
    /// Group names.
    pub groups: Vec<String>,
    /// User names.
    pub users: Vec<String>,
    /// Direct calls to members of the groups count too (F-09).
    pub direct_calls_to_members: bool,
}

impl ScopeSpec {
    /// The validated scope; what is wrong with the one at `path` is noted.
    pub(crate) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<Scope> {
        match self {
            Self::Word(word) if word == "all" => Some(Scope::All),
            Self::Word(word) if word == "allUsers" => Some(Scope::AllUsers),
            Self::Word(word) => {
                let reason =
                    format!("{word:?} is not a scope; use all, allUsers, or {{groups: […], users: […]}}");
                findings.add(path.clone(), reason);
                None
            }
            Self::Selected(SelectedSpec { groups, users, .. }) if groups.is_empty() && users.is_empty() => {
                findings.add(path.clone(), "names neither a group nor a user: the rule would record nothing");
                None
            }
            Self::Selected(selected) => Some(Scope::Selected {
                groups: selected.groups.iter().cloned().collect(),
                users: selected.users.iter().cloned().collect(),
                direct_calls_to_members: selected.direct_calls_to_members,
            }),
        }
    }
}

impl<'de> Deserialize<'de> for ScopeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrFields;

        impl<'de> Visitor<'de> for WordOrFields {
            type Value = ScopeSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("all, allUsers, or {groups: […], users: […]}")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ScopeSpec, E> {
                Ok(ScopeSpec::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScopeSpec, A::Error> {
                SelectedSpec::deserialize(MapAccessDeserializer::new(map)).map(ScopeSpec::Selected)
            }
        }

        deserializer.deserialize_any(WordOrFields)
    }
}
