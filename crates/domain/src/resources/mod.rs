//! Resources of configuration, validated. The raw form (what stands in YAML) lives beside each
//! kind; everything behind the parser works on these types alone.

pub mod directory;
pub mod exception_list;
pub mod journal_target;
pub mod rule;
pub mod storage_target;
pub mod tenant;

use std::collections::BTreeMap;

pub use directory::{Directory, Group, User};
pub use exception_list::{ExceptionList, NumberPattern};
pub use journal_target::{JournalDatabase, JournalTarget};
pub use rule::{Profile, RecordingRule, Scope};
pub use storage_target::{FolderTarget, SftpAuth, SftpTarget, StorageKind, StorageTarget};
pub use tenant::{SipMatch, Tenant, WhenUndecided};

use crate::{ResourceName, TenantId};

/// All resources of one tenant.
#[derive(Debug, Clone)]
pub struct TenantResources {
    /// The tenant itself.
    pub tenant: Tenant,
    /// Rules in the order in which they are tried: by `order`, then by name.
    pub rules: Vec<RecordingRule>,
    /// Exception lists by name.
    pub exception_lists: BTreeMap<ResourceName, ExceptionList>,
    /// Users and groups of all `Directory` resources together.
    pub directory: Directory,
    /// Storage targets by name.
    pub storage_targets: BTreeMap<ResourceName, StorageTarget>,
    /// Journal targets by name.
    pub journal_targets: BTreeMap<ResourceName, JournalTarget>,
}

/// Everything that is in force, for all tenants.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// By tenant.
    pub tenants: BTreeMap<TenantId, TenantResources>,
}
