//! NATS JetStream for all services: subjects, streams, typed publish and consume, the spool of
//! ingest, dead letters, and a server of our own.
//!
//! An acknowledgement means *on disk*: `ensure_streams` looks whether the server syncs before it
//! acknowledges. Delivery is at least once everywhere; consumers de-duplicate by the ids in the
//! messages. Undecided audio never gets here.

mod control;
mod dead;
mod error;
mod event_consumer;
mod events;
mod history;
pub mod kv;
mod link;
mod metrics;
mod monitoring;
mod partition;
mod publisher;
mod rpc;
mod sealed;
pub mod server;
mod set_aside;
mod spool;
mod store;
pub mod streams;
pub mod subjects;

use std::sync::Arc;

use async_nats::jetstream;
use prometheus::Registry;
use tokio::sync::watch;

pub use control::{Asked, Listener};
pub use error::{BoxError, BusError, with_sources};
pub use event_consumer::{EventConsumer, EventDelivery};
pub use history::{Reach, Told};
pub use partition::{Entry, Partition, PartitionReader, Poison};
pub use publisher::{CallPublisher, CallPublisherOptions, CallWriter, Pressure};
pub use sealed::{Delivery, SealedConsumer};

use crate::{events::EventQueue, link::Link, metrics::Metrics};

/// Ordinary size of the stream CALLS, bytes.
pub const CALLS_MAX_BYTES: i64 = 4 << 30;
/// Ordinary size of the stream EVENTS, bytes. "Why is this call missing?" is asked weeks later; with
/// its trace a call has 2 to 20 KB of events.
pub const EVENTS_MAX_BYTES: i64 = 1 << 30;
const SMALLEST_STREAM: i64 = 64 << 20;

/// How to reach NATS and how to lay out its streams.
#[derive(Clone)]
pub struct BusOptions {
    /// `nats://HOST:PORT`, several separated by commas; may hold credentials and is never logged.
    pub url: String,
    /// Name of this connection, shown in NATS and as the label `client` of the metrics.
    pub name: String,
    /// Replicas of each stream: 1 for one server, 3 in a cluster.
    pub replicas: usize,
    /// Size of the stream CALLS, bytes. When it is full calls go to the spools of the ingest nodes.
    pub calls_max_bytes: i64,
    /// Size of the stream EVENTS, bytes. When it is full the oldest events go.
    pub events_max_bytes: i64,
    /// `http://HOST:PORT` of NATS' monitoring, to check `sync_interval` at `/jsz`.
    pub monitor_url: Option<String>,
}

impl std::fmt::Debug for BusOptions {
    /// Without the addresses: they may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BusOptions({}, {} replicas)", self.name, self.replicas)
    }
}

impl BusOptions {
    /// One server at `url`, streams of ordinary size, no check of `/jsz`.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            replicas: 1,
            calls_max_bytes: CALLS_MAX_BYTES,
            events_max_bytes: EVENTS_MAX_BYTES,
            monitor_url: None,
        }
    }

    /// The same with streams that leave room on a disk with `free` bytes: CALLS takes a quarter of
    /// it at most, EVENTS a sixteenth, and neither more than its ordinary size.
    pub fn within(mut self, free: u64) -> Self {
        let free = i64::try_from(free).unwrap_or(i64::MAX);
        self.calls_max_bytes = (free / 4).clamp(SMALLEST_STREAM, CALLS_MAX_BYTES);
        self.events_max_bytes = (free / 16).clamp(SMALLEST_STREAM, EVENTS_MAX_BYTES);
        self
    }
}

/// A connection to the bus; cheap to clone. It reconnects by itself for ever.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    options: BusOptions,
    client: async_nats::Client,
    jetstream: jetstream::Context,
    link: watch::Receiver<Link>,
    metrics: Metrics,
    events: EventQueue,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bus({})", self.inner.options.name)
    }
}

impl Bus {
    /// Connects to NATS. When it is away the bus is made all the same after a few seconds and goes
    /// on trying in the background for ever. Error: the address is malformed.
    pub async fn connect(options: BusOptions) -> Result<Self, BusError> {
        let (client, link) = link::open(&options).await?;
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(store::ACK_TIMEOUT)
            // Publishers bound themselves; a permit here would be held by acks that never come.
            .max_ack_inflight(1 << 16)
            .ack_timeout(std::time::Duration::from_secs(2))
            .build(client.clone());
        let metrics = Metrics::new(&options.name);
        metrics.sync_always.set(-1);
        let events = EventQueue::start(jetstream.clone(), link.clone(), metrics.clone());
        Ok(Self { inner: Arc::new(Inner { options, client, jetstream, link, metrics, events }) })
    }

    /// Whether there is a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.inner.link.borrow().connected
    }

    /// Adds the bus' metrics to what a service shows at `/metrics`. Several connections can share
    /// a registry when their names differ.
    pub fn register_metrics(&self, registry: &Registry) {
        self.inner.metrics.register(registry);
        let (mut link, connected) = (self.inner.link.clone(), self.inner.metrics.connected.clone());
        tokio::spawn(async move {
            loop {
                connected.set(i64::from(link.borrow_and_update().connected));
                if link.changed().await.is_err() {
                    break;
                }
            }
        });
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.inner.client
    }

    pub(crate) fn link(&self) -> watch::Receiver<Link> {
        self.inner.link.clone()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn options(&self) -> &BusOptions {
        &self.inner.options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_their_ordinary_size_or_a_share_of_what_is_free() {
        let sizes = |free: u64| {
            let options = BusOptions::new("nats://127.0.0.1", "test").within(free);
            (options.calls_max_bytes >> 20, options.events_max_bytes >> 20)
        };
        assert_eq!(sizes(100 << 30), (4096, 1024));
        assert_eq!(sizes(4 << 30), (1024, 256));
        assert_eq!(sizes(0), (64, 64));
    }
}
