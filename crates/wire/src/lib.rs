//! Protobuf messages of the bus, generated from `proto/`, and their conversions to domain types.
//!
//! Messages that hold numbers, names or audio print nothing of them in `Debug`.

mod call;
mod control;
mod decision;
mod recording;
mod redacted;

#[expect(missing_docs, reason = "generated; the proto files hold the comments")]
#[allow(clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

/// `callseal.archive.v1`: request and reply between the command line and the shipper, about what is kept.
pub use generated::callseal::archive::v1 as archive_v1;
/// `callseal.call.v1`: the stream CALLS.
pub use generated::callseal::call::v1 as call_v1;
/// `callseal.control.v1`: what a PBX can tell and ask, over gRPC and as JSON.
pub use generated::callseal::control::v1 as control_v1;
/// `callseal.delivery.v1`: request and reply between the command line and shipper or journal.
pub use generated::callseal::delivery::v1 as delivery_v1;
/// `callseal.event.v1`: the stream EVENTS.
pub use generated::callseal::event::v1 as event_v1;
/// `callseal.evidence.v1`: request and reply between the command line and signer.
pub use generated::callseal::evidence::v1 as evidence_v1;
/// `callseal.recording.v1`: the stream SEALED.
pub use generated::callseal::recording::v1 as recording_v1;
/// `callseal.rules.v1`: request and reply between ingest and rules.
pub use generated::callseal::rules::v1 as rules_v1;
/// `callseal.state.v1`: run-time state in NATS KV.
pub use generated::callseal::state::v1 as state_v1;

pub use call::InvalidMessage;
pub use prost::Message;
