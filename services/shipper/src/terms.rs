//! On what terms recordings are brought to a target: its `transfer`, and whether it can be used at all.

use std::collections::BTreeSet;

use crate::mirror::named_by_rules;
use delivery::{Hours, Terms};
use domain::{
    ResourceName,
    resources::{StorageTarget, TenantResources},
};

/// The storage targets of a tenant, and their terms.
pub fn of_tenant(tenant: &TenantResources) -> Vec<(ResourceName, Terms)> {
    let chosen: BTreeSet<&ResourceName> = named_by_rules(tenant).collect();
    let each = tenant.storage_targets.iter();
    each.map(|(name, target)| {
        (name.clone(), Terms { chosen: chosen.contains(name), ..of_target(tenant, target) })
    })
    .collect()
}

fn of_target(tenant: &TenantResources, target: &StorageTarget) -> Terms {
    let windows = target.transfer.windows.clone();
    let zone = tenant.tenant.time_zone.clone();
    let hours = match target.schedule() {
        Some(schedule) => Hours::At { schedule: Box::new(schedule.clone()), zone },
        None if windows.is_always() => Hours::Always,
        None => Hours::Windows { windows, zone },
    };
    let incomplete = target.incomplete().map(str::to_owned);
    Terms { concurrency: target.transfer.concurrency, hours, incomplete, chosen: false }
}
