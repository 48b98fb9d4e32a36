//! Events: what happened to a call, for people and for the log. They never hold up a call.

use std::{pin::Pin, time::Duration};

use async_nats::jetstream::{self, message::PublishMessage};
use domain::TenantId;
use futures::{Stream, StreamExt, stream::FuturesUnordered};
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};
use wire::event_v1::Event;

use crate::{
    Bus, BusError,
    link::Link,
    metrics::Metrics,
    store::{ACK_TIMEOUT, store},
    streams, subjects,
};

/// Events that wait while NATS is away; more are dropped and counted.
const QUEUE: usize = 8_192;
const IN_FLIGHT: usize = 64;
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The queue in front of the stream EVENTS.
pub(crate) struct EventQueue {
    queue: mpsc::Sender<Item>,
}

enum Item {
    Event(Box<Event>),
    /// Answered when all events before it are acknowledged.
    Flush(oneshot::Sender<()>),
}

impl EventQueue {
    pub fn start(context: jetstream::Context, link: watch::Receiver<Link>, metrics: Metrics) -> Self {
        let (queue, items) = mpsc::channel(QUEUE);
        tokio::spawn(forward(context, link, metrics, items));
        Self { queue }
    }
}

impl Bus {
    /// Tells what happened. Returns at once; in the background it is sent until it is acknowledged.
    /// When too many wait the event is dropped and counted.
    pub fn event(&self, event: Event) {
        if self.inner.events.queue.try_send(Item::Event(Box::new(event))).is_err() {
            self.metrics().events_dropped.inc();
        }
    }

    /// Waits until the events given so far are acknowledged, at most `timeout`. Whether they are.
    pub async fn events_flushed(&self, timeout: Duration) -> bool {
        let (done, flushed) = oneshot::channel();
        let flush =
            async { self.inner.events.queue.send(Item::Flush(done)).await.is_ok() && flushed.await.is_ok() };
        tokio::time::timeout(timeout, flush).await.unwrap_or(false)
    }

    /// Events from now on, of one tenant or of all, as they come; for live views. What happens
    /// while the connection is away is not shown later.
    ///
    /// Error: the subscription could not be made.
    pub async fn events_from_now(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Pin<Box<dyn Stream<Item = Event> + Send>>, BusError> {
        let client = self.client();
        let subscription = client
            .subscribe(subjects::events_of(tenant))
            .await
            .map_err(|e| BusError::jetstream("listen for events", e))?;
        // From the return of this call on nothing is missed.
        let _ = tokio::time::timeout(Duration::from_secs(5), client.flush()).await;
        Ok(Box::pin(subscription.filter_map(|message| async move { Event::decode(message.payload).ok() })))
    }
}

async fn forward(
    context: jetstream::Context,
    link: watch::Receiver<Link>,
    metrics: Metrics,
    mut items: mpsc::Receiver<Item>,
) {
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = sending.next() => {}
            item = items.recv(), if sending.len() < IN_FLIGHT => match item {
                Some(Item::Event(event)) => sending.push(send(&context, link.clone(), &metrics, *event)),
                Some(Item::Flush(done)) => {
                    while sending.next().await.is_some() {}
                    let _ = done.send(());
                }
                None => break,
            },
        }
    }
    while sending.next().await.is_some() {}
}

async fn send(
    context: &jetstream::Context,
    mut link: watch::Receiver<Link>,
    metrics: &Metrics,
    event: Event,
) {
    let subject = subjects::event(&event);
    let id = uuid::Uuid::now_v7().to_string();
    let payload = bytes::Bytes::from(event.encode_to_vec());
    let mut warned = false;
    loop {
        if link.wait_for(|link| link.connected).await.is_err() {
            metrics.events_dropped.inc();
            return;
        }
        let message = PublishMessage::build().message_id(&id).payload(payload.clone());
        match store(context, link.clone(), streams::EVENTS, &subject, message, ACK_TIMEOUT).await {
            Ok(_) => return,
            Err(BusError::TooLarge { .. }) => {
                metrics.events_dropped.inc();
                warn!("an event is too large for NATS and was dropped");
                return;
            }
            Err(error) if !warned => {
                warned = true;
                warn!(%error, "an event could not be stored; trying on");
            }
            Err(error) => debug!(%error, "an event could not be stored yet"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
