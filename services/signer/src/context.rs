//! What every task of the signer works with.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bus::{Bus, with_sources};
use domain::{Class, TenantId, resources::Retention};
use jiff::tz::TimeZone;
use tokio::sync::Notify;
use wire::event_v1::{Event, Fault, event::What};

use crate::{
    Options,
    key::KeyRing,
    log::Logs,
    metrics::Metrics,
    staging::Staging,
    state::{State, StateError, log::LogHead},
};

/// By tenant, rule and class.
pub type RetentionOf = dyn Fn(&TenantId, &str, Class) -> Option<Retention> + Send + Sync;

/// What the configuration says of a tenant now that is fixed in what is sealed.
pub struct OfTenants {
    /// Its time zone; UTC for a tenant that configuration does not know.
    pub time_zone: Box<dyn Fn(&TenantId) -> TimeZone + Send + Sync>,
    /// How long the recordings of a rule are kept, by class; `None`: for ever, also where there is no such rule.
    pub retention: Box<RetentionOf>,
}

/// Shared by the tasks of one running signer.
pub struct Context {
    /// Settings.
    pub options: Options,
    /// The bus.
    pub bus: Bus,
    /// The state database.
    pub state: State,
    /// The staging folder.
    pub staging: Staging,
    /// The keys that sign.
    pub keys: KeyRing,
    /// What the configuration says of tenants.
    pub of_tenants: OfTenants,
    /// Metrics.
    pub metrics: Metrics,
    /// What the tasks of the logs share.
    pub logs: Logs,
    /// Rings when a recording was put into the seal queue.
    pub to_seal: Notify,
    /// Rings when a signed checkpoint covers rows of the outbox.
    pub to_announce: Notify,
    /// Since when there is a connection to the bus; `None`: there is none.
    connected_since: Mutex<Option<Instant>>,
}

impl Context {
    /// Puts it together.
    pub fn new(
        options: Options,
        bus: Bus,
        state: State,
        staging: Staging,
        keys: KeyRing,
        of_tenants: OfTenants,
        metrics: Metrics,
    ) -> Self {
        Self {
            options,
            bus,
            state,
            staging,
            keys,
            of_tenants,
            metrics,
            logs: Logs::default(),
            to_seal: Notify::new(),
            to_announce: Notify::new(),
            connected_since: Mutex::new(None),
        }
    }

    /// The log of a tenant; made when there is none.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub async fn log_of(&self, tenant: &TenantId) -> Result<LogHead, StateError> {
        self.state.ensure_log(tenant, self.options.installation.as_str()).await
    }

    /// The bus did not answer although it is connected: its time begins anew.
    pub fn bus_failed(&self, now: Instant) {
        *self.connected_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// How long the bus has been connected without a break that anybody noticed; `None`: it isn't.
    pub fn connected_for(&self, now: Instant) -> Option<Duration> {
        let mut since = self.connected_since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bus.is_connected() {
            Some(now.saturating_duration_since(*since.get_or_insert(now)))
        } else {
            since.take().and(None)
        }
    }

    /// Tells people what happened to a recording.
    pub fn event(&self, tenant: &str, recording_id: &str, what: What) {
        self.bus.event(Event {
            recording_id: recording_id.to_owned(),
            tenant: tenant.to_owned(),
            at_unix_us: unix_us(),
            service: "signer".to_owned(),
            what: Some(what),
        });
    }

    /// Counts, logs and reports a fault that is tried again.
    pub fn fault(
        &self,
        stage: &'static str,
        tenant: &str,
        recording_id: &str,
        error: &dyn std::error::Error,
    ) {
        let problem = with_sources(error);
        self.metrics.faults.with_label_values(&[stage]).inc();
        tracing::error!(stage, recording = recording_id, error = problem, "will be tried again");
        let fault = Fault { r#where: format!("signer/{stage}"), problem, will_retry: true };
        self.event(tenant, recording_id, What::Fault(fault));
    }
}

/// What is said of a fault that is over, in its place: whoever mails people about it waits for that.
pub const WORKS_AGAIN: &str = "works again";

/// The clock, Unix microseconds.
pub fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
