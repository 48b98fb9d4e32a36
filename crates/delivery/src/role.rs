//! What kind of destinations a service brings something to, and the words for it.

use std::collections::BTreeSet;

use domain::{
    ResourceName,
    resources::{Resources, TenantResources},
};

use crate::Destination;

/// A service that delivers, in the words of people and of the bus.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// The service: `shipper`. Also its durable consumer of SEALED, and the label of its events.
    pub service: &'static str,
    /// What a destination is called: `target`.
    pub destination: &'static str,
    /// What it brings there, as several: `recordings`.
    pub cargo: &'static str,
    /// The destinations of a tenant.
    pub names: fn(&TenantResources) -> Vec<ResourceName>,
}

impl Role {
    /// All destinations of a configuration.
    pub fn destinations(&self, resources: &Resources) -> BTreeSet<Destination> {
        let of_tenant = |(tenant, resources): (&domain::TenantId, &TenantResources)| {
            let tenant = tenant.clone();
            let names = (self.names)(resources).into_iter();
            names.map(move |name| Destination { tenant: tenant.clone(), name })
        };
        resources.tenants.iter().flat_map(of_tenant).collect()
    }
}
