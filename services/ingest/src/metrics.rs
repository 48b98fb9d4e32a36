//! What ingest counts.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::{Collector, GenericCounter},
};

/// All metrics of ingest; clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics {
    /// Calls that are being taken now, recorded or not.
    pub calls_live: IntGauge,
    /// Calls that ended, by `result`: `recorded`, `not_recorded`.
    pub calls: IntCounterVec,
    /// INVITEs that were refused, by `status`.
    pub refused: IntCounterVec,
    /// Datagrams taken from the network and kept, RTP and RTCP.
    pub datagrams: IntCounter,
    /// Datagrams of calls that are not recorded.
    pub datagrams_discarded: IntCounter,
    /// Datagrams larger than the room for one.
    pub datagrams_cut: IntCounter,
    /// Bytes of datagrams kept.
    pub bytes: IntCounter,
    /// Chunks handed to the bus.
    pub chunks: IntCounter,
    /// Datagrams that the kernel dropped because a socket's buffer was full.
    pub kernel_drops: IntCounter,
    /// Streams whose sender changed its address.
    pub source_changes: IntCounter,
    /// Open media sockets.
    pub sockets: IntGauge,
    /// How long one sweep over all sockets of a thread takes.
    pub sweep_seconds: Histogram,
    /// From INVITE to decision.
    pub decision_seconds: Histogram,
    /// Calls that rules did not decide about in time.
    pub undecided: IntCounter,
    /// Memory that holds undecided audio, bytes.
    pub undecided_bytes: IntGauge,
    /// SIP messages that could not be read or were cut.
    pub sip_malformed: IntCounter,
    /// Calls to the consent endpoint that are under way.
    pub consent_live: IntGauge,
    /// Calls to the consent endpoint that ended, by `result`: `granted`, `denied`, `no-answer`, `announced`,
    /// `hung_up`, `never_acknowledged`, `failed`.
    pub consent_calls: IntCounterVec,
    /// Packets of announcements that left more than 2 ms behind their time.
    pub announcement_packets_late: IntCounter,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// A name is registered already: there are two ingests in one registry.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let r = Registrar(registry);
        Ok(Self {
            calls_live: r.gauge("calls_live", "Calls that are being taken now, recorded or not")?,
            calls: r.counters("calls_total", "Calls that ended", "result")?,
            refused: r.counters("refused_total", "INVITEs that were refused", "status")?,
            datagrams: r.counter("datagrams_total", "Datagrams taken from the network and kept")?,
            datagrams_discarded: r
                .counter("datagrams_discarded_total", "Datagrams of calls that are not recorded")?,
            datagrams_cut: r.counter("datagrams_cut_total", "Datagrams larger than the room for one")?,
            bytes: r.counter("datagram_bytes_total", "Bytes of datagrams kept")?,
            chunks: r.counter("chunks_total", "Chunks handed to the bus")?,
            kernel_drops: r
                .counter("kernel_drops_total", "Datagrams that the kernel dropped at a full socket")?,
            source_changes: r.counter("source_changes_total", "Streams whose sender changed its address")?,
            sockets: r.gauge("sockets", "Open media sockets")?,
            sweep_seconds: r.histogram(
                "sweep_seconds",
                "Duration of a sweep over all sockets of a thread",
                SWEEP,
            )?,
            decision_seconds: r.histogram("decision_seconds", "From INVITE to decision", DECISION)?,
            undecided: r.counter("undecided_total", "Calls that rules did not decide about in time")?,
            undecided_bytes: r.gauge("undecided_bytes", "Memory that holds undecided audio")?,
            sip_malformed: r
                .counter("sip_malformed_total", "SIP messages that could not be read or were cut")?,
            consent_live: r
                .gauge("consent_calls_live", "Calls to the consent endpoint that are under way")?,
            consent_calls: r.counters(
                "consent_calls_total",
                "Calls to the consent endpoint that ended",
                "result",
            )?,
            announcement_packets_late: r.counter(
                "announcement_packets_late_total",
                "Packets of announcements that left more than 2 ms behind their time",
            )?,
        })
    }
}

const SWEEP: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];
const DECISION: &[f64] = &[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(GenericCounter::with_opts(Opts::new(name, help).namespace("callseal").subsystem("ingest"))?)
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(
            Opts::new(name, help).namespace("callseal").subsystem("ingest"),
            &[label],
        )?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::with_opts(Opts::new(name, help).namespace("callseal").subsystem("ingest"))?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let opts = HistogramOpts::new(name, help).namespace("callseal").subsystem("ingest");
        self.add(Histogram::with_opts(opts.buckets(buckets.to_vec()))?)
    }
}
