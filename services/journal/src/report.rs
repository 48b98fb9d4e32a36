//! What the journal tells: events on the bus, without numbers.

use bus::Bus;
use delivery::{Destination, Notice, Order};
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use wire::event_v1::{Event, Fault, Journalled, event::What};

/// Sends the journal's events.
#[derive(Clone)]
pub struct Reporter(Bus);

impl Reporter {
    /// Onto `bus`.
    pub const fn new(bus: Bus) -> Self {
        Self(bus)
    }

    /// A journal has the row.
    pub fn journalled(&self, order: &Order) {
        tracing::info!(recording = %order.recording, destination = %order.destination, "journalled");
        let Destination { tenant, name } = &order.destination;
        self.send(tenant, Some(order.recording), What::Journalled(Journalled { journal: name.to_string() }));
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
            Notice::SetAside { destination, recording, problem } => (
                destination,
                Some(recording),
                format!("the row is set aside until somebody looks: {problem}"),
                false,
            ),
            Notice::Orphaned { destination } => {
                let problem = "is not in the configuration any more; its open rows are kept until it is back";
                (destination, None, problem.to_owned(), false)
            }
            Notice::Returned { destination } => {
                (destination, None, "is in the configuration again; its rows go on".to_owned(), false)
            }
        };
        let place = format!("journal {}", destination.name);
        self.send(&destination.tenant, recording, What::Fault(Fault { r#where: place, problem, will_retry }));
    }

    fn send(&self, tenant: &TenantId, recording: Option<RecordingId>, what: What) {
        self.0.event(Event {
            recording_id: recording.map(|id| id.to_string()).unwrap_or_default(),
            tenant: tenant.to_string(),
            at_unix_us: Timestamp::now().as_microsecond(),
            service: "journal".to_owned(),
            what: Some(what),
        });
    }
}
