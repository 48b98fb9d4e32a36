//! A message on its direct way to JetStream.

use std::sync::{Arc, atomic::Ordering};

use async_nats::jetstream::message::PublishMessage;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, warn};

use super::Inner;
use crate::{BusError, set_aside::set_aside, spool::Record, streams};

impl Inner {
    /// One try to store `record` in CALLS. Errors as of [`crate::store::store`].
    pub(super) async fn publish(
        &self,
        record: &Record,
        timeout: std::time::Duration,
    ) -> Result<(), BusError> {
        let message = PublishMessage::build().message_id(&record.id).payload(record.payload.clone());
        let metrics = self.bus.metrics();
        metrics.published.inc();
        metrics.in_flight.inc();
        let stored = self.bus.store(streams::CALLS, &record.subject, message, timeout).await;
        metrics.in_flight.dec();
        stored.map(|_| metrics.acked.inc())
    }

    pub(super) async fn publish_live(
        self: Arc<Self>,
        record: Record,
        ticket: u64,
        permit: OwnedSemaphorePermit,
    ) {
        let published = self.publish(&record, self.options.ack_timeout).await;
        drop(permit);
        match published {
            Ok(()) => self.settled.settle(&[ticket]),
            Err(reason @ BusError::TooLarge { .. }) => {
                set_aside(&self.bus, self.spool.dir(), record, &reason).await;
                self.settled.settle(&[ticket]);
            }
            Err(error) => {
                // Before the append: the delivery of what is appended sets it to true again.
                if self.healthy.swap(false, Ordering::Relaxed) {
                    warn!(%error, "NATS does not take call messages; they go to the spool");
                } else {
                    debug!(%error, "a call message goes to the spool");
                }
                self.to_spool(record, ticket);
            }
        }
    }
}
