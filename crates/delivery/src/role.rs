//! What kind of destinations a service brings something to, and the words for it.

use std::collections::BTreeMap;

use domain::{
    ResourceName,
    resources::{Resources, TenantResources},
};

use crate::{Destination, Terms};

/// A service that delivers, in the words of people and of the bus.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// The service: `shipper`. Also its durable consumer of SEALED, and the label of its events.
    pub service: &'static str,
    /// What a destination is called: `target`.
    pub destination: &'static str,
    /// What it brings there, as several: `recordings`.
    pub cargo: &'static str,
    /// The destinations of a tenant, and their terms.
    pub terms: fn(&TenantResources) -> Vec<(ResourceName, Terms)>,
}

impl Role {
    /// All destinations of a configuration, and their terms.
    pub fn destinations(&self, resources: &Resources) -> BTreeMap<Destination, Terms> {
        let of_tenant = |(tenant, resources): (&domain::TenantId, &TenantResources)| {
            let tenant = tenant.clone();
            let known = (self.terms)(resources).into_iter();
            known.map(move |(name, terms)| (Destination { tenant: tenant.clone(), name }, terms))
        };
        resources.tenants.iter().flat_map(of_tenant).collect()
    }
}
