//! How a call stands, for those who carry out and for those who ask.

use domain::Recorded;

use super::{CallState, State, Waiting};

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no decision yet.
    Undecided,
    /// Consent is waited for.
    Asking,
    /// What is heard is recorded.
    Recorded,
    /// It is not recorded.
    NotRecorded,
    /// It was recorded, until somebody stopped that.
    Stopped,
    /// It is over.
    Over,
}

impl CallState {
    /// Memory that holds audio which may not be kept yet, in bytes.
    pub fn waiting_bytes(&self) -> u64 {
        match &self.state {
            State::Undecided(waiting) => {
                let one = |item: &Waiting| if let Waiting::Heard(chunk) = item { chunk.memory() } else { 0 };
                waiting.iter().map(one).sum()
            }
            State::Asking(asking) => asking.bytes(),
            State::Recorded(_) | State::NotRecorded | State::Stopped(_) | State::Over => 0,
        }
    }

    /// When [`Input::Time`] will have something to say. Unix time, microseconds.
    pub fn deadline_unix_us(&self) -> Option<i64> {
        match &self.state {
            State::Asking(asking) => asking.deadline_unix_us(),
            State::Recorded(taking) => taking.stopped_by_keys().map(|(_, at_unix_us)| at_unix_us),
            State::Undecided(_) | State::NotRecorded | State::Stopped(_) | State::Over => None,
        }
    }

    /// How the call stands.
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Undecided(_) => Standing::Undecided,
            State::Asking(_) => Standing::Asking,
            State::Recorded(_) => Standing::Recorded,
            State::NotRecorded => Standing::NotRecorded,
            State::Stopped(_) => Standing::Stopped,
            State::Over => Standing::Over,
        }
    }

    /// How it is recorded, or was until that was stopped.
    pub fn how(&self) -> Option<&Recorded> {
        match &self.state {
            State::Recorded(taking) => Some(taking.recorded()),
            State::Stopped(recorded) => Some(recorded),
            State::Undecided(_) | State::Asking(_) | State::NotRecorded | State::Over => None,
        }
    }

    /// True while there is no decision.
    pub fn is_undecided(&self) -> bool {
        self.standing() == Standing::Undecided
    }

    /// True while what is heard is recorded.
    pub fn is_recorded(&self) -> bool {
        self.standing() == Standing::Recorded
    }
}
