//! What is counted of each journal: how far behind it is, what failed, and what was set aside.

use std::time::Duration;

use config::Watched;
use delivery::{Backlog, Destination, State, WorkList};
use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio_util::sync::CancellationToken;

use crate::database::ErrorKind;

/// How often the list is looked at.
const EVERY: Duration = Duration::from_secs(5);

const LABELS: [&str; 2] = ["tenant", "journal"];

/// Counters and gauges of the journals; cheap to clone.
#[derive(Debug, Clone)]
pub struct Figures {
    lag: GaugeVec,
    set_aside: IntGaugeVec,
    errors: IntCounterVec,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// The names are taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let figures = Self {
            lag: GaugeVec::new(
                Opts::new(
                    "callseal_journal_lag_seconds",
                    "How long the oldest row waits that is to be written, 0 if none does, by journal.",
                ),
                &LABELS,
            )?,
            set_aside: IntGaugeVec::new(
                Opts::new(
                    "callseal_journal_rows_set_aside",
                    "Rows that a journal refuses, set aside until somebody looks, by journal.",
                ),
                &LABELS,
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "callseal_journal_errors_total",
                    "Failed attempts to write rows, by journal and kind of fault.",
                ),
                &[LABELS[0], LABELS[1], "kind"],
            )?,
        };
        registry.register(Box::new(figures.lag.clone()))?;
        registry.register(Box::new(figures.set_aside.clone()))?;
        registry.register(Box::new(figures.errors.clone()))?;
        Ok(figures)
    }

    /// An attempt has failed.
    pub fn failed(&self, journal: &Destination, kind: ErrorKind) {
        let labels = [journal.tenant.as_str(), journal.name.as_str(), kind.as_str()];
        self.errors.with_label_values(&labels).inc();
    }

    /// Shows how the list stands, again and again until `shutdown`.
    pub async fn follow(self, list: WorkList, config: Watched, shutdown: CancellationToken) {
        loop {
            match list.backlog().await {
                Ok(backlog) => self.show(&existing(&config), &backlog, Timestamp::now()),
                Err(error) => tracing::debug!(%error, "the work list could not be looked at"),
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    fn show(&self, existing: &[Destination], backlog: &[Backlog], now: Timestamp) {
        self.lag.reset();
        self.set_aside.reset();
        for Destination { tenant, name } in existing {
            self.lag.with_label_values(&[tenant.as_str(), name.as_str()]).set(0.0);
            self.set_aside.with_label_values(&[tenant.as_str(), name.as_str()]).set(0);
        }
        for Backlog { destination, state, orders, oldest, .. } in backlog {
            let labels = [destination.tenant.as_str(), destination.name.as_str()];
            match state {
                State::Queued | State::Running => {
                    let lag = self.lag.with_label_values(&labels);
                    lag.set(lag.get().max(now.duration_since(*oldest).as_secs_f64()));
                }
                State::SetAside => {
                    let rows = i64::try_from(*orders).unwrap_or(i64::MAX);
                    self.set_aside.with_label_values(&labels).set(rows);
                }
                _ => {}
            }
        }
    }
}

/// The journals of the configuration.
fn existing(config: &Watched) -> Vec<Destination> {
    let resources = config.current();
    let of = |(tenant, resources): (&_, &domain::resources::TenantResources)| -> Vec<Destination> {
        let named =
            |name: &domain::ResourceName| Destination { tenant: Clone::clone(tenant), name: name.clone() };
        resources.journal_targets.keys().map(named).collect()
    };
    resources.tenants.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(name: &str) -> Destination {
        Destination { tenant: "acme".parse().unwrap(), name: name.parse().unwrap() }
    }

    #[test]
    fn a_row_set_aside_is_counted_and_is_no_lag() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let waiting = |name, state, orders, seconds| Backlog {
            destination: journal(name),
            state,
            orders,
            oldest: now - jiff::SignedDuration::from_secs(seconds),
            last_error: None,
        };
        let figures = Figures::register(&Registry::new()).unwrap();
        let backlog = [
            waiting("behind", State::Queued, 7, 90),
            waiting("behind", State::Running, 1, 91),
            waiting("refusing", State::SetAside, 3, 5_000),
        ];
        figures.show(&[journal("behind"), journal("refusing"), journal("idle")], &backlog, now);
        let lag = |name| figures.lag.with_label_values(&["acme", name]).get();
        let aside = |name| figures.set_aside.with_label_values(&["acme", name]).get();
        assert_eq!((lag("behind"), lag("refusing"), lag("idle")), (91.0, 0.0, 0.0));
        assert_eq!((aside("behind"), aside("refusing"), aside("idle")), (0, 3, 0));
        // What is not there any more is not shown for ever.
        figures.show(&[journal("idle")], &[], now);
        assert_eq!((lag("behind"), aside("refusing")), (0.0, 0));
    }
}
