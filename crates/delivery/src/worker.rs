//! A worker: carries out the orders of one destination, one after the other.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Claim, DeliveryError, Destination, Failed, Fault, Metrics, Notice, Order, WorkList};

/// What a service does with an order.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// What an attempt that succeeded has to tell.
    type Report: Send;

    /// Carries out an order. It must be repeatable: a crash right after it lets it be done again.
    /// Dropped in the middle when the service drains.
    ///
    /// # Errors
    /// What went wrong, and whose fault it is.
    async fn carry_out(&self, order: &Order) -> Result<Self::Report, Fault>;

    /// The order is noted as done, for good. Told at most once. Must not block.
    fn carried_out(&self, order: &Order, report: Self::Report);

    /// All orders of the recording are done. Repeatable as well; may be lost in a crash, so the
    /// service also has to look for such recordings when it starts.
    async fn complete(&self, order: &Order);

    /// Something changed that people should hear about. Must not block.
    fn notice(&self, notice: Notice);
}

/// A worker looks again after this time even if nobody woke it: another replica may have put
/// orders on the list.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Worker<W> {
    pub(crate) destination: Destination,
    pub(crate) list: WorkList,
    pub(crate) work: Arc<W>,
    pub(crate) metrics: Metrics,
    pub(crate) lease: Duration,
}

impl<W: Work> Worker<W> {
    /// Works until `stop`. What is under way then is broken off and free for the next worker.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut changes = self.list.changes();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let pause = match self.list.claim(&self.destination, self.lease, Timestamp::now()).await {
                Ok(Claim::Order(order)) => match self.handle(&order, &stop).await {
                    Ok(()) => continue,
                    Err(error) => self.list_unusable(&error),
                },
                Ok(Claim::NotBefore(due)) => until(due),
                Err(error) => self.list_unusable(&error),
            };
            wait(pause, &mut changes, &stop).await;
        }
    }

    async fn handle(&self, order: &Order, stop: &CancellationToken) -> Result<(), DeliveryError> {
        let outcome = tokio::select! {
            outcome = self.carry_out(order) => outcome,
            () = self.keep(order) => return Ok(()),
            () = stop.cancelled() => Err(Fault::BrokenOff),
        };
        match outcome {
            Ok(report) => self.succeeded(order, report).await,
            Err(fault) => self.failed(order, &fault).await,
        }
    }

    /// A record that makes the work panic is at fault itself: the worker lives on, for the others.
    async fn carry_out(&self, order: &Order) -> Result<W::Report, Fault> {
        let mut work = pin!(self.work.carry_out(order));
        poll_fn(|context| {
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))).unwrap_or_else(|_| {
                let problem = "the attempt panicked: please report this as a bug".to_owned();
                Poll::Ready(Err(Fault::Record { problem }))
            })
        })
        .await
    }

    async fn succeeded(&self, order: &Order, report: W::Report) -> Result<(), DeliveryError> {
        let done = self.list.done(order, Timestamp::now()).await?;
        self.metrics.done(&self.destination);
        self.work.carried_out(order, report);
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

    async fn failed(&self, order: &Order, fault: &Fault) -> Result<(), DeliveryError> {
        let failed = self.list.failed(order, fault, Timestamp::now(), rand::random()).await?;
        let (destination, recording) = (order.destination.clone(), order.recording);
        match (fault, failed) {
            (Fault::BrokenOff, _) | (_, Failed::Superseded) => return Ok(()),
            (Fault::Destination { problem, permanent }, Failed::Retry { news: true, at }) => {
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

    /// Renews the lease while the work goes on; returns when another worker has the order.
    async fn keep(&self, order: &Order) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            match self.list.renew(order, self.lease, Timestamp::now()).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(destination = %self.destination, recording = %order.recording, "lost its lease");
                    return;
                }
                // Not a reason to stop: the work is repeatable, and the database may be back in time.
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    }

    fn list_unusable(&self, error: &DeliveryError) -> Duration {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(destination = %self.destination, %error, cause, "waiting for the state database");
        LOOK_AGAIN
    }
}

fn until(due: Option<Timestamp>) -> Duration {
    let Some(due) = due else { return LOOK_AGAIN };
    let wait = due.duration_since(Timestamp::now());
    Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(5), LOOK_AGAIN)
}

async fn wait(pause: Duration, changes: &mut watch::Receiver<u64>, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        // Never closed: the worker's own list holds the sender.
        _ = changes.changed() => {}
        () = stop.cancelled() => {}
    }
}
