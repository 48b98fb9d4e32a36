//! The words of Callseal as types: ids, call facts, decisions and the validated resources.
//!
//! Plain values only: no I/O, no clock, no tokio. Everything that identifies a person is a
//! [`Sensitive`] value, so that it cannot reach a log by accident.

pub mod call;
pub mod consent;
pub mod decision;
pub mod ids;
pub mod partition;
pub mod resources;
pub mod sensitive;

pub use call::{CallFacts, Party, Side};
pub use consent::{AskedBy, Consent, ConsentMode, ConsentOutcome, ConsentSource};
pub use decision::{
    AnnouncementPlayed, Channels, Class, ConsentAsked, Decision, Direction, NotRecorded, Override, Recorded,
    StopKeys, Verdict,
};
pub use ids::{EpochId, InvalidId, Lane, NodeId, RecordingId, ResourceName, TenantId};
pub use sensitive::Sensitive;
