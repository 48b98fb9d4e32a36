//! With several tenants each call has to find its own.

use std::collections::BTreeMap;

use super::{Assembled, Fault};
use crate::{
    TenantId,
    resources::{FieldError, FieldPath, Kind, ResourceKey, Tenant},
};

/// Notes which tenants no call can find, and which domains belong to two.
pub(super) fn check(assembled: &mut Assembled) {
    let tenants: Vec<&Tenant> = assembled.resources.tenants.values().map(|t| &t.tenant).collect();
    let mut faults = Vec::new();
    let mut fault = |tenant: &Tenant, path: FieldPath, reason: String| {
        let name = tenant.id.as_str().parse().expect("tenant and resource names obey the same rule");
        let key = ResourceKey { tenant: tenant.id.clone(), kind: Kind::Tenant, name };
        faults.push(Fault { key, error: FieldError { path, reason } });
    };
    let mut owners: BTreeMap<&str, &TenantId> = BTreeMap::new();
    for tenant in &tenants {
        let sip = FieldPath::spec().key("sip");
        if tenants.len() > 1 && tenant.sip.domains.is_empty() && tenant.sip.sources.is_empty() {
            let reason =
                "there are several tenants: domains or sources have to say which calls are this one's";
            fault(tenant, sip.clone(), reason.to_owned());
        }
        for (i, domain) in tenant.sip.domains.iter().enumerate() {
            let owner = owners.entry(domain).or_insert(&tenant.id);
            if **owner != tenant.id {
                fault(
                    tenant,
                    sip.key("domains").index(i),
                    format!("{domain:?} is the domain of tenant {owner}"),
                );
            }
        }
    }
    assembled.faults.extend(faults);
}
