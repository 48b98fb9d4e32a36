//! What people should hear about: on change, not on each attempt.

use domain::RecordingId;

use crate::Destination;

/// Something changed for the better or the worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A destination fails, or fails in another way than before.
    Failing {
        /// Which one.
        destination: Destination,
        /// The recording it was tried with.
        recording: RecordingId,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A destination that had been failing works again.
    Recovered {
        /// Which one.
        destination: Destination,
        /// The recording that got through.
        recording: RecordingId,
    },
    /// A record is itself at fault and will be tried a few times more.
    RecordAtFault {
        /// Where it should go.
        destination: Destination,
        /// Which one.
        recording: RecordingId,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A record was tried often enough; it waits for a person.
    SetAside {
        /// Where it should have gone.
        destination: Destination,
        /// Which one.
        recording: RecordingId,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A destination with open orders is not in the configuration any more.
    Orphaned {
        /// Which one.
        destination: Destination,
    },
    /// A destination cannot be used as it is described; what is meant for it waits.
    Incomplete {
        /// Which one.
        destination: Destination,
        /// What is missing and what to do.
        problem: String,
    },
    /// A destination is in the configuration again, and orders from before wait to be released.
    Returned {
        /// Which one.
        destination: Destination,
        /// How many wait.
        orders: u64,
    },
}
