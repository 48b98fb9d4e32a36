//! From the stream SEALED onto the work list.
//!
//! A message is acknowledged when its orders are committed. Crash before: it is delivered again.
//! Crash between: it is delivered again, and found to be on the list.
//!
//! The list has the order of sealing: one message is taken in after the other, however long that takes, and
//! what an earlier process had at hand when it was killed comes before anything new.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError};
use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use sql::Transaction;
use tokio_util::sync::CancellationToken;
use wire::recording_v1::RecordingSealed;

use crate::{DeliveryError, Destination, NewOrder, Role, WorkList};

/// Pause when the state database does not take an order.
const RETRY: Duration = Duration::from_secs(2);

/// A sealed recording, as it was announced.
#[derive(Debug, Clone, Copy)]
pub struct Announced<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// Which one.
    pub recording: RecordingId,
    /// All that the signer says of it.
    pub sealed: &'a RecordingSealed,
}

/// An announcement that can never be taken in: the signer sent something wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the announcement of a sealed recording is wrong: {0}")]
pub struct Poison(pub String);

/// What a service makes of an announcement.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// The destinations that the message names for this service, and the payload of their orders.
    ///
    /// # Errors
    /// The message lacks something; it goes to the dead letters.
    fn orders<'a>(&self, sealed: &'a RecordingSealed) -> Result<(&'a [String], Vec<u8>), Poison>;

    /// Stores what the service itself has to know, in the transaction of the orders. False if the
    /// recording is known already: then no orders are made either.
    ///
    /// # Errors
    /// It cannot be stored now; the message comes again.
    async fn store_in(
        &self,
        _tx: &mut Transaction,
        _announced: Announced<'_>,
        _now: Timestamp,
    ) -> Result<bool, DeliveryError> {
        Ok(true)
    }

    /// All of it is durable. `orders`: how many there are; `None` if the recording was known.
    fn taken_in(&self, announced: Announced<'_>, orders: Option<usize>);
}

#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Poison(#[from] Poison),
    #[error(transparent)]
    Later(#[from] DeliveryError),
}

impl From<sql::SqlError> for NotTaken {
    fn from(error: sql::SqlError) -> Self {
        Self::Later(error.into())
    }
}

/// Takes in until `shutdown`.
pub(crate) async fn run(
    role: Role,
    bus: Bus,
    list: WorkList,
    intake: impl Intake,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let outcome = tokio::select! {
            outcome = consume(role, &bus, &list, &intake) => outcome,
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "waiting for sealed recordings");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// One message after the other: what is not taken in yet waits in NATS, not here.
async fn consume(role: Role, bus: &Bus, list: &WorkList, intake: &impl Intake) -> Result<(), BusError> {
    let mut sealed = bus.sealed(role.service).await?;
    for left in sealed.handed_out().await? {
        // What is wrong with it is said when it can be answered.
        let _ = patiently(list, intake, &left).await;
    }
    loop {
        let delivery = sealed.next().await?;
        let recording = delivery.message.recording_id.clone();
        let answered = match patiently(list, intake, &delivery.message).await {
            Ok(()) => delivery.ack().await,
            Err(poison) => {
                tracing::error!(recording, reason = poison.0, "a sealed recording cannot be taken in");
                delivery.dead_letter(&poison.0).await
            }
        };
        if let Err(error) = answered {
            // It comes again and is found to be on the list.
            tracing::debug!(recording, %error, "an answer did not get through");
        }
    }
}

/// Takes it in; while the state database does not take it, later ones wait.
async fn patiently(list: &WorkList, intake: &impl Intake, sealed: &RecordingSealed) -> Result<(), Poison> {
    loop {
        match take_in(list, intake, sealed, Timestamp::now()).await {
            Ok(()) => return Ok(()),
            Err(NotTaken::Poison(poison)) => return Err(poison),
            Err(NotTaken::Later(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let recording = &sealed.recording_id;
                tracing::warn!(recording, %error, cause, "a sealed recording is taken in later");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Stores a recording's orders in one transaction. A repeat changes nothing.
async fn take_in(
    list: &WorkList,
    intake: &impl Intake,
    sealed: &RecordingSealed,
    now: Timestamp,
) -> Result<(), NotTaken> {
    let invalid = |error: domain::InvalidId| Poison(error.to_string());
    let tenant: TenantId = sealed.tenant.parse().map_err(invalid)?;
    let recording: RecordingId = sealed.recording_id.parse().map_err(invalid)?;
    let (names, payload) = intake.orders(sealed)?;
    // A destination that a rule names twice gets it once.
    let names: BTreeSet<ResourceName> =
        names.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(invalid)?;
    let order = |name| NewOrder {
        destination: Destination { tenant: tenant.clone(), name },
        recording,
        payload: payload.clone(),
    };
    let orders: Vec<NewOrder> = names.into_iter().map(order).collect();

    let announced = Announced { tenant: &tenant, recording, sealed };
    let mut tx = list.database().begin_write().await?;
    let new = intake.store_in(&mut tx, announced, now).await?;
    if new {
        list.enqueue_in(&mut tx, &orders, now).await?;
    }
    tx.commit().await.map_err(DeliveryError::from)?;
    list.announce();
    intake.taken_in(announced, new.then_some(orders.len()));
    Ok(())
}
