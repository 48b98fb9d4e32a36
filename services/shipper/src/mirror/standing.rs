//! How far a mirror is: metrics, and events when it is late.

use std::time::{Duration, Instant};

use delivery::{Destination, Reporter};
use jiff::Timestamp;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

/// What keeps a mirror from going on.
#[derive(Debug)]
pub struct Trouble {
    /// What is wrong and what to do; without file names.
    pub problem: String,
    /// Time alone does not mend it.
    pub needs_person: bool,
    /// The target holds a state of the log that ours does not continue.
    pub forked: bool,
}

/// The metrics of all mirrors.
#[derive(Clone)]
pub struct Gauges {
    entries: IntGaugeVec,
    complete: GaugeVec,
    forked: IntGaugeVec,
}

impl Gauges {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labels = &["tenant", "destination"];
        let entries = IntGaugeVec::new(
            Opts::new(
                "callseal_shipper_log_entries",
                "Entries of the tenant's transparency log that lie in the target, under a signed checkpoint.",
            ),
            labels,
        )?;
        let complete = GaugeVec::new(
            Opts::new(
                "callseal_shipper_log_complete_timestamp_seconds",
                "When the transparency log in the target was last seen to be complete, Unix time.",
            ),
            labels,
        )?;
        let forked = IntGaugeVec::new(
            Opts::new(
                "callseal_shipper_log_not_continued",
                "1 while the target holds a state of the transparency log that the signer's log does not continue.",
            ),
            labels,
        )?;
        registry.register(Box::new(forked.clone()))?;
        registry.register(Box::new(entries.clone()))?;
        registry.register(Box::new(complete.clone()))?;
        Ok(Self { entries, complete, forked })
    }

    /// A target is not in use any more.
    pub fn forget(&self, destination: &Destination) {
        let labels = [destination.tenant.as_str(), destination.name.as_str()];
        // An error means that nothing was measured yet.
        let _unmeasured = self.entries.remove_label_values(&labels);
        let _unmeasured = self.complete.remove_label_values(&labels);
        let _unmeasured = self.forked.remove_label_values(&labels);
    }
}

/// How one mirror stands.
pub struct Standing {
    destination: Destination,
    gauges: Gauges,
    reporter: Reporter,
    late_after: Duration,
    behind_since: Option<Instant>,
    told: bool,
    told_forked: bool,
}

impl Standing {
    /// Nothing is known yet.
    pub const fn new(
        destination: Destination,
        gauges: Gauges,
        reporter: Reporter,
        late_after: Duration,
    ) -> Self {
        Self {
            destination,
            gauges,
            reporter,
            late_after,
            behind_since: None,
            told: false,
            told_forked: false,
        }
    }

    /// The log in staging is further than the target.
    pub fn behind(&mut self) {
        self.behind_since.get_or_insert_with(Instant::now);
    }

    /// The target holds all of it, so many entries.
    pub fn complete(&mut self, entries: u64) {
        let labels = [self.destination.tenant.as_str(), self.destination.name.as_str()];
        self.gauges.entries.with_label_values(&labels).set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.gauges.complete.with_label_values(&labels).set(Timestamp::now().as_millisecond() as f64 / 1e3);
        self.gauges.forked.with_label_values(&labels).set(0);
        self.behind_since = None;
        self.told_forked = false;
        if std::mem::take(&mut self.told) {
            tracing::info!(destination = %self.destination, "the transparency log in the target is complete again");
            self.tell("the transparency log in it is complete again", false);
        }
    }

    /// It could not be brought. Somebody is told once: at once when a person is needed, else when it is
    /// late; and of a fork also when something else was told before.
    pub fn failed(&mut self, trouble: &Trouble) {
        if trouble.forked {
            let labels = [self.destination.tenant.as_str(), self.destination.name.as_str()];
            self.gauges.forked.with_label_values(&labels).set(1);
        }
        let late = self.behind_since.is_some_and(|since| since.elapsed() >= self.late_after);
        let told = if trouble.forked { self.told_forked } else { self.told };
        if told || !(late || trouble.needs_person) {
            tracing::debug!(destination = %self.destination, problem = trouble.problem, "the log is brought later");
            return;
        }
        self.told = true;
        self.told_forked |= trouble.forked;
        let problem = &trouble.problem;
        tracing::warn!(destination = %self.destination, problem, "the transparency log in the target is behind");
        let text = format!(
            "the transparency log in it is behind, so that nobody can check this archive for completeness; recordings are \
             not held up: {problem}"
        );
        self.tell(&text, true);
    }

    fn tell(&self, text: &str, will_retry: bool) {
        let place = self.reporter.place(&self.destination);
        self.reporter.fault(&self.destination.tenant, None, &place, text, will_retry);
    }
}
