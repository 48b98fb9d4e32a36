//! The targets in use, each opened once: recordings and the log go over the same connection.

use std::{collections::BTreeMap, sync::Arc};

use config::Watched;
use delivery::Destination;
use domain::{
    TenantId,
    resources::{StorageTarget, tenant::notifications::Language},
};
use targets::{Pace, Place, Surroundings};
use tokio::sync::Mutex;

use crate::{certificates::Brought, faults::Faults};

/// Opens targets as the configuration describes them.
pub struct OpenTargets {
    config: Watched,
    around: Surroundings,
    faults: Option<Faults>,
    open: Mutex<BTreeMap<Destination, Arc<Opened>>>,
}

/// A target in use, as it was described when it was opened.
#[derive(Clone)]
pub struct Opened {
    /// How it was described.
    pub described: StorageTarget,
    /// What it is.
    pub place: Place,
    /// Which certificates lie in it.
    pub certificates: Arc<Mutex<Brought>>,
    /// How fast recordings go there; follows the configuration.
    pub pace: Arc<Pace>,
}

impl OpenTargets {
    /// Those of `config`; used from `around`. With `faults` they fail as networks do: for tests.
    pub fn new(config: Watched, around: Surroundings, faults: Option<Faults>) -> Self {
        Self { config, around, faults, open: Mutex::default() }
    }

    /// The target as it is described now; an open one is used again until its description changes.
    /// `None` if it is not in the configuration.
    pub async fn get(&self, destination: &Destination) -> Option<Arc<Opened>> {
        let resources = self.config.current();
        let described = resources.tenants.get(&destination.tenant)?.storage_targets.get(&destination.name)?;
        let mut open = self.open.lock().await;
        let known = open.get(destination);
        if let Some(opened) = known.filter(|opened| opened.described == *described) {
            return Some(Arc::clone(opened));
        }
        let opened = match known.filter(|opened| opened.described.kind == described.kind) {
            // Only how it is used has changed: its connection stays.
            Some(opened) => Opened { described: described.clone(), ..Opened::clone(opened) },
            None => self.connect(destination, described),
        };
        let opened = Arc::new(opened);
        open.insert(destination.clone(), Arc::clone(&opened));
        Some(opened)
    }

    /// Those of the tenant's storage targets that have one of these names.
    pub fn described(&self, tenant: &TenantId, names: &[String]) -> Vec<StorageTarget> {
        let resources = self.config.current();
        let Some(tenant) = resources.tenants.get(tenant) else { return Vec::new() };
        let named =
            tenant.storage_targets.values().filter(|target| names.iter().any(|n| n == target.name.as_str()));
        named.cloned().collect()
    }

    /// Whether the target keeps what it gets, as it is described now. One that is not described may.
    pub fn keeps(&self, destination: &Destination) -> bool {
        let resources = self.config.current();
        let tenant = resources.tenants.get(&destination.tenant);
        let described = tenant.and_then(|tenant| tenant.storage_targets.get(&destination.name));
        described.is_none_or(StorageTarget::keeps)
    }

    /// The language that people of this tenant read.
    pub fn language(&self, tenant: &TenantId) -> Language {
        let resources = self.config.current();
        resources.tenants.get(tenant).map(|known| known.tenant.notifications.language).unwrap_or_default()
    }

    fn connect(&self, destination: &Destination, described: &StorageTarget) -> Opened {
        let place = match (targets::open(described, &self.around), self.faults) {
            (Place::Storage(target), Some(faults)) => Place::Storage(faults.into_target(target)),
            (place, _) => place,
        };
        let (config, Destination { tenant, name }) = (self.config.clone(), destination.clone());
        let pace = Pace::new(move || {
            config.current().tenants.get(&tenant)?.storage_targets.get(&name)?.transfer.bytes_per_second
        });
        Opened { described: described.clone(), place, certificates: Arc::default(), pace }
    }
}
