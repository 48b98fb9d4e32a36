//! From the stream SEALED onto the work list.

use std::{collections::BTreeSet, time::Duration};

use bus::{Bus, BusError};
use delivery::{DeliveryError, Destination, NewOrder, WorkList};
use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wire::{Message as _, recording_v1::RecordingSealed};

use crate::fail_point;

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
}

/// Takes announcements of sealed recordings in.
pub struct Intake(WorkList);

impl Intake {
    /// Onto `list`.
    pub const fn new(list: WorkList) -> Self {
        Self(list)
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
        let mut sealed = bus.sealed("journal").await?;
        loop {
            let delivery = sealed.next().await?;
            let recording = delivery.message.recording_id.clone();
            let answered = match self.take_in(&delivery.message, Timestamp::now()).await {
                Ok(()) => delivery.ack().await,
                Err(IntakeError::Poison(reason)) => {
                    tracing::error!(recording, reason, "a sealed recording cannot be journalled");
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

    /// Stores an order for each journal. A repeat changes nothing.
    ///
    /// # Errors
    /// See [`IntakeError`]; nothing is stored then.
    pub async fn take_in(&self, sealed: &RecordingSealed, now: Timestamp) -> Result<(), IntakeError> {
        let invalid = |error: domain::InvalidId| IntakeError::Poison(error.to_string());
        let tenant: TenantId = sealed.tenant.parse().map_err(invalid)?;
        let recording: RecordingId = sealed.recording_id.parse().map_err(invalid)?;
        // A journal that a rule names twice gets one row.
        let journals: BTreeSet<ResourceName> = sealed
            .journals
            .iter()
            .map(|journal| journal.parse())
            .collect::<Result<_, _>>()
            .map_err(invalid)?;
        let row =
            sealed.row.as_ref().ok_or_else(|| IntakeError::Poison("it has no journal row".to_owned()))?;
        let payload = row.encode_to_vec();
        let order = |name: ResourceName| NewOrder {
            destination: Destination { tenant: tenant.clone(), name },
            recording,
            payload: payload.clone(),
        };
        self.0.enqueue(&journals.into_iter().map(order).collect::<Vec<_>>(), now).await?;
        fail_point::reached("taken-in");
        Ok(())
    }
}
