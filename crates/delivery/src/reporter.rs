//! What a service that delivers tells: events on the bus, without numbers and file names.

use bus::Bus;
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use wire::event_v1::{Event, Fault, event::What};

use crate::{Destination, Notice, Role};

/// Sends the events of a service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    bus: Bus,
    role: Role,
}

impl Reporter {
    /// Onto `bus`, as the service of `role`.
    pub const fn new(bus: Bus, role: Role) -> Self {
        Self { bus, role }
    }

    /// Something changed for the better or the worse.
    pub fn notice(&self, notice: Notice) {
        let cargo = self.role.cargo;
        let (destination, recording, problem, will_retry) = match notice {
            Notice::Failing { destination, recording, problem }
            | Notice::RecordAtFault { destination, recording, problem } => {
                (destination, Some(recording), problem, true)
            }
            Notice::Recovered { destination, recording } => {
                (destination, Some(recording), "works again".to_owned(), false)
            }
            Notice::Incomplete { destination, problem } => {
                let problem = format!("is incomplete, and {cargo} for it wait: {problem}");
                (destination, None, problem, true)
            }
            Notice::SetAside { destination, recording, problem } => {
                let problem = format!(
                    "set aside until somebody looks; nothing of it is lost: {problem}. When it is mended: callseal retry {}",
                    destination.name
                );
                (destination, Some(recording), problem, false)
            }
            Notice::Orphaned { destination } => {
                let problem = format!(
                    "is not in the configuration any more; its open {cargo} are kept, and wait for it and for a person"
                );
                (destination, None, problem, false)
            }
            Notice::Returned { destination, orders } => {
                let problem = format!(
                    "is in the configuration again; {orders} {cargo} from before wait for a person: callseal release {}",
                    destination.name
                );
                (destination, None, problem, false)
            }
        };
        self.fault(&destination.tenant, recording, &self.place(&destination), &problem, will_retry);
    }

    /// A destination in the words of people: `target archive`.
    pub fn place(&self, destination: &Destination) -> String {
        format!("{} {}", self.role.destination, destination.name)
    }

    /// Something went wrong at `place`.
    pub fn fault(
        &self,
        tenant: &TenantId,
        recording: Option<RecordingId>,
        place: &str,
        problem: &str,
        will_retry: bool,
    ) {
        let fault = Fault { r#where: place.to_owned(), problem: problem.to_owned(), will_retry };
        self.event(tenant, recording, What::Fault(fault));
    }

    /// Something went wrong at `place` that is the installation's and no tenant's.
    pub fn fault_of_all(&self, place: &str, problem: &str) {
        let fault = Fault { r#where: place.to_owned(), problem: problem.to_owned(), will_retry: false };
        self.bus.event(Event {
            recording_id: String::new(),
            tenant: String::new(),
            at_unix_us: Timestamp::now().as_microsecond(),
            service: self.role.service.to_owned(),
            what: Some(What::Fault(fault)),
        });
    }

    /// Something happened, to a recording or to none in particular.
    pub fn event(&self, tenant: &TenantId, recording: Option<RecordingId>, what: What) {
        self.bus.event(Event {
            recording_id: recording.map(|id| id.to_string()).unwrap_or_default(),
            tenant: tenant.to_string(),
            at_unix_us: Timestamp::now().as_microsecond(),
            service: self.role.service.to_owned(),
            what: Some(what),
        });
    }
}
