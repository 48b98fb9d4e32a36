//! From the stream SEALED onto the work list.

use std::{collections::BTreeSet, time::Duration};

use bus::{Bus, BusError};
use delivery::{DeliveryError, Destination, NewOrder, WorkList};
use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wire::{Message as _, recording_v1::RecordingSealed};

use crate::{
    fail_point,
    records::{Records, RecordsError},
    report::Reporter,
};

/// Pause when the state database does not take an order.
const RETRY: Duration = Duration::from_secs(2);

/// Why a message could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It can never be: the signer sent something wrong.
    #[error("the announcement of a sealed recording is wrong: {0}")]
    Poison(String),
    /// The work list is away; it will be tried again.
    #[error(transparent)]
    List(#[from] DeliveryError),
    /// The state database is away; it will be tried again.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// Takes announcements of sealed recordings in.
pub struct Intake {
    list: WorkList,
    records: Records,
    reporter: Reporter,
}

impl Intake {
    /// Onto `list`, noting recordings in `records` of the same database.
    pub const fn new(list: WorkList, records: Records, reporter: Reporter) -> Self {
        Self { list, records, reporter }
    }

    /// Takes in until `shutdown`.
    pub async fn run(&self, bus: Bus, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let outcome = tokio::select! {
                outcome = self.consume(&bus) => outcome,
                () = shutdown.cancelled() => return,
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "waiting for sealed recordings");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn consume(&self, bus: &Bus) -> Result<(), BusError> {
        let mut sealed = bus.sealed("shipper").await?;
        loop {
            let delivery = sealed.next().await?;
            let recording = delivery.message.recording_id.clone();
            let answered = match self.take_in(&delivery.message, Timestamp::now()).await {
                Ok(()) => delivery.ack().await,
                Err(IntakeError::Poison(reason)) => {
                    tracing::error!(recording, reason, "a sealed recording cannot be shipped");
                    delivery.dead_letter(&reason).await
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(recording, %error, cause, "a sealed recording is taken in later");
                    delivery.retry_in(RETRY).await;
                    Ok(())
                }
            };
            if let Err(error) = answered {
                // It comes again and is found to be on the list.
                tracing::debug!(recording, %error, "an answer did not get through");
            }
        }
    }

    /// Stores the recording and its orders in one transaction. A repeat changes nothing.
    ///
    /// # Errors
    /// See [`IntakeError`]; nothing is stored then.
    pub async fn take_in(&self, sealed: &RecordingSealed, now: Timestamp) -> Result<(), IntakeError> {
        let invalid = |error: domain::InvalidId| IntakeError::Poison(error.to_string());
        let tenant: TenantId = sealed.tenant.parse().map_err(invalid)?;
        let recording: RecordingId = sealed.recording_id.parse().map_err(invalid)?;
        // A target that a rule names twice gets the recording once.
        let targets: BTreeSet<ResourceName> =
            sealed.targets.iter().map(|target| target.parse()).collect::<Result<_, _>>().map_err(invalid)?;
        let payload = sealed.encode_to_vec();
        let order = |name: &ResourceName| NewOrder {
            destination: Destination { tenant: tenant.clone(), name: name.clone() },
            recording,
            payload: payload.clone(),
        };
        let orders: Vec<NewOrder> = targets.iter().map(order).collect();

        let mut tx = self.list.database().begin_write().await.map_err(DeliveryError::from)?;
        let new = self.records.add_in(&mut tx, &tenant, recording, sealed, now).await?;
        if new {
            self.list.enqueue_in(&mut tx, &orders, now).await?;
        }
        tx.commit().await.map_err(DeliveryError::from)?;
        fail_point::reached("taken-in");
        self.list.announce();
        if new && orders.is_empty() {
            self.reporter.no_target(&tenant, recording);
        }
        Ok(())
    }
}
