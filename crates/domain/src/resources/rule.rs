//! `RecordingRule`: which calls are recorded, and where they go.

use std::collections::BTreeSet;

use super::NumberPattern;
use crate::{Channels, Class, Direction, ResourceName};

/// A validated `RecordingRule`.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    /// Its name, shown in the live view, in metadata and in the journal (F-01).
    pub name: ResourceName,
    /// Rules are tried in ascending order.
    pub order: i64,
    /// A disabled rule is as good as absent.
    pub enabled: bool,
    /// Legal duty, consent or manual.
    pub profile: Profile,
    /// Whose calls.
    pub scope: Scope,
    /// Which directions.
    pub directions: BTreeSet<Direction>,
    /// If not empty: only calls whose outside number matches one of these (F-14).
    pub numbers: Vec<NumberPattern>,
    /// Exception lists that apply.
    pub exception_lists: Vec<ResourceName>,
    /// Which sides, in which files.
    pub channels: Channels,
    /// Storage targets.
    pub targets: Vec<ResourceName>,
    /// Journals.
    pub journals: Vec<ResourceName>,
}

/// What a rule is for (F-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Recorded from call set-up, by law.
    LegalDuty,
    /// Recorded with consent.
    Consent,
}

impl Profile {
    /// The class of the recordings that a rule of this profile makes.
    pub const fn class(self) -> Class {
        match self {
            Self::LegalDuty => Class::Regulated,
            Self::Consent => Class::Consent,
        }
    }
}

/// Whose calls a rule covers (F-03).
#[derive(Debug, Clone, PartialEq, Eq)]
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
