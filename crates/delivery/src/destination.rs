//! Where an order goes.

use std::fmt;

use domain::{ResourceName, TenantId};

/// A storage target or a journal of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Whose it is.
    pub tenant: TenantId,
    /// The resource's name.
    pub name: ResourceName,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}
