//! What people ask of the shipper, over NATS as the command line does.

use bus::{
    Bus,
    subjects::{SHIPPER_DELETION, SHIPPER_HOLD},
};
use wire::{
    archive_v1::{
        ConfirmDeletion, ConfirmRelease, Deletion, DeletionRequest, DeletionResponse, HoldRequest,
        HoldResponse, ListDeletions, ListHolds, PlaceHold, ReleaseHold, RequestDeletion, WithdrawDeletion,
        deletion_request::What as AboutDeletion, hold_request::What as AboutHold, place_hold::Over,
    },
    recording_v1::RecordingSealed,
};

use crate::world::PATIENCE;

pub async fn hold(bus: &Bus, what: AboutHold) -> HoldResponse {
    bus.request(SHIPPER_HOLD, &HoldRequest { what: Some(what) }, PATIENCE).await.unwrap()
}

pub async fn deletion(bus: &Bus, what: AboutDeletion) -> DeletionResponse {
    bus.request(SHIPPER_DELETION, &DeletionRequest { what: Some(what) }, PATIENCE).await.unwrap()
}

pub async fn place(bus: &Bus, over: Over) -> HoldResponse {
    let place = PlaceHold {
        tenant: "acme".into(),
        over: Some(over),
        reason: "proceedings 12 of 2026".into(),
        by: "carla".into(),
    };
    hold(bus, AboutHold::Place(place)).await
}

pub async fn holds(bus: &Bus, released: bool) -> HoldResponse {
    hold(bus, AboutHold::List(ListHolds { tenant: "acme".into(), released })).await
}

pub async fn ask_release(bus: &Bus, hold_: u64, by: &str) -> HoldResponse {
    let reason = "settled out of court".to_owned();
    hold(bus, AboutHold::Release(ReleaseHold { hold: hold_, reason, by: by.into() })).await
}

pub async fn confirm_release(bus: &Bus, hold_: u64, by: &str) -> HoldResponse {
    hold(bus, AboutHold::Confirm(ConfirmRelease { hold: hold_, by: by.into() })).await
}

pub async fn request(bus: &Bus, sealed: &RecordingSealed, by: &str) -> DeletionResponse {
    let request = RequestDeletion {
        tenant: sealed.tenant.clone(),
        recording_id: sealed.recording_id.clone(),
        reason: "erasure request of 12 November".into(),
        by: by.into(),
    };
    deletion(bus, AboutDeletion::Request(request)).await
}

pub async fn confirm(bus: &Bus, deletion_: u64, by: &str) -> DeletionResponse {
    deletion(bus, AboutDeletion::Confirm(ConfirmDeletion { deletion: deletion_, by: by.into() })).await
}

pub async fn withdraw(bus: &Bus, deletion_: u64, by: &str) -> DeletionResponse {
    deletion(bus, AboutDeletion::Withdraw(WithdrawDeletion { deletion: deletion_, by: by.into() })).await
}

/// Everything that the shipper knows of deletions of a recording.
pub async fn deletions(bus: &Bus, sealed: &RecordingSealed) -> Vec<Deletion> {
    let recording_id = sealed.recording_id.clone();
    let list = ListDeletions { tenant: "acme".into(), recording_id, all: true };
    let answer = deletion(bus, AboutDeletion::List(list)).await;
    assert_eq!(answer.problem, "");
    answer.deletions
}
