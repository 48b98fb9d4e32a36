//! The compiled policies of all tenants, replaced as a whole when the configuration changes.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use domain::{CallFacts, Decision, TenantId, resources::Resources};
use policy::Policy;
use wire::{InvalidMessage, rules_v1::DecideRequest};

/// Why there is no decision.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecidable {
    #[error("the request holds no facts of the call")]
    NoFacts,
    #[error("the facts of the call cannot be read: {0}")]
    Facts(InvalidMessage),
    #[error("there is no Tenant \"{0}\" in force")]
    UnknownTenant(TenantId),
}

type Policies = HashMap<TenantId, Policy>;

/// Decides by what was put in force last. A decision that has begun ends by what it began with.
#[derive(Default)]
pub(crate) struct Decider(RwLock<Arc<Policies>>);

impl Decider {
    /// Puts `resources` in force.
    pub fn replace(&self, resources: &Resources) {
        let compiled =
            resources.tenants.iter().map(|(id, tenant)| (id.clone(), Policy::new(tenant))).collect();
        // An Arc is whole at any time: a poisoned lock is still good.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(compiled);
    }

    /// The decision about one call that begins at `time`.
    pub fn decide(&self, request: DecideRequest, time: jiff::Timestamp) -> Result<Decision, Undecidable> {
        let facts = request.facts.ok_or(Undecidable::NoFacts)?;
        let facts = CallFacts::try_from(facts).map_err(Undecidable::Facts)?;
        let policies = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let policy =
            policies.get(&facts.tenant).ok_or_else(|| Undecidable::UnknownTenant(facts.tenant.clone()))?;
        Ok(policy.decide(&facts, time))
    }
}
