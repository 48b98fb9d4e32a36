//! One step of a call: what happened, and what is to be done about it.

use domain::{Consent, Decision, ResourceName, Side};
use wire::call_v1::{CallChanged, CallEnded, StartedBy, StoppedBy, call_message::Body};

use crate::media::chunk::RawChunk;

/// What happened. Times are Unix time, microseconds.
#[derive(Debug)]
pub enum Input {
    /// Packets came.
    Heard(RawChunk),
    /// Rules, or the tenant's `whenUndecided`, decided.
    Decided {
        /// What.
        decision: Decision,
        /// When.
        at_unix_us: i64,
    },
    /// Facts or streams changed.
    Changed(CallChanged),
    /// All that arrived until then has been heard.
    Time(i64),
    /// There is no more memory for what waits for consent.
    MemorySpent,
    /// Somebody stops the recording; all that arrived until then has been heard.
    Stop {
        /// Who.
        by: StoppedBy,
        /// When.
        at_unix_us: i64,
    },
    /// A user starts a recording.
    Start {
        /// How.
        decision: Decision,
        /// Who, and when.
        by: StartedBy,
    },
    /// The sides that are the tenant's own by the facts as they are now.
    OwnSides(Vec<Side>),
    /// Somebody else is on this side; all that was said before has been heard.
    Newcomer(Side),
    /// Signalling is over and the sockets are empty and closed: nothing more will be heard.
    Ended(CallEnded),
}

/// What is to be done, in this order.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives for one step, and almost always is the large variant")]
pub enum Effect {
    /// What follows is another recording: it needs an id and a writer of its own.
    NextRecording,
    /// Send this to the bus.
    Send(Body),
    /// This holds now: tell it as an event.
    Settled(Box<Decision>),
    /// The question for consent was answered in this call: tell it as an event.
    Answered {
        /// The answer.
        consent: Box<Consent>,
        /// The rule that asks.
        rule: ResourceName,
        /// The further legs of the call need it too: hand it to rules.
        is_final: bool,
    },
    /// The recording was stopped: tell it as an event.
    Stopped(StoppedBy),
    /// Throw away whatever comes from now on.
    DiscardMedia,
    /// Take what comes again.
    ResumeMedia,
    /// The call is finished.
    Finish,
}
