//! What rules counts.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

#[derive(Clone)]
pub(crate) struct Metrics {
    /// By `verdict`: `recorded`, `asks_consent`, `not_recorded`, `undecidable`.
    pub decisions: IntCounterVec,
    pub seconds: Histogram,
    pub problems: IntGauge,
    /// 1 for each incomplete target or journal that a rule names.
    pub incomplete: IntGaugeVec,
    /// Requests to the API, by `operation`, `transport` (`http`, `grpc`) and `status`.
    pub requests: IntCounterVec,
    /// Users whose logging on or off is known.
    pub memberships: IntGauge,
    /// 1 while run-time state is followed.
    pub state_current: IntGauge,
}

/// A decision costs microseconds; more than some milliseconds would be heard in the announcement.
const BUCKETS: [f64; 8] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1];

impl Metrics {
    /// Error: the names are taken, because there are two of this service in one registry.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = Opts::new("callseal_rules_decisions_total", "Calls that rules was asked about");
        let seconds = HistogramOpts::new("callseal_rules_decision_seconds", "From request to decision");
        let metrics = Self {
            decisions: IntCounterVec::new(decisions, &["verdict"])?,
            seconds: Histogram::with_opts(seconds.buckets(BUCKETS.to_vec()))?,
            problems: IntGauge::new(
                "callseal_rules_configuration_problems",
                "What is wrong in the configuration folder now; the log says each with file and line",
            )?,
            incomplete: IntGaugeVec::new(
                Opts::new(
                    "callseal_rules_incomplete_targets",
                    "1 for each incomplete target or journal that a rule names; /readyz says what it lacks",
                ),
                &["tenant", "rule", "kind", "target"],
            )?,
            requests: IntCounterVec::new(
                Opts::new("callseal_rules_api_requests_total", "Requests to the control API"),
                &["operation", "transport", "status"],
            )?,
            memberships: IntGauge::new(
                "callseal_rules_memberships",
                "Users of groups who are known to have logged on or off",
            )?,
            state_current: IntGauge::new(
                "callseal_rules_state_current",
                "1 while run-time state is followed in NATS KV, 0 while it may be outdated",
            )?,
        };
        // A verdict that has not occurred yet is 0, not absent: alerts rely on it.
        for verdict in ["recorded", "asks_consent", "not_recorded", "undecidable"] {
            metrics.decisions.with_label_values(&[verdict]);
        }
        registry.register(Box::new(metrics.decisions.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.problems.clone()))?;
        registry.register(Box::new(metrics.incomplete.clone()))?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.memberships.clone()))?;
        registry.register(Box::new(metrics.state_current.clone()))?;
        Ok(metrics)
    }
}
