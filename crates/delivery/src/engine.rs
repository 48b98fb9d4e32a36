//! Workers for every destination of the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use config::Watched;
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Destination, Metrics, Terms, Work, WorkList,
    look_over::LookOver,
    turns::Turns,
    worker::{Stop, Worker},
};

/// How an engine works.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Orders of one destination carried out at the same time, where its terms do not say.
    pub concurrency: usize,
    /// Orders carried out at the same time in all; tenants take turns.
    pub transfers: usize,
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
            transfers: 16,
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
    config: Option<Watched>,
}

/// The workers of a destination.
struct Running {
    stop: CancellationToken,
    terms: watch::Sender<Terms>,
    /// By which each is told that it is one too many.
    workers: Vec<CancellationToken>,
}

impl<W: Work> Engine<W> {
    /// An engine that carries out the orders of `list` by `work`.
    pub fn new(list: WorkList, work: Arc<W>, options: EngineOptions, metrics: Metrics) -> Self {
        Self { list, work, options, metrics, config: None }
    }

    /// The same, which orphans nothing while something of `config` cannot be read: what is missing then may
    /// be described there.
    #[must_use]
    pub fn described_in(self, config: Watched) -> Self {
        Self { config: Some(config), ..self }
    }

    /// Works until `shutdown`; `existing` is what the configuration knows, on what terms, and may
    /// change. Returns when all workers have stopped.
    pub async fn run(
        self,
        mut existing: watch::Receiver<BTreeMap<Destination, Terms>>,
        shutdown: CancellationToken,
    ) {
        let turns = Turns::new(self.options.transfers);
        let mut workers = JoinSet::new();
        let mut running: BTreeMap<Destination, Running> = BTreeMap::new();
        let mut look_over =
            LookOver::new(self.list.clone(), self.options, self.metrics.clone(), self.config.clone());
        while !shutdown.is_cancelled() {
            let seen = Timestamp::now();
            let wanted = existing.borrow_and_update().clone();
            running.retain(|destination, running| {
                let keep = wanted.contains_key(destination);
                if !keep {
                    running.stop.cancel();
                }
                keep
            });
            turns.shared_by(wanted.keys().map(|d| &d.tenant).collect::<BTreeSet<_>>().len());
            for (destination, terms) in &wanted {
                let running = running.entry(destination.clone()).or_insert_with(|| Running {
                    stop: shutdown.child_token(),
                    terms: watch::Sender::new(terms.clone()),
                    workers: Vec::new(),
                });
                running.terms.send_if_modified(|known| {
                    let changed = known != terms;
                    known.clone_from(terms);
                    changed
                });
                let concurrency = terms.concurrency.unwrap_or(self.options.concurrency).max(1);
                for surplus in running.workers.drain(concurrency.min(running.workers.len())..) {
                    surplus.cancel();
                }
                while running.workers.len() < concurrency {
                    let soon = CancellationToken::new();
                    let stop = Stop { now: running.stop.clone(), soon: soon.clone() };
                    let worker = self.worker(destination.clone(), &turns, running.terms.subscribe());
                    workers.spawn(worker.run(stop));
                    running.workers.push(soon);
                }
            }
            match look_over.look(&wanted, seen).await {
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

    fn worker(&self, destination: Destination, turns: &Turns, terms: watch::Receiver<Terms>) -> Worker<W> {
        Worker {
            destination,
            turns: turns.clone(),
            terms,
            list: self.list.clone(),
            work: Arc::clone(&self.work),
            metrics: self.metrics.clone(),
            lease: self.options.lease,
            singly: AtomicUsize::default(),
        }
    }
}
