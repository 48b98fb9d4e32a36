//! Workers for every destination of the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{DeliveryError, Destination, Metrics, Notice, Work, WorkList, worker::Worker};

/// How an engine works.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Orders of one destination carried out at the same time.
    pub concurrency: usize,
    /// After this time without a sign of life a worker is taken for dead.
    pub lease: Duration,
    /// How often the list is counted, and held against the configuration.
    pub look_over: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { concurrency: 2, lease: Duration::from_secs(30), look_over: Duration::from_secs(5) }
    }
}

/// Runs workers for every destination: a dead one holds up nobody.
pub struct Engine<W> {
    list: WorkList,
    work: Arc<W>,
    options: EngineOptions,
    metrics: Metrics,
}

impl<W: Work> Engine<W> {
    /// An engine that carries out the orders of `list` by `work`.
    pub fn new(list: WorkList, work: Arc<W>, options: EngineOptions, metrics: Metrics) -> Self {
        Self { list, work, options, metrics }
    }

    /// Works until `shutdown`; `existing` is what the configuration knows, and may change. Returns
    /// when all workers have stopped.
    pub async fn run(
        self,
        mut existing: watch::Receiver<BTreeSet<Destination>>,
        shutdown: CancellationToken,
    ) {
        let mut workers = JoinSet::new();
        let mut running: BTreeMap<Destination, CancellationToken> = BTreeMap::new();
        while !shutdown.is_cancelled() {
            let wanted = existing.borrow_and_update().clone();
            running.retain(|destination, stop| {
                let keep = wanted.contains(destination);
                if !keep {
                    stop.cancel();
                }
                keep
            });
            for destination in wanted.iter().filter(|d| !running.contains_key(d)).cloned().collect::<Vec<_>>()
            {
                let stop = shutdown.child_token();
                for _ in 0..self.options.concurrency.max(1) {
                    workers.spawn(self.worker(destination.clone()).run(stop.clone()));
                }
                running.insert(destination, stop);
            }
            if let Err(error) = self.look_over(&wanted).await {
                tracing::warn!(%error, "the work list could not be looked over");
            }
            tokio::select! {
                () = tokio::time::sleep(self.options.look_over) => {}
                Ok(()) = existing.changed() => {}
                () = shutdown.cancelled() => {}
            }
            while workers.try_join_next().is_some() {}
        }
        while workers.join_next().await.is_some() {}
    }

    fn worker(&self, destination: Destination) -> Worker<W> {
        Worker {
            destination,
            list: self.list.clone(),
            work: Arc::clone(&self.work),
            metrics: self.metrics.clone(),
            lease: self.options.lease,
        }
    }

    async fn look_over(&self, wanted: &BTreeSet<Destination>) -> Result<(), DeliveryError> {
        let (orphaned, returned) = self.list.reconcile(wanted).await?;
        for destination in orphaned {
            tracing::warn!(%destination, "is not in the configuration any more: its open orders are kept");
            self.work.notice(Notice::Orphaned { destination });
        }
        for destination in returned {
            tracing::info!(%destination, "is in the configuration again: its orders go on");
            self.work.notice(Notice::Returned { destination });
        }
        self.metrics.show(&self.list.backlog().await?, jiff::Timestamp::now());
        Ok(())
    }
}
