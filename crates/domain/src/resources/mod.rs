//! Resources of configuration, validated. The raw form (what stands in YAML) lives beside each
//! kind; everything behind the parser works on these types alone.

pub mod announcement;
pub mod announcement_uses;
pub mod assemble;
pub mod directory;
pub mod document;
pub mod exception_list;
pub mod field;
pub mod journal_target;
pub mod kind;
pub mod number_pattern;
pub mod paths;
mod pem;
pub mod rule;
pub mod scope;
pub mod secret;
pub mod smtp;
pub mod ssh;
pub mod storage_target;
pub mod sub_folder;
pub mod tenant;
mod tenant_of_call;

use std::collections::BTreeMap;

pub use announcement::{Announcement, AnnouncementSpec, Audio, AudioLibrary, AudioSource};
pub use announcement_uses::AnnouncementUse;
pub use assemble::{Assembled, Declared, Fault, LastGood, Resource};
pub use directory::{Directory, DirectorySpec, Group, GroupSpec, User, UserSpec};
pub use document::{Header, Metadata, RawResource};
pub use exception_list::{ExceptionList, ExceptionListSpec};
pub use field::{FieldError, FieldPath, Segment};
pub use journal_target::{
    DatabaseServer, DatabaseTls, DerbyJournal, DerbySpec, ExtraColumn, JournalDatabase, JournalTarget,
    JournalTargetSpec, MySqlJournal, MySqlSpec, PostgresJournal, PostgresSpec, SqlServerEncryption,
    SqlServerJournal, SqlServerSpec, SqliteJournal, SqliteSpec,
};
pub use kind::{API_VERSION, Kind, ResourceKey, UnknownKind};
pub use number_pattern::{NumberPattern, NumberPatternSpec};
pub use rule::{
    ConsentSpec, ConsentTerms, HeardBy, KeptUntil, ManualRecording, ManualRecordingSpec, Origin,
    OutcomeAnnouncementsSpec, Profile, RecordingRule, RecordingRuleSpec, Retention, RetentionSpec,
    RuleAnnouncements, RuleAnnouncementsSpec,
};
pub use scope::{Scope, ScopeSpec, SelectedSpec};
pub use secret::{Secret, SecretRefSpec, SecretSpec, SecretValueSpec, Secrets};
pub use smtp::{SmtpLogin, SmtpServer, SmtpSpec, SmtpTls, is_mail_address};
pub use ssh::{SshAuth, SshServer, SshServerSpec, SshTunnel, SshTunnelSpec};
pub use storage_target::{
    AppLogin, AppLoginSpec, AzureBlobAccess, AzureBlobSpec, AzureBlobTarget, Cloud, Deletion, Drive,
    DriveSpec, EmailSpec, EmailTarget, FolderSpec, FolderTarget, GcsSpec, GcsTarget, InvalidOneDriveName,
    ManagedIdentitySpec, MicrosoftLogin, MicrosoftLoginSpec, OneDriveSpec, OneDriveTarget, S3Lock,
    S3LockMode, S3LockSpec, S3Spec, S3Target, Schedule, ScheduleError, ScriptSpec, ScriptTarget, SftpSpec,
    SftpTarget, SmbEncryption, SmbSigning, SmbSpec, SmbTarget, StorageKind, StorageTarget, StorageTargetSpec,
    Transfer, TransferSpec, UserLogin, UserLoginSpec, Window, WindowError, Windows, check_one_drive_name,
};
pub use tenant::{
    Api, ApiSpec, EmailNotices, EmailNoticesSpec, Evidence, EvidenceSpec, Notifications, NotificationsSpec,
    Numbering, NumberingSpec, SipMatch, SipMatchSpec, Tenant, TenantSpec, WhenUndecided,
};

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
    /// Announcements by name.
    pub announcements: BTreeMap<ResourceName, Announcement>,
    /// Users and groups of all `Directory` resources together.
    pub directory: Directory,
    /// Storage targets by name.
    pub storage_targets: BTreeMap<ResourceName, StorageTarget>,
    /// Journal targets by name.
    pub journal_targets: BTreeMap<ResourceName, JournalTarget>,
}

impl TenantResources {
    /// A tenant without anything else: nothing of it is recorded.
    pub fn empty(tenant: Tenant) -> Self {
        Self {
            tenant,
            rules: Vec::new(),
            exception_lists: BTreeMap::new(),
            announcements: BTreeMap::new(),
            directory: Directory::default(),
            storage_targets: BTreeMap::new(),
            journal_targets: BTreeMap::new(),
        }
    }
}

/// Everything that is in force, for all tenants.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// By tenant.
    pub tenants: BTreeMap<TenantId, TenantResources>,
}
