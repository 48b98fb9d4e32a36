//! What an operator sees of the bus in Prometheus.

use std::collections::HashMap;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tracing::warn;

/// Counters of one connection to the bus; the label `client` is its name.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub connected: IntGauge,
    pub sync_always: IntGauge,
    pub published: IntCounter,
    pub acked: IntCounter,
    pub in_flight: IntGauge,
    pub spooled_records: IntCounter,
    pub spooled_bytes: IntCounter,
    pub spool_size_bytes: IntGauge,
    pub spool_damaged: IntCounter,
    pub set_aside: IntCounter,
    pub lost: IntCounter,
    pub dead_letters: IntCounterVec,
    pub events_dropped: IntCounter,
    pub requests_undecodable: IntCounter,
}

impl Metrics {
    pub fn new(client: &str) -> Self {
        let opts = |name: &str, help: &str| {
            let labels = HashMap::from([("client".to_owned(), client.to_owned())]);
            Opts::new(format!("callseal_bus_{name}"), help).const_labels(labels)
        };
        let counter = |name, help| IntCounter::with_opts(opts(name, help)).expect("constant names are valid");
        let gauge = |name, help| IntGauge::with_opts(opts(name, help)).expect("constant names are valid");
        Self {
            connected: gauge("connected", "1 while there is a connection to NATS"),
            sync_always: gauge(
                "sync_always",
                "1 if NATS writes to disk before it acknowledges, 0 if not, -1 unknown",
            ),
            published: counter("published_total", "Call messages handed to NATS, repetitions included"),
            acked: counter("acked_total", "Call messages that JetStream has acknowledged"),
            in_flight: gauge("in_flight", "Call messages on their way to JetStream"),
            spooled_records: counter("spooled_records_total", "Call messages written to the local spool"),
            spooled_bytes: counter("spooled_bytes_total", "Bytes written to the local spool"),
            spool_size_bytes: gauge("spool_size_bytes", "Bytes that lie in the local spool or wait for it"),
            spool_damaged: counter("spool_damaged_total", "Damaged places found in the local spool"),
            set_aside: counter(
                "spool_set_aside_total",
                "Call messages JetStream will never take, kept as files",
            ),
            lost: counter("lost_total", "Call messages given up because neither NATS nor the disk took them"),
            dead_letters: IntCounterVec::new(
                opts("dead_letters_total", "Messages moved to the stream DEAD"),
                &["stream"],
            )
            .expect("constant names are valid"),
            events_dropped: counter("events_dropped_total", "Events given up because their queue was full"),
            requests_undecodable: counter("requests_undecodable_total", "Requests that could not be read"),
        }
    }

    pub fn register(&self, registry: &Registry) {
        let all: [Box<dyn prometheus::core::Collector>; 14] = [
            Box::new(self.connected.clone()),
            Box::new(self.sync_always.clone()),
            Box::new(self.published.clone()),
            Box::new(self.acked.clone()),
            Box::new(self.in_flight.clone()),
            Box::new(self.spooled_records.clone()),
            Box::new(self.spooled_bytes.clone()),
            Box::new(self.spool_size_bytes.clone()),
            Box::new(self.spool_damaged.clone()),
            Box::new(self.set_aside.clone()),
            Box::new(self.lost.clone()),
            Box::new(self.dead_letters.clone()),
            Box::new(self.events_dropped.clone()),
            Box::new(self.requests_undecodable.clone()),
        ];
        for collector in all {
            if let Err(error) = registry.register(collector) {
                warn!(%error, "a metric of the bus is not shown: two connections with the same name");
            }
        }
    }
}
