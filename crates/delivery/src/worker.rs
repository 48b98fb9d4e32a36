//! A worker: carries out the orders of one destination, one after the other.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::AtomicUsize},
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use sql::Transaction;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    DeliveryError, Destination, Done, Failed, Fault, Gate, Metrics, Notice, Order, Terms, WorkList,
    claim::Claimed,
    turns::{Turn, Turns},
};

/// What a service does with an order.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// What an attempt that succeeded has to tell.
    type Report: Send + Sync;

    /// Carries out an order. It must be repeatable: a crash right after it lets it be done again.
    /// Dropped in the middle when the service drains, or when nothing may be sent there any more.
    ///
    /// # Errors
    /// What went wrong, and whose fault it is.
    async fn carry_out(&self, order: &Order) -> Result<Self::Report, Fault>;

    /// So many orders of one destination are taken at once and carried out together when they wait; 1:
    /// each is carried out by itself.
    fn most_together(&self) -> usize {
        1
    }

    /// Carries out several orders together, the oldest first: all of them, or none. Repeatable as
    /// [`carry_out`](Self::carry_out) is. A report of each, in their order.
    ///
    /// # Errors
    /// What went wrong. If a record is at fault, each is carried out by itself, which tells which.
    async fn carry_out_together(&self, orders: &[Order]) -> Result<Vec<Self::Report>, Fault> {
        let mut reports = Vec::with_capacity(orders.len());
        for order in orders {
            reports.push(self.carry_out(order).await?);
        }
        Ok(reports)
    }

    /// How an order is treated while it is carried out.
    fn manners(&self, _order: &Order) -> Manners {
        Manners::default()
    }

    /// Stores what the service itself has to know of an order that is carried out, in the transaction
    /// that notes it as done: where it lies, and how that was verified.
    ///
    /// # Errors
    /// It cannot be stored; the order is carried out again.
    async fn store_done_in(
        &self,
        _tx: &mut Transaction,
        _order: &Order,
        _report: &Self::Report,
        _now: Timestamp,
    ) -> Result<(), DeliveryError> {
        Ok(())
    }

    /// The order is noted as done, for good. Told at most once. Must not block.
    fn carried_out(&self, order: &Order, report: Self::Report);

    /// All orders of the recording are done. Repeatable as well; may be lost in a crash, so the
    /// service also has to look for such recordings when it starts.
    async fn complete(&self, order: &Order);

    /// Something changed that people should hear about. Must not block.
    fn notice(&self, notice: Notice);
}

/// How an order is treated while it is carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manners {
    /// So long it may go on when it is to be broken off: where nobody can be asked afterwards whether it
    /// was done, a repetition is seen by people. Shorter than a service's drain and than a lease.
    pub finishes_within: Duration,
    /// So long it counts as one of the transfers of the process; `None`: to its end. For what waits for
    /// another's answer rather than transfers: it must not keep the others from theirs.
    pub counts_for: Option<Duration>,
}

/// A worker looks again after this time even if nobody woke it: another replica may have put
/// orders on the list.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often the clock is asked whether a window has closed.
const ASK_THE_CLOCK: Duration = Duration::from_secs(20);

pub(crate) struct Worker<W> {
    pub(crate) destination: Destination,
    pub(crate) list: WorkList,
    pub(crate) work: Arc<W>,
    pub(crate) metrics: Metrics,
    pub(crate) lease: Duration,
    pub(crate) turns: Turns,
    pub(crate) terms: watch::Receiver<Terms>,
    /// So many orders are carried out each by itself, before several are again.
    pub(crate) singly: AtomicUsize,
}

/// When a worker ends.
#[derive(Clone)]
pub(crate) struct Stop {
    /// At once: what is under way is broken off.
    pub(crate) now: CancellationToken,
    /// When it has carried out what it has in hand: fewer are wanted.
    pub(crate) soon: CancellationToken,
}

impl Stop {
    pub(crate) fn is_told(&self) -> bool {
        self.now.is_cancelled() || self.soon.is_cancelled()
    }

    async fn told(&self) {
        tokio::select! {
            () = self.now.cancelled() => {}
            () = self.soon.cancelled() => {}
        }
    }
}

impl<W: Work> Worker<W> {
    /// Works until it is told to stop. What is broken off is free for the next worker.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut changes = self.list.changes();
        while !stop.is_told() {
            changes.mark_unchanged();
            let gate = self.terms.borrow_and_update().gate(Timestamp::now());
            let pause = match gate {
                Gate::Closed(opens) => until(opens),
                Gate::Open { arrived_by, .. } => match survived(self.next(arrived_by, &stop)).await {
                    Some(Ok(None)) => continue,
                    Some(Ok(Some(pause))) => pause,
                    Some(Err(error)) => self.list_unusable(&error),
                    None => self.panicked(),
                },
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Never closed: the worker's own list holds the sender.
                _ = changes.changed() => {}
                Ok(()) = self.terms.changed() => {}
                () = stop.told() => {}
            }
        }
    }

    /// Carries out the next order, or says for how long there is none.
    async fn next(
        &self,
        arrived_by: Option<Timestamp>,
        stop: &Stop,
    ) -> Result<Option<Duration>, DeliveryError> {
        // Before the claim: an order in hand is one that is being carried out.
        let turn = tokio::select! {
            turn = self.turns.wait(&self.destination.tenant) => turn,
            () = stop.told() => return Ok(None),
        };
        let now = Timestamp::now();
        let most = self.most_now();
        match self.list.claim_some(&self.destination, self.lease, now, arrived_by, most).await? {
            Claimed::Orders(orders) => {
                let counts_for = orders.first().and_then(|order| self.work.manners(order).counts_for);
                counting(turn, counts_for, self.handle_all(&orders, stop)).await.map(|()| None)
            }
            Claimed::NotBefore(due) => Ok(Some(until(due))),
        }
    }

    /// True if the destination works, as far as is known now.
    pub(crate) async fn handle(&self, order: &Order, stop: &Stop) -> Result<bool, DeliveryError> {
        // Dropped as soon as it is broken off, and not when that is noted.
        let mut attempt = Box::pin(self.carry_out(order));
        let outcome = tokio::select! {
            outcome = &mut attempt => outcome,
            () = self.keep(order) => return Ok(true),
            () = self.broken_off(stop) => {
                let within = self.work.manners(order).finishes_within;
                tokio::time::timeout(within, attempt).await.unwrap_or(Err(Fault::BrokenOff))
            }
        };
        match outcome {
            Ok(report) => self.succeeded(order, report).await.map(|()| true),
            Err(fault) => self.failed(order, &fault).await.map(|()| matches!(fault, Fault::Record { .. })),
        }
    }

    /// Returns when what is under way is to be broken off.
    async fn broken_off(&self, stop: &Stop) {
        tokio::select! {
            () = self.closed() => {}
            () = stop.now.cancelled() => {}
        }
    }

    /// A record that makes the work panic is at fault itself: the worker lives on, for the others.
    async fn carry_out(&self, order: &Order) -> Result<W::Report, Fault> {
        survived(self.work.carry_out(order)).await.unwrap_or_else(|| {
            Err(Fault::Record { problem: "the attempt panicked: please report this as a bug".to_owned() })
        })
    }

    /// Outside of an attempt: what the worker had in hand is free when its lease has run out. Were the
    /// worker to end, its destination would stand still, and nothing would say so.
    fn panicked(&self) -> Duration {
        tracing::error!(destination = %self.destination, "a worker panicked, and goes on: please report this as a bug");
        LOOK_AGAIN
    }

    async fn succeeded(&self, order: &Order, report: W::Report) -> Result<(), DeliveryError> {
        let now = Timestamp::now();
        let mut tx = self.list.database().begin_write().await?;
        self.work.store_done_in(&mut tx, order, &report, now).await?;
        let done = self.list.done_in(&mut tx, order, now).await?;
        tx.commit().await?;
        self.told(order, report, done).await
    }

    /// What follows when an order is noted as done.
    pub(crate) async fn told(
        &self,
        order: &Order,
        report: W::Report,
        done: Done,
    ) -> Result<(), DeliveryError> {
        self.metrics.done(&self.destination);
        self.work.carried_out(order, report);
        let done = self.list.completed(order, done).await?;
        for (recording, problem) in done.set_aside {
            let destination = order.destination.clone();
            tracing::error!(%destination, %recording, "set aside until somebody looks: {problem}");
            self.work.notice(Notice::SetAside { destination, recording, problem });
        }
        if done.recovered {
            tracing::info!(destination = %self.destination, "works again");
            let (destination, recording) = (order.destination.clone(), order.recording);
            self.work.notice(Notice::Recovered { destination, recording });
        }
        if done.complete {
            self.work.complete(order).await;
        }
        Ok(())
    }

    pub(crate) async fn failed(&self, order: &Order, fault: &Fault) -> Result<(), DeliveryError> {
        let failed = self.list.failed(order, fault, Timestamp::now(), rand::random()).await?;
        let (destination, recording) = (order.destination.clone(), order.recording);
        match (fault, failed) {
            (Fault::BrokenOff, _) | (_, Failed::Superseded) => return Ok(()),
            (Fault::Destination { problem, permanent, .. }, Failed::Retry { news: true, at }) => {
                tracing::warn!(%destination, %recording, permanent, next_attempt = %at, "fails: {problem}");
                self.work.notice(Notice::Failing { destination, recording, problem: problem.clone() });
            }
            (Fault::Record { problem }, Failed::Retry { news: true, at }) => {
                tracing::warn!(%destination, %recording, next_attempt = %at, "recording fails: {problem}");
                self.work.notice(Notice::RecordAtFault { destination, recording, problem: problem.clone() });
            }
            (
                Fault::Destination { problem, .. } | Fault::Record { problem },
                Failed::Retry { news: false, at },
            ) => {
                tracing::debug!(%destination, %recording, next_attempt = %at, "still fails: {problem}");
            }
            (Fault::Destination { problem, .. } | Fault::Record { problem }, Failed::SetAside) => {
                tracing::error!(%destination, %recording, "set aside until somebody looks: {problem}");
                self.work.notice(Notice::SetAside { destination, recording, problem: problem.clone() });
            }
        }
        self.metrics.failed(&self.destination);
        Ok(())
    }

    /// Returns when nothing may be sent there any more.
    pub(crate) async fn closed(&self) {
        let mut terms = self.terms.clone();
        loop {
            let now = Timestamp::now();
            let gate = terms.borrow_and_update().gate(now);
            let Gate::Open { until, .. } = gate else { return };
            // The clock may be set: it is asked again now and then.
            let left = until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
            tokio::select! {
                () = tokio::time::sleep(left.unwrap_or(ASK_THE_CLOCK).min(ASK_THE_CLOCK)) => {}
                Ok(()) = terms.changed() => {}
            }
        }
    }

    /// Renews the lease while the work goes on; returns when another worker has the order.
    async fn keep(&self, order: &Order) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            if !self.renewed(order).await {
                return;
            }
        }
    }

    /// Renews the lease; false if another worker has the order.
    pub(crate) async fn renewed(&self, order: &Order) -> bool {
        match self.list.renew(order, self.lease, Timestamp::now()).await {
            Ok(true) => return true,
            Ok(false) => {
                tracing::warn!(destination = %self.destination, recording = %order.recording, "lost its lease");
                return false;
            }
            // Not a reason to stop: the work is repeatable, and the database may be back in time.
            Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
        }
        true
    }

    fn list_unusable(&self, error: &DeliveryError) -> Duration {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(destination = %self.destination, %error, cause, "waiting for the state database");
        LOOK_AGAIN
    }
}

/// What `work` comes to; `None` if it panics.
pub(crate) async fn survived<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_panic) => Poll::Ready(None),
    })
    .await
}

/// What `work` comes to; after so long it goes on without its turn.
async fn counting<T>(turn: Turn, counts_for: Option<Duration>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Some(counts_for) = counts_for
        && let Ok(outcome) = tokio::time::timeout(counts_for, &mut work).await
    {
        return outcome;
    }
    let _to_its_end = counts_for.is_none().then_some(turn);
    work.await
}

fn until(due: Option<Timestamp>) -> Duration {
    let Some(due) = due else { return LOOK_AGAIN };
    let wait = due.duration_since(Timestamp::now());
    Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(5), LOOK_AGAIN)
}
