//! A resource as it is written: header and raw content, from YAML or from Kubernetes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    AnnouncementSpec, DirectorySpec, ExceptionListSpec, JournalTargetSpec, Kind, RecordingRuleSpec,
    SecretSpec, StorageTargetSpec, TenantSpec,
};
use crate::Sensitive;

/// What stands above a resource's content. Everything is optional, so that whatever can be read
/// of a broken resource says which one it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Header {
    /// `callseal.io/v1alpha1`.
    pub api_version: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// Name and namespace.
    pub metadata: Metadata,
}

/// Name and namespace; labels, annotations and what else Kubernetes keeps there are passed over.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The resource's name.
    pub name: Option<String>,
    /// The tenant's name.
    pub namespace: Option<String>,
}

/// The content of a resource, not validated.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each variant is the raw form of the kind of that name")]
pub enum RawResource {
    Tenant(Box<TenantSpec>),
    Secret(SecretSpec),
    Directory(DirectorySpec),
    ExceptionList(ExceptionListSpec),
    Announcement(AnnouncementSpec),
    StorageTarget(Box<StorageTargetSpec>),
    JournalTarget(Box<JournalTargetSpec>),
    RecordingRule(Box<RecordingRuleSpec>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WithSpec<S> {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(rename = "metadata")]
    _metadata: IgnoredAny,
    /// Kubernetes' side of a custom resource; not ours to read.
    #[serde(default, rename = "status")]
    _status: IgnoredAny,
    spec: S,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretDocument {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(rename = "metadata")]
    _metadata: IgnoredAny,
    #[serde(default, rename = "type")]
    _type: IgnoredAny,
    #[serde(default, rename = "immutable")]
    _immutable: IgnoredAny,
    #[serde(default)]
    string_data: BTreeMap<String, Sensitive<String>>,
    #[serde(default)]
    data: BTreeMap<String, Sensitive<String>>,
    #[serde(default)]
    sealed_data: BTreeMap<String, Sensitive<String>>,
}

impl RawResource {
    /// Reads a whole document of the given kind. Unknown fields are errors: a misspelt condition
    /// must not silently be none. The deserializer's error may repeat a value of the document: for
    /// a `Secret` it must not be shown.
    pub fn from_document<'de, D: Deserializer<'de>>(kind: Kind, document: D) -> Result<Self, D::Error> {
        fn spec<'de, S: Deserialize<'de>, D: Deserializer<'de>>(document: D) -> Result<S, D::Error> {
            WithSpec::deserialize(document).map(|document| document.spec)
        }
        Ok(match kind {
            Kind::Tenant => Self::Tenant(spec(document)?),
            Kind::Secret => {
                let SecretDocument { string_data, data, sealed_data, .. } =
                    SecretDocument::deserialize(document)?;
                Self::Secret(SecretSpec { string_data, data, sealed_data })
            }
            Kind::Directory => Self::Directory(spec(document)?),
            Kind::ExceptionList => Self::ExceptionList(spec(document)?),
            Kind::Announcement => Self::Announcement(spec(document)?),
            Kind::StorageTarget => Self::StorageTarget(spec(document)?),
            Kind::JournalTarget => Self::JournalTarget(spec(document)?),
            Kind::RecordingRule => Self::RecordingRule(Box::new(spec(document)?)),
        })
    }

    /// Which kind it is the content of.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tenant(_) => Kind::Tenant,
            Self::Secret(_) => Kind::Secret,
            Self::Directory(_) => Kind::Directory,
            Self::ExceptionList(_) => Kind::ExceptionList,
            Self::Announcement(_) => Kind::Announcement,
            Self::StorageTarget(_) => Kind::StorageTarget,
            Self::JournalTarget(_) => Kind::JournalTarget,
            Self::RecordingRule(_) => Kind::RecordingRule,
        }
    }
}
