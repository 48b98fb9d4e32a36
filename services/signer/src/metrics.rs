//! What the signer shows at `/metrics`.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::cost::Costs;

/// All metrics of the service.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Partitions that this replica owns.
    pub partitions: IntGauge,
    /// By partition: messages read that are not covered by the stored mark yet.
    pub unstored: IntGaugeVec,
    /// Recordings that this replica assembles.
    pub open: IntGauge,
    /// Recordings that wait for their signature.
    pub queue: IntGauge,
    /// From completion to the committed signature, seconds.
    pub seal_seconds: Histogram,
    /// One signature, verification included, seconds.
    pub sign_seconds: Histogram,
    /// Messages by what became of them.
    pub messages: IntCounterVec,
    /// Finished recordings by outcome: complete, interrupted, supplement, empty, headless.
    pub assembled: IntCounterVec,
    /// Sealed recordings.
    pub sealed: IntCounter,
    /// Keys in use that cannot sign now.
    pub keys_away: IntGauge,
    /// Signed checkpoints.
    pub checkpoints: IntCounter,
    /// Logs that must not go on.
    pub logs_halted: IntGauge,
    /// Age of the newest checkpoint, of the log where it is oldest.
    pub checkpoint_age: IntGauge,
    /// Sealed recordings that wait for a checkpoint.
    pub unannounced: IntGauge,
    /// Logs whose newest checkpoint too few witnesses have cosigned.
    pub logs_unwitnessed: IntGauge,
    /// Witnesses that did not cosign, enough others or not.
    pub witnesses_away: IntGauge,
    /// Time-stamp authorities that do not stamp.
    pub authorities_failing: IntGauge,
    /// Faults by stage: assemble, seal, key, log, outbox, leases.
    pub faults: IntCounterVec,
    /// CPU time by stage.
    pub cpu: Costs,
}

impl Metrics {
    /// Metrics that are registered in `registry`.
    ///
    /// # Errors
    /// Metrics of these names are registered already: the service runs twice in one process.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let seconds = |name: &str, help: &str| {
            Histogram::with_opts(
                HistogramOpts::new(name, help)
                    .buckets(vec![0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0]),
            )
        };
        let by = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            partitions: IntGauge::new("callseal_signer_partitions", "Partitions owned by this replica")?,
            unstored: IntGaugeVec::new(
                Opts::new(
                    "callseal_signer_unstored_sequences",
                    "Stream positions read beyond the stored mark",
                ),
                &["partition"],
            )?,
            open: IntGauge::new("callseal_signer_open_recordings", "Recordings being assembled")?,
            queue: IntGauge::new("callseal_signer_seal_queue", "Recordings waiting to be sealed")?,
            seal_seconds: seconds(
                "callseal_signer_seal_seconds",
                "From completion to the committed signature",
            )?,
            sign_seconds: seconds("callseal_signer_sign_seconds", "Time of one signature, verified")?,
            messages: by("callseal_signer_messages_total", "Messages of calls by outcome", "outcome")?,
            assembled: by("callseal_signer_assembled_total", "Finished recordings by outcome", "outcome")?,
            sealed: IntCounter::new("callseal_signer_sealed_total", "Sealed recordings")?,
            keys_away: IntGauge::new(
                "callseal_signer_keys_away",
                "Signing keys in use that cannot sign now: recordings wait",
            )?,
            checkpoints: IntCounter::new(
                "callseal_signer_log_checkpoints_total",
                "Checkpoints of logs that were signed and published",
            )?,
            logs_halted: IntGauge::new(
                "callseal_signer_log_halted",
                "Logs that must not go on: the state database is not the one they were published from",
            )?,
            checkpoint_age: IntGauge::new(
                "callseal_signer_log_checkpoint_age_seconds",
                "Age of a log's newest signed checkpoint; of all logs the greatest",
            )?,
            unannounced: IntGauge::new(
                "callseal_signer_log_unannounced",
                "Sealed recordings that are not delivered yet, since no signed checkpoint covers them",
            )?,
            logs_unwitnessed: IntGauge::new(
                "callseal_signer_log_unwitnessed",
                "Logs whose newest checkpoint fewer witnesses have cosigned than the tenant asks for",
            )?,
            witnesses_away: IntGauge::new(
                "callseal_signer_log_witnesses_away",
                "Witnesses that did not cosign the newest checkpoint of their log, also where enough others did",
            )?,
            authorities_failing: IntGauge::new(
                "callseal_signer_log_time_stamps_failing",
                "Tenants whose time-stamp authority does not stamp",
            )?,
            faults: by("callseal_signer_faults_total", "Faults by stage", "stage")?,
            cpu: Costs::register(registry)?,
        };
        registry.register(Box::new(metrics.partitions.clone()))?;
        registry.register(Box::new(metrics.unstored.clone()))?;
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.seal_seconds.clone()))?;
        registry.register(Box::new(metrics.sign_seconds.clone()))?;
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.assembled.clone()))?;
        registry.register(Box::new(metrics.sealed.clone()))?;
        registry.register(Box::new(metrics.keys_away.clone()))?;
        registry.register(Box::new(metrics.checkpoints.clone()))?;
        registry.register(Box::new(metrics.logs_halted.clone()))?;
        registry.register(Box::new(metrics.checkpoint_age.clone()))?;
        registry.register(Box::new(metrics.unannounced.clone()))?;
        registry.register(Box::new(metrics.logs_unwitnessed.clone()))?;
        registry.register(Box::new(metrics.witnesses_away.clone()))?;
        registry.register(Box::new(metrics.authorities_failing.clone()))?;
        registry.register(Box::new(metrics.faults.clone()))?;
        Ok(metrics)
    }
}
