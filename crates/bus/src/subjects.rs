//! The subjects of the bus. All tokens are validated ids, so none can hold a dot or a wildcard.

use domain::{NodeId, RecordingId, TenantId, partition::partition_of};
use sha2::Digest;
use wire::{event_v1::Event, recording_v1::RecordingSealed};

/// Request/reply: ingest asks rules for a decision (`rules_v1::DecideRequest`).
pub const RULES_DECIDE: &str = "rpc.rules.decide";

/// Request/reply: ingest hands over what a consent call came to (`rules_v1::StoreConsentRequest`).
pub const RULES_STORE_CONSENT: &str = "rpc.rules.store-consent";

/// Request/reply: the command line hands over a new signing key (`evidence_v1::ChangeKeyRequest`).
pub const SIGNER_CHANGE_KEY: &str = "rpc.signer.change-key";

/// Request/reply: somebody answers for an entry of a log (`evidence_v1::NoteRequest`).
pub const SIGNER_NOTE: &str = "rpc.signer.note";

/// Request/reply: how the logs stand (`evidence_v1::LogStateRequest`).
pub const SIGNER_LOG_STATE: &str = "rpc.signer.log-state";

/// Stands where a message has no id that could be a token.
const NONE: &str = "_";

/// Where a call's messages go: `calls.<partition>.<tenant>.<recording>`.
pub fn call(tenant: &TenantId, recording: &RecordingId) -> String {
    format!("calls.{:02}.{tenant}.{recording}", partition_of(tenant, recording))
}

/// Where an ingest node says to a partition that it started: `calls.<partition>._node.<node>`.
pub fn node(partition: u16, node: &NodeId) -> String {
    format!("calls.{partition:02}._node.{node}")
}

/// Request/reply: rules tells every live leg of a call something (`rules_v1::CallControl`). The PBX's
/// call id may hold anything and may lead to a person: its hash stands in its place.
pub fn control(tenant: &TenantId, call_id: &str) -> String {
    format!("control.{tenant}.{}", call_token(call_id))
}

/// A PBX's call id as a token of subjects and keys: the first 32 hex digits of its SHA-256.
pub fn call_token(call_id: &str) -> String {
    let hash = sha2::Sha256::digest(call_id.as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything of one partition.
pub fn partition(partition: u16) -> String {
    format!("calls.{partition:02}.>")
}

/// What of a partition belongs to one tenant: `calls.<partition>.<tenant>.*`.
pub fn partition_of_tenant(partition: u16, tenant: &TenantId) -> String {
    format!("calls.{partition:02}.{tenant}.*")
}

/// Where a sealed recording is announced: `sealed.<tenant>.<recording>`.
pub fn sealed(sealed: &RecordingSealed) -> String {
    format!("sealed.{}.{}", tenant_token(&sealed.tenant), recording_token(&sealed.recording_id))
}

/// Where an event goes: `events.<tenant>.<recording>`.
pub fn event(event: &Event) -> String {
    format!("events.{}.{}", tenant_token(&event.tenant), recording_token(&event.recording_id))
}

/// Events of one tenant, or of all.
pub fn events_of(tenant: Option<&TenantId>) -> String {
    tenant.map_or_else(|| "events.>".to_owned(), |tenant| format!("events.{tenant}.>"))
}

/// Events of one recording, of whatever tenant.
pub fn events_of_recording(recording: &RecordingId) -> String {
    format!("events.*.{recording}")
}

/// Request/reply: what waits where (`delivery_v1::ListDestinationsRequest`), of a service that delivers.
pub fn destinations(service: &str) -> String {
    format!("rpc.{service}.destinations")
}

/// Request/reply: where recordings are (`delivery_v1::ListShipmentsRequest`), of a service that delivers.
pub fn shipments(service: &str) -> String {
    format!("rpc.{service}.shipments")
}

/// Request/reply: what the shipper's sweep found (`delivery_v1::SweepRequest`).
pub const SHIPPER_SWEEP: &str = "rpc.shipper.sweep";

/// Request/reply: legal holds (`archive_v1::HoldRequest`).
pub const SHIPPER_HOLD: &str = "rpc.shipper.hold";

/// Request/reply: deletions that two people answer for (`archive_v1::DeletionRequest`).
pub const SHIPPER_DELETION: &str = "rpc.shipper.deletion";

/// Request/reply: a person's wish about a destination (`delivery_v1::ChangeRequest`).
pub fn change_destination(service: &str) -> String {
    format!("rpc.{service}.change")
}

/// Where poison of a stream is kept: `dead.<stream>`.
pub fn dead(stream: &str) -> String {
    format!("dead.{stream}")
}

fn tenant_token(text: &str) -> &str {
    if text.parse::<TenantId>().is_ok() { text } else { NONE }
}

fn recording_token(text: &str) -> &str {
    if text.parse::<RecordingId>().is_ok() { text } else { NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_to_its_partition_under_tenant_and_recording() {
        let tenant: TenantId = "acme".parse().unwrap();
        let recording: RecordingId = "01949c3e-7a5b-7000-8000-000000000001".parse().unwrap();
        let partition = partition_of(&tenant, &recording);
        assert_eq!(call(&tenant, &recording), format!("calls.{partition:02}.acme.{recording}"));
        assert_eq!(node(3, &"node-1".parse().unwrap()), "calls.03._node.node-1");
    }

    #[test]
    fn a_call_id_of_any_form_makes_a_token() {
        let tenant: TenantId = "acme".parse().unwrap();
        assert_eq!(control(&tenant, "a.b > *@pbx"), "control.acme.f2feb8a07973828bbcc67e4dfb627b2a");
        assert_ne!(call_token("1"), call_token("2"));
    }

    #[test]
    fn an_id_that_is_no_token_cannot_break_a_subject() {
        let event_ = Event { tenant: "a.b >".into(), recording_id: String::new(), ..Default::default() };
        assert_eq!(event(&event_), "events._._");
    }
}
