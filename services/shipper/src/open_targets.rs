//! The targets in use, each opened once: recordings and the log go over the same connection.

use std::{collections::BTreeMap, sync::Arc};

use config::Watched;
use delivery::Destination;
use domain::resources::StorageTarget;
use targets::{Surroundings, Target};
use tokio::sync::Mutex;

use crate::certificates::Brought;

/// Opens targets as the configuration describes them.
pub struct OpenTargets {
    config: Watched,
    around: Surroundings,
    open: Mutex<BTreeMap<Destination, Arc<Opened>>>,
}

/// A target in use, as it was described when it was opened.
pub struct Opened {
    /// How it was described.
    pub described: StorageTarget,
    /// The target.
    pub target: Box<dyn Target>,
    /// Which certificates lie in it.
    pub certificates: Mutex<Brought>,
}

impl OpenTargets {
    /// Those of `config`; used from `around`.
    pub fn new(config: Watched, around: Surroundings) -> Self {
        Self { config, around, open: Mutex::default() }
    }

    /// The target as it is described now; an open one is used again until its description changes.
    /// `None` if it is not in the configuration.
    pub async fn get(&self, destination: &Destination) -> Option<Arc<Opened>> {
        let resources = self.config.current();
        let described = resources.tenants.get(&destination.tenant)?.storage_targets.get(&destination.name)?;
        let mut open = self.open.lock().await;
        if let Some(opened) = open.get(destination).filter(|opened| opened.described == *described) {
            return Some(Arc::clone(opened));
        }
        let target = targets::open(described, &self.around);
        let opened =
            Arc::new(Opened { described: described.clone(), target, certificates: Mutex::default() });
        open.insert(destination.clone(), Arc::clone(&opened));
        Some(opened)
    }
}
