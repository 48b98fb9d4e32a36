//! What is wrong now, as somebody looking would see it: the notifications compare it with what they
//! saw before, so nothing hangs on a message that got lost.

use std::collections::{BTreeMap, BTreeSet};

use domain::TenantId;
use jiff::Timestamp;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A target or journal takes nothing.
    Failing,
    /// Recordings were set aside.
    SetAside,
    /// A target or journal with recordings waiting for it is not in the configuration.
    Orphaned,
    /// It is in the configuration again, and the recordings wait for a person.
    Returned,
    /// It cannot be used as it is described.
    Incomplete,
    /// A service reported a fault, and has not said since that it is over.
    Reported,
    /// A tenant's log is halted: nothing is sealed.
    Halted,
    /// Staging fills up.
    Quota,
    /// At this rate staging is full within a day.
    FullSoon,
    /// The bus is away.
    Bus,
    /// Deletions do not go on.
    Deleting,
    /// The clock is in doubt: retention deletes nothing.
    Clock,
    /// A target lacks files that the archive index has there, or has some that it should not have.
    Astray,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Failing,
        Self::SetAside,
        Self::Orphaned,
        Self::Returned,
        Self::Incomplete,
        Self::Reported,
        Self::Halted,
        Self::Quota,
        Self::FullSoon,
        Self::Bus,
        Self::Deleting,
        Self::Clock,
        Self::Astray,
    ];

    /// Its word, in SQL and in the texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::SetAside => "set-aside",
            Self::Orphaned => "orphaned",
            Self::Returned => "returned",
            Self::Incomplete => "incomplete",
            Self::Reported => "reported",
            Self::Halted => "halted",
            Self::Quota => "quota",
            Self::FullSoon => "full-soon",
            Self::Bus => "bus",
            Self::Deleting => "deleting",
            Self::Clock => "clock",
            Self::Astray => "astray",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which fault it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Who knows of it: `shipper`, `journal`, `signer` …
    pub service: String,
    /// Whose; `None`: the installation's.
    pub tenant: Option<TenantId>,
    /// Where: `target archive`, `signer/key`.
    pub place: String,
    /// What.
    pub kind: Kind,
}

/// A fault that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, in the service's words: English, without numbers, names and secrets.
    pub problem: String,
    /// How bad it is, where that grows: percent of the quota. Else 0.
    pub level: u8,
    /// How many recordings wait, or were set aside; of a report: how often it came.
    pub count: u64,
    /// The last recording that it was about; empty: none in particular.
    pub recording: String,
}

/// All that is wrong now.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// The faults.
    pub faults: BTreeMap<Key, Observed>,
    /// What else waits on its way, by service, tenant and place: told when a fault is over.
    pub waiting: BTreeMap<(String, TenantId, String), u64>,
    /// Who could be asked: of another one nothing is known, which is not the same as nothing being
    /// wrong. Reports are known in any case.
    pub answered: BTreeSet<String>,
}
