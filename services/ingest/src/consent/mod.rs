//! The consent endpoint: plain calls to `sip:consent.<rule>@host` are answered, told the rule's
//! announcement and asked for a key; the answer is kept under the PBX's call id, and the call ends
//! with a BYE that says it, or goes on by REFER. `sip:announce.<rule>@host` only announces.
//!
//! ```text
//! srs ─told─► call ─steps─► dialogue          pacer: RTP to all callers, one thread
//!              │  └─ media::dtmf: keys in the caller's RTP
//!              └─ rules keeps the answer (request/reply over the bus)
//! ```

pub mod agreement;
pub mod call;
pub mod dialogue;
pub mod library;
pub mod pacer;
pub mod source;
pub mod terms;
pub mod wanted;

use bus::Bus;

use crate::metrics::Metrics;

/// What all calls to the endpoint share.
pub struct ConsentCalls {
    /// Where rules is asked to keep answers.
    pub bus: Bus,
    /// Announcements, encoded.
    pub library: library::Library,
    /// Sends them.
    pub pacer: pacer::Pacer,
    /// Counters.
    pub metrics: Metrics,
}
