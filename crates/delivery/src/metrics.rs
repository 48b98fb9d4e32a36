//! Metrics of a work list.

use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::{Backlog, Destination};

const LABELS: [&str; 2] = ["tenant", "destination"];

/// Counters and gauges of one work list; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    orders: IntGaugeVec,
    oldest: GaugeVec,
    done: IntCounterVec,
    failed: IntCounterVec,
}

impl Metrics {
    /// Registers `callseal_<service>_orders`, `_oldest_order_seconds`, `_orders_done_total` and
    /// `_attempts_failed_total`.
    ///
    /// # Errors
    /// The names are taken.
    pub fn register(service: &str, registry: &Registry) -> prometheus::Result<Self> {
        let opts = |name: &str, help: &str| Opts::new(format!("callseal_{service}_{name}"), help);
        let by_state = [LABELS[0], LABELS[1], "state"];
        let metrics = Self {
            orders: IntGaugeVec::new(
                opts("orders", "Orders that are not done, by destination and state."),
                &by_state,
            )?,
            oldest: GaugeVec::new(
                opts("oldest_order_seconds", "Age of the oldest order that is not done, by destination."),
                &LABELS,
            )?,
            done: IntCounterVec::new(
                opts("orders_done_total", "Orders carried out, by destination."),
                &LABELS,
            )?,
            failed: IntCounterVec::new(
                opts("attempts_failed_total", "Failed attempts, by destination."),
                &LABELS,
            )?,
        };
        registry.register(Box::new(metrics.orders.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        registry.register(Box::new(metrics.done.clone()))?;
        registry.register(Box::new(metrics.failed.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn done(&self, destination: &Destination) {
        self.done.with_label_values(&[destination.tenant.as_str(), destination.name.as_str()]).inc();
    }

    pub(crate) fn failed(&self, destination: &Destination) {
        self.failed.with_label_values(&[destination.tenant.as_str(), destination.name.as_str()]).inc();
    }

    pub(crate) fn show(&self, backlog: &[Backlog], now: Timestamp) {
        self.orders.reset();
        self.oldest.reset();
        for entry in backlog {
            let (tenant, name) = (entry.destination.tenant.as_str(), entry.destination.name.as_str());
            let orders = i64::try_from(entry.orders).unwrap_or(i64::MAX);
            self.orders.with_label_values(&[tenant, name, entry.state.as_str()]).set(orders);
            let age = now.duration_since(entry.oldest).as_secs_f64();
            let oldest = self.oldest.with_label_values(&[tenant, name]);
            oldest.set(oldest.get().max(age));
        }
    }
}
