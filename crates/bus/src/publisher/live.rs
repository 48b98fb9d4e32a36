//! A message on its direct way to JetStream.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, warn};

use super::{
    Inner,
    outcome::{Outcome, publish},
};
use crate::{BusError, set_aside::set_aside, spool::Record};

impl Inner {
    pub(super) async fn publish_live(
        self: Arc<Self>,
        record: Record,
        ticket: u64,
        permit: OwnedSemaphorePermit,
    ) {
        let in_flight = &self.bus.metrics().in_flight;
        in_flight.inc();
        let mut link = self.bus.link();
        let generation = link.borrow().generation;
        let outcome = tokio::select! {
            outcome = publish(&self.bus, &record, self.options.ack_timeout) => outcome,
            // The ack went down with the connection: no use in waiting for it.
            _ = link.wait_for(|link| !link.connected || link.generation != generation) => {
                Outcome::Failed(BusError::NotConnected)
            }
        };
        in_flight.dec();
        drop(permit);
        match outcome {
            Outcome::Acknowledged => self.settled.settle(&[ticket]),
            Outcome::Refused(reason) => {
                set_aside(&self.bus, self.spool.dir(), record, &reason).await;
                self.settled.settle(&[ticket]);
            }
            Outcome::Failed(error) => {
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
