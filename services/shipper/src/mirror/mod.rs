//! The transparency log of a tenant follows into each of its archives, so that an archive can be
//! checked by itself: what is published at `log/<tenant>/` in staging lies at `log/<tenant>/` of each
//! target, beside the certificates, `verify.sh` and `archive.txt`.
//!
//! Each target in use has a mirror of its own: a dead one holds up nobody, and no recording waits for
//! one. A mirror keeps no state but in memory: what a target holds, the target itself says.

mod args;
mod edge;
mod files;
mod published;
mod round;
mod standing;
mod theirs;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use config::Watched;
use delivery::{Destination, Reporter, WorkList};
use domain::resources::{StorageTarget, TenantResources};
use prometheus::Registry;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use args::{MirrorArgs, Times};

use crate::{open_targets::OpenTargets, staging::Staging};
use round::Mirror;
use standing::Gauges;

/// Tells mirrors that a recording was brought to their target; cheap to clone.
#[derive(Clone, Default)]
pub struct Wakes(Arc<Mutex<BTreeMap<Destination, Arc<Notify>>>>);

impl Wakes {
    /// The mirror of this target is due; there will be one if there is none.
    pub fn wake(&self, destination: &Destination) {
        self.of(destination).notify_one();
    }

    fn of(&self, destination: &Destination) -> Arc<Notify> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(destination.clone()).or_default())
    }

    fn known(&self) -> BTreeSet<Destination> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// What all mirrors share.
pub struct Shared {
    pub(self) config: Watched,
    pub(self) targets: Arc<OpenTargets>,
    pub(self) staging: Staging,
    pub(self) reporter: Reporter,
    pub(self) times: Times,
    pub(self) gauges: Gauges,
}

/// The mirrors of all targets in use.
pub struct Mirrors {
    shared: Arc<Shared>,
    wakes: Wakes,
}

impl Mirrors {
    /// Out of `staging` into those of `targets` that are in use by `config`. Registers the metrics
    /// `callseal_shipper_log_…`.
    ///
    /// # Errors
    /// The name of a metric is taken.
    pub fn new(
        config: Watched,
        targets: Arc<OpenTargets>,
        staging: Staging,
        reporter: Reporter,
        times: Times,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let gauges = Gauges::register(registry)?;
        let shared = Arc::new(Shared { config, targets, staging, reporter, times, gauges });
        Ok(Self { shared, wakes: Wakes::default() })
    }

    /// By which deliveries tell where they were.
    pub fn wakes(&self) -> Wakes {
        self.wakes.clone()
    }

    /// Follows the logs until `shutdown`; `list` knows for which targets recordings wait.
    pub async fn run(self, list: WorkList, shutdown: CancellationToken) {
        let mut mirrors = JoinSet::new();
        let mut running: BTreeMap<Destination, CancellationToken> = BTreeMap::new();
        let mut config = self.shared.config.clone();
        while !shutdown.is_cancelled() {
            let wanted = self.in_use(&list).await;
            running.retain(|destination, stop| {
                let keep = wanted.contains(destination);
                if !keep {
                    stop.cancel();
                    self.shared.gauges.forget(destination);
                }
                keep
            });
            for destination in wanted {
                running.entry(destination.clone()).or_insert_with(|| {
                    let stop = shutdown.child_token();
                    let wake = self.wakes.of(&destination);
                    mirrors.spawn(Mirror::new(destination, Arc::clone(&self.shared)).run(wake, stop.clone()));
                    stop
                });
            }
            tokio::select! {
                () = tokio::time::sleep(self.shared.times.every) => {}
                () = config.changed() => {}
                () = shutdown.cancelled() => {}
            }
            while mirrors.try_join_next().is_some() {}
        }
        while mirrors.join_next().await.is_some() {}
    }

    /// The targets of the configuration that a rule names, that recordings wait for, or that one was
    /// brought to: one that nobody uses is not contacted. One that keeps nothing gets no log either.
    async fn in_use(&self, list: &WorkList) -> BTreeSet<Destination> {
        let resources = self.shared.config.current();
        let mut used = self.wakes.known();
        match list.destinations().await {
            Ok(waited_for) => used.extend(waited_for),
            Err(error) => tracing::debug!(%error, "the work list cannot be asked for targets in use"),
        }
        for (tenant, resources) in &resources.tenants {
            let named = named_by_rules(resources);
            used.extend(named.map(|name| Destination { tenant: tenant.clone(), name: name.clone() }));
        }
        used.retain(|Destination { tenant, name }| {
            let described = resources.tenants.get(tenant).and_then(|tenant| tenant.storage_targets.get(name));
            described.is_some_and(StorageTarget::keeps)
        });
        used
    }
}

/// The storage targets that rules of the tenant name.
pub fn named_by_rules(resources: &TenantResources) -> impl Iterator<Item = &domain::ResourceName> {
    resources.rules.iter().flat_map(|rule| {
        let manual = rule.manual_recording.iter().flat_map(|manual| &manual.targets);
        rule.targets.iter().chain(manual)
    })
}
