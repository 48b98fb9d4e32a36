//! What looks after the archive while the shipper runs: retention, deletions, holds, comparison.

use std::{sync::Arc, time::Duration};

use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use super::{
    compare::Comparer,
    desk::Desk,
    removal::{Parts, Remover},
    retain::Retainer,
};

/// How often what is done by itself is done.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Retention looks for what has ended.
    pub retention: Duration,
    /// One folder of a target is compared with the index.
    pub compare: Duration,
}

/// Looks after the archive.
pub struct Keeping {
    bus: bus::Bus,
    remover: Remover,
    retainer: Retainer,
    desk: Desk,
    /// What it has found.
    pub comparer: Comparer,
}

impl Keeping {
    /// Made of these parts.
    ///
    /// # Errors
    /// The name of a metric is taken.
    pub fn new(parts: Parts, rounds: Rounds, registry: &Registry) -> prometheus::Result<Self> {
        let (bus, archive, policy) = (parts.bus.clone(), parts.archive.clone(), parts.policy.clone());
        let (targets, reporter) = (Arc::clone(&parts.targets), parts.reporter.clone());
        let compare = (rounds.compare, parts.answers_within);
        let remover = Remover::new(parts, registry)?;
        let wake = || Arc::clone(&remover.wake);
        let retainer =
            Retainer::new(archive.clone(), policy.clone(), reporter.clone(), wake(), rounds.retention);
        let desk = Desk::new(archive.clone(), policy, reporter.clone(), wake());
        let comparer = Comparer::new(archive, targets, reporter, compare, registry)?;
        Ok(Self { bus, remover, retainer, desk, comparer })
    }

    /// Until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::join!(
            self.remover.run(shutdown.clone()),
            self.retainer.run(shutdown.clone()),
            self.desk.serve(self.bus, shutdown.clone()),
            self.comparer.run(shutdown.clone()),
        );
    }
}
