//! What decides: the configuration of all tenants, compiled, and who is active in their groups.
//! Replaced as a whole when either changes; what has begun ends by what it began with.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use domain::{
    TenantId,
    resources::{Resources, TenantResources},
};
use policy::{MembershipChange, Policy, RunTime};

use crate::state::{CallState, Memberships, OfTenant};

/// One tenant.
#[derive(Clone)]
pub(crate) struct TenantInForce {
    resources: Arc<Resources>,
    id: TenantId,
    policy: Arc<Policy>,
    members: Arc<OfTenant>,
    memberships: policy::Memberships,
}

type Tenants = HashMap<TenantId, Arc<TenantInForce>>;

/// All tenants.
#[derive(Clone)]
pub(crate) struct InForce {
    tenants: Arc<RwLock<Tenants>>,
    memberships: Memberships,
}

impl InForce {
    pub fn new(memberships: Memberships) -> Self {
        Self { tenants: Arc::default(), memberships }
    }

    /// Puts `resources` in force.
    pub fn configure(&self, resources: &Arc<Resources>) {
        let policies: Vec<(TenantId, Arc<Policy>)> =
            resources.tenants.iter().map(|(id, own)| (id.clone(), Arc::new(Policy::new(own)))).collect();
        // Memberships are read under the lock: a change of them comes before or after, never between.
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        *tenants = policies
            .into_iter()
            .map(|(id, policy)| {
                let members = self.memberships.of(&id);
                let memberships = compiled(&policy, &members);
                let resources = resources.clone();
                (id.clone(), Arc::new(TenantInForce { resources, id, policy, members, memberships }))
            })
            .collect();
    }

    /// The memberships of `changed` tenants are others now.
    pub fn members_changed(&self, changed: &HashSet<TenantId>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        for id in changed {
            if let Some(own) = tenants.get_mut(id) {
                let members = self.memberships.of(id);
                let memberships = compiled(&own.policy, &members);
                *own = Arc::new(TenantInForce { members, memberships, ..TenantInForce::clone(own) });
            }
        }
    }

    pub fn tenant(&self, id: &TenantId) -> Option<Arc<TenantInForce>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl TenantInForce {
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    pub fn resources(&self) -> &TenantResources {
        &self.resources.tenants[&self.id]
    }

    pub fn members(&self) -> &OfTenant {
        &self.members
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is known at run time when a call is decided.
    pub fn run_time(&self, state: CallState) -> RunTime {
        let CallState { override_, consent } = state;
        RunTime { memberships: self.memberships.clone(), override_, consent }
    }
}

fn compiled(policy: &Policy, members: &OfTenant) -> policy::Memberships {
    let changes: Vec<MembershipChange> = members
        .iter()
        .map(|((group, user), state)| MembershipChange {
            group: group.clone(),
            user: user.clone().into(),
            active: state.active,
        })
        .collect();
    policy.memberships(&changes)
}
