//! One piece of work.

use domain::RecordingId;

use crate::Destination;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for its turn, or for its next attempt.
    Queued,
    /// A worker has it, under a lease.
    Running,
    /// Carried out.
    Done,
    /// Given up for now because the record itself is at fault; a person has to look.
    SetAside,
    /// Its destination is not in the configuration any more.
    Orphaned,
    /// Given up for good by a person, after it was orphaned.
    Abandoned,
}

impl State {
    /// All states, in the order of an order's life.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Done, Self::SetAside, Self::Orphaned, Self::Abandoned];

    /// The word in the database and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::SetAside => "set_aside",
            Self::Orphaned => "orphaned",
            Self::Abandoned => "abandoned",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// An order to be put on the list.
#[derive(Clone)]
pub struct NewOrder {
    /// Where to.
    pub destination: Destination,
    /// What for.
    pub recording: RecordingId,
    /// What the worker needs; may hold numbers, so it is wiped when the order is done.
    pub payload: Vec<u8>,
}

/// An order in the hands of a worker.
#[derive(Clone)]
pub struct Order {
    /// Where to.
    pub destination: Destination,
    /// What for.
    pub recording: RecordingId,
    /// What the worker needs. Sensitive.
    pub payload: Vec<u8>,
    /// How often it was tried before.
    pub attempts: u32,
    /// Which place its files go to, in the service's own words; see [`at_place`](Self::at_place).
    pub(crate) place: String,
    /// Position in the list: the order of arrival.
    pub(crate) position: i64,
    /// Which claim this is: a later claim of the same order makes this one void.
    pub(crate) claim: i64,
}

impl Order {
    /// The same order on its way to this place: what is known of its files holds for that place alone. A
    /// destination may be described anew between two attempts, and what was verified at the old place is
    /// not at the new one.
    #[must_use]
    pub fn at_place(&self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self.clone() }
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Order({} for {}, {} earlier attempts)", self.recording, self.destination, self.attempts)
    }
}
