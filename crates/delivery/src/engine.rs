//! Workers for every destination of the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Destination, Metrics, Work, WorkList, look_over::LookOver, worker::Worker};

/// How an engine works.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Orders of one destination carried out at the same time.
    pub concurrency: usize,
    /// After this time without a sign of life a worker is taken for dead.
    pub lease: Duration,
    /// How often the list is counted, and held against the configuration.
    pub look_over: Duration,
    /// How long a destination may be missing in the configuration before its orders are orphaned.
    pub orphan_after: Duration,
    /// How long orders are remembered that are done. Longer than a signer may be down between its
    /// announcement of a recording and its note of that, after which it announces it again.
    pub done_kept: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            concurrency: 2,
            lease: Duration::from_secs(30),
            look_over: Duration::from_secs(5),
            orphan_after: Duration::from_secs(60),
            done_kept: Duration::from_secs(30 * 24 * 3600),
        }
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
        let mut look_over = LookOver::new(self.list.clone(), self.options, self.metrics.clone());
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
            match look_over.look(&wanted).await {
                Ok(notices) => notices.into_iter().for_each(|notice| self.work.notice(notice)),
                Err(error) => tracing::warn!(%error, "the work list could not be looked over"),
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
}
