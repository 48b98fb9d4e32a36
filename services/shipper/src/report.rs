//! What the shipper tells: events on the bus, without names of files.

use bus::Bus;
use delivery::{Destination, Notice, Order};
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use wire::event_v1::{Event, Fault, Shipped as ShippedEvent, event::What};

use crate::ship::Shipped;

/// Sends the shipper's events.
#[derive(Clone)]
pub struct Reporter(Bus);

impl Reporter {
    /// Onto `bus`.
    pub const fn new(bus: Bus) -> Self {
        Self(bus)
    }

    /// A target has a recording, verified.
    pub fn shipped(&self, order: &Order, shipped: &Shipped) {
        let Destination { tenant, name } = &order.destination;
        let since_sealed_ms = Timestamp::now().as_millisecond() - shipped.sealed_unix_ms;
        tracing::info!(recording = %order.recording, destination = %order.destination, since_sealed_ms, "shipped");
        let event = ShippedEvent {
            target: name.to_string(),
            verified_by: shipped.verified_by.as_str().to_owned(),
            folder: shipped.folder.clone(),
        };
        self.send(tenant, Some(order.recording), What::Shipped(event));
    }

    /// The recording's rule names no target: it stays in staging.
    pub fn no_target(&self, tenant: &TenantId, recording: RecordingId) {
        tracing::warn!(%recording, "its rule names no storage target: its files stay in staging");
        let problem = "the rule names no storage target: the files stay in staging; add a target to the rule";
        self.fault(tenant, Some(recording), "shipper", problem, false);
    }

    /// A file with the same name and another content stands at the target.
    pub fn stored_aside(&self, order: &Order) {
        tracing::warn!(recording = %order.recording, destination = %order.destination, "a different file has its name");
        let problem = "a different file of the same name stands there already; it was kept, and the recording's file got \
                       the suffix (2); look who else writes into this folder";
        self.fault(
            &order.destination.tenant,
            Some(order.recording),
            &place(&order.destination),
            problem,
            false,
        );
    }

    /// Something changed for the better or the worse.
    pub fn notice(&self, notice: Notice) {
        let (destination, recording, problem, will_retry) = match notice {
            Notice::Failing { destination, recording, problem }
            | Notice::RecordAtFault { destination, recording, problem } => {
                (destination, Some(recording), problem, true)
            }
            Notice::Recovered { destination, recording } => {
                (destination, Some(recording), "works again".to_owned(), false)
            }
            Notice::SetAside { destination, recording, problem } => {
                let problem = format!(
                    "the recording is set aside until somebody looks; it stays in staging: {problem}"
                );
                (destination, Some(recording), problem, false)
            }
            Notice::Orphaned { destination } => {
                let problem = "is not in the configuration any more; its open recordings stay in staging until it is back";
                (destination, None, problem.to_owned(), false)
            }
            Notice::Returned { destination } => {
                (destination, None, "is in the configuration again; its recordings go on".to_owned(), false)
            }
        };
        self.fault(&destination.tenant, recording, &place(&destination), &problem, will_retry);
    }

    fn fault(
        &self,
        tenant: &TenantId,
        recording: Option<RecordingId>,
        place: &str,
        problem: &str,
        will_retry: bool,
    ) {
        let fault = Fault { r#where: place.to_owned(), problem: problem.to_owned(), will_retry };
        self.send(tenant, recording, What::Fault(fault));
    }

    fn send(&self, tenant: &TenantId, recording: Option<RecordingId>, what: What) {
        self.0.event(Event {
            recording_id: recording.map(|id| id.to_string()).unwrap_or_default(),
            tenant: tenant.to_string(),
            at_unix_us: Timestamp::now().as_microsecond(),
            service: "shipper".to_owned(),
            what: Some(what),
        });
    }
}

fn place(destination: &Destination) -> String {
    format!("target {}", destination.name)
}
