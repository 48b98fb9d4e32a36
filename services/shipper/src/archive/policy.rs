//! What the configuration says now of rules and targets.

use config::Watched;
use domain::{Class, TenantId, resources::Deletion};

use super::judgement::RuleNow;

/// The configuration, as deletions ask it.
#[derive(Clone)]
pub struct Policy(Watched);

impl Policy {
    /// Of this configuration.
    pub const fn new(config: Watched) -> Self {
        Self(config)
    }

    /// What a rule says of recordings of this class.
    pub(super) fn rule(&self, tenant: &TenantId, rule: &str, class: Option<Class>) -> RuleNow {
        let resources = self.0.current();
        let rules = resources.tenants.get(tenant).map(|found| found.rules.as_slice()).unwrap_or_default();
        match (rules.iter().find(|known| known.name.as_str() == rule), class) {
            (Some(known), Some(class)) => RuleNow::Says(known.retention_of(class)),
            _ => RuleNow::Gone,
        }
    }

    /// Whether recordings may be deleted at this target. At one that is not in the configuration nothing can.
    pub(super) fn allows(&self, tenant: &TenantId, target: &str) -> bool {
        let resources = self.0.current();
        let Some(found) = resources.tenants.get(tenant) else { return false };
        let described = found.storage_targets.values().find(|known| known.name.as_str() == target);
        described.is_some_and(|known| known.deletion == Deletion::Allowed)
    }

    /// Whether the tenant is in the configuration.
    pub(super) fn knows(&self, tenant: &TenantId) -> bool {
        self.0.current().tenants.contains_key(tenant)
    }

    /// All tenants of the configuration.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.0.current().tenants.keys().cloned().collect()
    }
}
