//! The keys that sign: which one is in force for whom, opened when it is needed, opened again after a
//! loss.
//!
//! A key that is away stops nothing but the signing: calls are taken and assembled, finished recordings
//! wait. It is asked for again with growing pauses, and reported when it goes, every hour while it is
//! away, and when it is back. A PIN that a token refused is not tried again (`keys` remembers it); one
//! that was corrected in its file is.

mod away;
mod change;
pub(crate) mod desk;
mod publish;
mod ring;

use std::sync::Arc;

use domain::{ResourceName, TenantId};
use keys::{KeyError, KeyName, KeyOptions, KeySet};

pub use self::{
    change::in_log,
    ring::{KeyRing, Look},
};
use crate::state::StateError;

/// Where keys are opened. Blocking.
pub trait KeySource: Send + Sync {
    /// Opens both keys of that name and makes sure that they sign. Makes none.
    ///
    /// # Errors
    /// The library, the token, the PIN or a key; the text says which and what to do.
    fn open(&self, key: &KeyName) -> Result<KeySet, KeyError>;
}

impl KeySource for KeyOptions {
    fn open(&self, key: &KeyName) -> Result<KeySet, KeyError> {
        keys::open(self, key)
    }
}

/// What the configuration says of keys: the tenants, and the label that a tenant wants (its
/// `spec.evidence.signingKey`).
pub trait KeyWishes: Send + Sync {
    /// All tenants.
    fn tenants(&self) -> Vec<TenantId>;
    /// The label of the tenant's own key; `None`: the installation's signs.
    fn label(&self, tenant: &TenantId) -> Option<ResourceName>;
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The place where keys lie says no.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The label belongs to another key now.
    #[error(
        "the key '{0}' is not the one that has signed until now: somebody put another one in its place. Bring the old \
         one back; if it is lost, `callseal key replace` starts a new one and says so in the log"
    )]
    Another(String),
    /// It was not there a moment ago; it is not asked for again yet.
    #[error("{0}")]
    Away(Arc<str>),
    /// The token holds a certificate that cannot be read.
    #[error("the certificate of the key cannot be read")]
    Certificate,
    /// What belongs to a change of key cannot be published.
    #[error("the papers of the change of key cannot be put into staging (is the disk full?)")]
    Staging,
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The process is ending.
    #[error("the work was stopped")]
    Stopped,
}
