//! From the stream SEALED onto the work list.
//!
//! A message is acknowledged when its orders are committed. Crash before: it is delivered again.
//! Crash between: it is delivered again, and found to be on the list.
//!
//! The list has the order of sealing: what is announced together is taken in together, in one transaction,
//! however long that takes, and what an earlier process had at hand when it was killed comes before anything
//! new. Where a list is [in order](crate::WorkList::in_order), so does what another replica has at hand now:
//! both take it in, and the list has it once.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusError, Delivery};
use domain::{RecordingId, ResourceName, TenantId};
use futures::future;
use jiff::Timestamp;
use sql::Transaction;
use tokio_util::sync::CancellationToken;
use wire::recording_v1::RecordingSealed;

use crate::{DeliveryError, Destination, NewOrder, Role, WorkList};

/// Pause when the state database does not take an order.
const RETRY: Duration = Duration::from_secs(2);

/// So many announcements are taken in in one transaction, if they are there. Some are long: those of long
/// calls with many gaps.
const MOST_TOGETHER: usize = 32;

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

/// One batch after the other: what is not taken in yet waits in NATS, not here.
async fn consume(role: Role, bus: &Bus, list: &WorkList, intake: &impl Intake) -> Result<(), BusError> {
    let mut sealed = bus.sealed(role.service).await?;
    let left = sealed.handed_out().await?;
    for some in left.chunks(MOST_TOGETHER) {
        // What is wrong with one is said when it can be answered.
        let _ = patiently(list, intake, &some.iter().collect::<Vec<_>>()).await;
    }
    let mut seen = Seen::default();
    loop {
        let deliveries = sealed.next_some(MOST_TOGETHER).await?;
        let mut with_others = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let others = match seen.gap_before(delivery.sequence, delivery.attempt) {
                Some(after) if list.in_order => sealed.not_acknowledged(after, delivery.sequence).await?,
                _ => Vec::new(),
            };
            with_others.push((others, delivery));
        }
        let in_order =
            with_others.iter().flat_map(|(others, delivery)| others.iter().chain([&delivery.message]));
        let mut outcomes = patiently(list, intake, &in_order.collect::<Vec<_>>()).await.into_iter();
        let answers = with_others.into_iter().filter_map(|(others, delivery)| {
            // What another replica has at hand, that one answers.
            outcomes.nth(others.len()).map(|outcome| answer(delivery, outcome))
        });
        future::join_all(answers).await;
    }
}

/// The newest sequence of the stream that came here.
#[derive(Debug, Default)]
struct Seen(u64);

impl Seen {
    /// Notes one that came. If others came before it that did not come here: the sequence that they came after.
    fn gap_before(&mut self, sequence: u64, attempt: u64) -> Option<u64> {
        if attempt == 1 && sequence <= self.0 {
            // NATS has lost the stream, and counts from the beginning.
            self.0 = 0;
        }
        let after = self.0;
        self.0 = after.max(sequence);
        (sequence > after + 1).then_some(after)
    }
}

/// Answers an announcement once it is taken in, or can never be.
async fn answer(delivery: Delivery, outcome: Result<(), Poison>) {
    let recording = delivery.message.recording_id.clone();
    let answered = match outcome {
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

/// Takes them in, in their order; while the state database does not take them, later ones wait. Of each,
/// whether it can be taken in at all.
async fn patiently(
    list: &WorkList,
    intake: &impl Intake,
    together: &[&RecordingSealed],
) -> Vec<Result<(), Poison>> {
    let announced: Vec<_> = together.iter().map(|sealed| Readable::new(intake, sealed)).collect();
    let readable: Vec<_> = announced.iter().filter_map(|announced| announced.as_ref().ok()).collect();
    while let Err(error) = take_in(list, intake, &readable, Timestamp::now()).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let recordings = readable.len();
        tracing::warn!(recordings, %error, cause, "sealed recordings are taken in later");
        tokio::time::sleep(RETRY).await;
    }
    announced.into_iter().map(|announced| announced.map(drop)).collect()
}

/// An announcement that can be taken in.
struct Readable<'a> {
    tenant: TenantId,
    recording: RecordingId,
    sealed: &'a RecordingSealed,
    orders: Vec<NewOrder>,
}

impl<'a> Readable<'a> {
    fn new(intake: &impl Intake, sealed: &'a RecordingSealed) -> Result<Self, Poison> {
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
        let orders = names.into_iter().map(order).collect();
        Ok(Self { tenant, recording, sealed, orders })
    }

    fn announced(&self) -> Announced<'_> {
        Announced { tenant: &self.tenant, recording: self.recording, sealed: self.sealed }
    }
}

/// Stores the orders of all of them in one transaction. A repeat changes nothing.
async fn take_in(
    list: &WorkList,
    intake: &impl Intake,
    together: &[&Readable<'_>],
    now: Timestamp,
) -> Result<(), DeliveryError> {
    if together.is_empty() {
        return Ok(());
    }
    let mut new = Vec::with_capacity(together.len());
    let mut tx = list.database().begin_write().await?;
    for one in together {
        let is_new = intake.store_in(&mut tx, one.announced(), now).await?;
        if is_new {
            list.enqueue_in(&mut tx, &one.orders, now).await?;
        }
        new.push(is_new);
    }
    tx.commit().await?;
    list.announce();
    for (one, is_new) in together.iter().zip(new) {
        intake.taken_in(one.announced(), is_new.then_some(one.orders.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_elsewhere_is_missed_also_when_the_stream_begins_anew() {
        let mut seen = Seen::default();
        let mut gap = |sequence, attempt| seen.gap_before(sequence, attempt);
        assert_eq!([gap(1, 1), gap(2, 1), gap(5, 1), gap(6, 1)], [None, None, Some(2), None]);
        // What comes again tells nothing new.
        assert_eq!([gap(4, 2), gap(7, 1)], [None, None]);
        assert_eq!([gap(1, 1), gap(2, 1), gap(4, 1)], [None, None, Some(2)]);
        assert_eq!([gap(3, 1), gap(4, 1)], [Some(0), None], "anew once more");
    }
}
