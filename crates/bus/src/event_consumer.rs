//! The stream EVENTS as signer's log and the shipper's notifications read it: a durable consumer each,
//! each event acknowledged only when what follows from it is committed.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
};
use futures::StreamExt;
use prost::Message;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};
use wire::event_v1::Event;

use crate::{Bus, BusError, streams};

/// The durable consumers of EVENTS: the log, which wants all that there is, and the notifications,
/// which want to mail nobody about the time before there were any.
const READERS: [(&str, DeliverPolicy); 2] =
    [("log", DeliverPolicy::All), ("notifications", DeliverPolicy::New)];
const BATCH: usize = 256;
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// A delivery that is not acknowledged comes again after this long.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// Also what one tenant's halted log refuses counts: the others must go on meanwhile.
const MAX_ACK_PENDING: i64 = 50_000;

impl Bus {
    /// Makes the durable consumers of EVENTS that are missing. What they have seen, they know.
    pub(crate) async fn ensure_event_consumers(&self) -> Result<(), BusError> {
        for (name, deliver_policy) in READERS {
            let config = pull::Config {
                durable_name: Some(name.to_owned()),
                deliver_policy,
                ack_policy: AckPolicy::Explicit,
                ack_wait: ACK_WAIT,
                max_deliver: -1,
                max_ack_pending: MAX_ACK_PENDING,
                ..pull::Config::default()
            };
            let made = self.jetstream().create_consumer_on_stream(config, streams::EVENTS).await;
            made.map_err(|e| BusError::jetstream(format!("create the consumer {name} of EVENTS"), e))?;
        }
        Ok(())
    }

    /// All events, each until it is acknowledged, for the log. Does not need a connection yet.
    pub fn events_to_log(&self) -> EventConsumer {
        EventConsumer { bus: self.clone(), name: "log", open: None }
    }

    /// All events from the first start on, each until it is acknowledged, for those who mail people.
    /// Does not need a connection yet.
    pub fn events_to_notify(&self) -> EventConsumer {
        EventConsumer { bus: self.clone(), name: "notifications", open: None }
    }
}

/// Delivers events at least once, in the order of the stream.
pub struct EventConsumer {
    bus: Bus,
    name: &'static str,
    open: Option<pull::Stream>,
}

impl EventConsumer {
    /// The next events: waits for one, over any loss of the connection, then takes what comes within
    /// `gather`, at most `limit` in all. What cannot be read is passed over. Can be cancelled at any
    /// time: what was not returned is delivered again.
    pub async fn next(&mut self, limit: usize, gather: Duration) -> Vec<EventDelivery> {
        let mut got = Vec::new();
        let mut until: Option<Instant> = None;
        while got.len() < limit {
            let Some(open) = &mut self.open else {
                if until.is_some_and(|until| until <= Instant::now()) {
                    break;
                }
                match self.attach().await {
                    Ok(stream) => self.open = Some(stream),
                    Err(error) => {
                        debug!(%error, "cannot read EVENTS yet");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
                continue;
            };
            let next = match until {
                Some(until) => match timeout_at(until, open.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
                None => open.next().await,
            };
            match next {
                Some(Ok(message)) => {
                    if let Some(delivery) = read(message).await {
                        until.get_or_insert_with(|| Instant::now() + gather);
                        got.push(delivery);
                    }
                }
                // A missed heartbeat, a deleted consumer, a restarted server: pull anew.
                Some(Err(error)) => {
                    debug!(%error, "reading EVENTS anew");
                    self.open = None;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                None => self.open = None,
            }
        }
        got
    }

    async fn attach(&self) -> Result<pull::Stream, BusError> {
        let failed = |e: crate::BoxError| BusError::jetstream("read the stream EVENTS", e);
        let stream = self.bus.jetstream().get_stream_no_info(streams::EVENTS).await;
        let stream = stream.map_err(|e| failed(e.into()))?;
        let consumer: PullConsumer = match stream.get_consumer(self.name).await {
            Ok(consumer) => consumer,
            Err(_) => {
                self.bus.ensure_event_consumers().await?;
                stream.get_consumer(self.name).await.map_err(failed)?
            }
        };
        consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| failed(e.into()))
    }
}

/// An event that nobody can read is for nobody: it is acknowledged and said.
async fn read(message: jetstream::Message) -> Option<EventDelivery> {
    match Event::decode(message.payload.clone()) {
        Ok(event) => Some(EventDelivery { event, raw: message }),
        Err(error) => {
            warn!(%error, "an event cannot be read; it is passed over");
            if let Err(error) = message.ack().await {
                debug!(%error, "the event comes again");
            }
            None
        }
    }
}

/// An event, to be acknowledged. Dropped without that it comes again after a minute.
pub struct EventDelivery {
    /// What happened.
    pub event: Event,
    raw: jetstream::Message,
}

impl std::fmt::Debug for EventDelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventDelivery({})", self.event.recording_id)
    }
}

impl EventDelivery {
    /// What follows from it is committed, or nothing does. A lost acknowledgement only brings it again.
    pub async fn ack(self) {
        if let Err(error) = self.raw.ack().await {
            debug!(%error, "the event comes again");
        }
    }

    /// It comes again, not before `pause` has passed.
    pub async fn retry_in(self, pause: Duration) {
        if let Err(error) = self.raw.ack_with(jetstream::AckKind::Nak(Some(pause))).await {
            debug!(%error, "the event comes again by its time limit");
        }
    }
}
