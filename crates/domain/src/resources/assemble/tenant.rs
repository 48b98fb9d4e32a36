//! Which version of a tenant is in force, and what it refers to.

use super::{Assembly, Resource};
use crate::resources::{FieldError, FieldPath, Kind, ResourceKey, Tenant, field::Findings};

impl Assembly<'_> {
    /// `tenant`, or its last version if `forcedCallsRule` of this one leads nowhere; with the tokens
    /// of its API, and those who are told of faults.
    pub(super) fn tenant_in_force(&mut self, tenant: Tenant) -> Tenant {
        let name = tenant.id.as_str().parse().expect("tenant and resource names obey the same rule");
        let key = self.key(Kind::Tenant, &name);
        let mut tenant = self.with_forced_calls_rule(&key, tenant);
        let mut findings = Findings::default();
        tenant.api.resolve(&self.secrets, &mut findings);
        tenant.notifications.resolve(&self.secrets, &mut findings);
        self.report(&key, findings.into_errors());
        tenant
    }

    fn with_forced_calls_rule(&mut self, key: &ResourceKey, mut tenant: Tenant) -> Tenant {
        let Some(error) = self.missing_forced_calls_rule(&tenant) else { return tenant };
        self.report(key, vec![error]);
        if let Some(Resource::Tenant(last)) = self.last.get(key)
            && self.missing_forced_calls_rule(last).is_none()
        {
            tenant = (**last).clone();
        }
        // Nothing in force leads nowhere; a forced call then goes by the first rule that covers it.
        if self.missing_forced_calls_rule(&tenant).is_some() {
            tenant.forced_calls_rule = None;
        }
        self.out.good.insert(key.clone(), Resource::Tenant(Box::new(tenant.clone())));
        tenant
    }

    fn missing_forced_calls_rule(&self, tenant: &Tenant) -> Option<FieldError> {
        let name = tenant.forced_calls_rule.as_ref()?;
        // A faulty one is reported itself; here it counts as being there.
        if self.declared.contains_key(&self.key(Kind::RecordingRule, name)) {
            return None;
        }
        let path = FieldPath::spec().key("forcedCallsRule");
        Some(FieldError { path, reason: format!("there is no RecordingRule \"{name}\"") })
    }
}
