//! What kinds of resources there are, and what identifies one.

use std::{fmt, str::FromStr};

use crate::{ResourceName, TenantId};

/// The API group and version of our own kinds.
pub const API_VERSION: &str = "callseal.io/v1alpha1";

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`super::Tenant`]
    Tenant,
    /// [`super::Secret`]
    Secret,
    /// [`super::Directory`]
    Directory,
    /// [`super::ExceptionList`]
    ExceptionList,
    /// [`super::Announcement`]
    Announcement,
    /// [`super::StorageTarget`]
    StorageTarget,
    /// [`super::JournalTarget`]
    JournalTarget,
    /// [`super::RecordingRule`]
    RecordingRule,
}

impl Kind {
    /// All kinds; each comes after those that its validation needs.
    pub const ALL: [Self; 8] = [
        Self::Tenant,
        Self::Secret,
        Self::Directory,
        Self::ExceptionList,
        Self::Announcement,
        Self::StorageTarget,
        Self::JournalTarget,
        Self::RecordingRule,
    ];

    /// The word that stands in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Secret => "Secret",
            Self::Directory => "Directory",
            Self::ExceptionList => "ExceptionList",
            Self::Announcement => "Announcement",
            Self::StorageTarget => "StorageTarget",
            Self::JournalTarget => "JournalTarget",
            Self::RecordingRule => "RecordingRule",
        }
    }

    /// Whether `version` may stand in `apiVersion:` of this kind. A `Secret` may be Kubernetes' own.
    pub fn allows_api_version(self, version: &str) -> bool {
        version == API_VERSION || (self == Self::Secret && version == "v1")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word in `kind:` that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of resource; use {list}", list = Kind::ALL.map(Kind::as_str).join(", "))]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// What identifies a resource. There is one of each key; a second one is reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub kind: Kind,
    /// Its name; that of a `Tenant` is the tenant's.
    pub name: ResourceName,
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.tenant, self.name)
    }
}
