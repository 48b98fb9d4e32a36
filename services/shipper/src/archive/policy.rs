//! What the configuration says now of rules and targets.

use std::collections::BTreeMap;

use config::Watched;
use domain::{
    Class, TenantId,
    resources::{Deletion, TenantResources},
};
use sha2::{Digest as _, Sha256};

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
        let known = rules.iter().find(|known| known.name.as_str() == rule);
        // One that permits no manual recording any more says nothing about those that were made.
        let known = known.filter(|known| class != Some(Class::Manual) || known.manual_recording.is_some());
        match (known, class) {
            (Some(known), Some(class)) => RuleNow::Says(known.retention_of(class)),
            // Perhaps it is there and cannot be read, and says longer than it did: nothing that cannot be
            // undone hangs on a file with a slip in it.
            (None, _) if !self.0.problems().is_empty() => RuleNow::Says(None),
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

    /// A word for all that deletions ask of a tenant: another one when any of it has changed.
    pub(super) fn words(&self) -> BTreeMap<TenantId, String> {
        let (resources, all_read) = (self.0.current(), self.0.problems().is_empty());
        let word = |found: &TenantResources| {
            let rules: Vec<_> = found
                .rules
                .iter()
                .map(|rule| {
                    let each = [Class::Regulated, Class::Consent, Class::Manual];
                    let says = each.map(|class| rule.retention_of(class));
                    (rule.name.as_str(), says, rule.manual_recording.is_some())
                })
                .collect();
            let targets: Vec<_> =
                found.storage_targets.values().map(|it| (it.name.as_str(), it.deletion)).collect();
            hex::encode(&Sha256::digest(format!("{all_read} {rules:?} {targets:?}"))[..16])
        };
        resources.tenants.iter().map(|(tenant, found)| (tenant.clone(), word(found))).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use domain::resources::Retention;
    use tokio_util::sync::CancellationToken;

    use super::*;

    const TENANT: &str = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                          spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";

    #[tokio::test]
    async fn a_rule_is_gone_only_where_all_of_the_configuration_can_be_read() {
        let acme: TenantId = "acme".parse().unwrap();
        let says = |rule: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("tenant.yaml"), TENANT).unwrap();
            fs::write(dir.path().join("rule.yaml"), rule).unwrap();
            let config = config::watch(dir.path(), CancellationToken::new()).unwrap();
            Policy::new(config).rule(&acme, "desk", Some(Class::Regulated))
        };
        let rule = "apiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {name: desk}\n\
                    spec: {profile: legalDuty, scope: all, retention: {years: 10}}\n";
        assert_eq!(says(rule), RuleNow::Says(Some(Retention::Years(10))));
        assert_eq!(says(&rule.replace("desk", "other")), RuleNow::Gone);
        // As after a restart with a slip in the file: what the rule says nobody knows.
        assert_eq!(says(&rule.replace("scope: all", "scope: {all")), RuleNow::Says(None));
        assert_eq!(says(&rule.replace("10", "ten")), RuleNow::Says(None));
    }
}
