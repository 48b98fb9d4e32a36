//! A recording under hold or retention cannot be deleted by any path.

use std::sync::Arc;

use harness::wait;
use wire::{
    archive_v1::{Between, place_hold::Over},
    delivery_v1::{Change, ChangeRequest, ChangeResponse, ListDestinationsRequest, ListDestinationsResponse},
    recording_v1::{JournalRow, RecordingSealed},
};

use crate::{
    desk::{ask_release, confirm, confirm_release, deletion, deletions, holds, place, request, withdraw},
    log::Log,
    scene::{
        SOON, announce, files_of, folder, hours, recording, rule, until_brought, until_done,
        until_retention_has_looked,
    },
    world::{PATIENCE, World},
};

fn is_whole(world: &World, sealed: &RecordingSealed) -> bool {
    files_of(world, "data/first", sealed) == sealed.files.len()
}

async fn change(world: &World, change: Change) -> ChangeResponse {
    let request = ChangeRequest {
        tenant: "acme".into(),
        name: "first".into(),
        change: change.into(),
        reason: "to be rid of it".into(),
        by: "mallory".into(),
        ..Default::default()
    };
    let subject = bus::subjects::change_destination("shipper");
    world.bus.request(&subject, &request, PATIENCE).await.unwrap()
}

#[tokio::test]
async fn no_path_deletes_a_recording_before_its_retention_as_it_was_sealed_has_ended() {
    let first = folder("first", "allowed");
    let world = World::new(&format!("{first}{}", rule("{years: 10}"))).await;
    let log = Log::start(&world.bus).await;
    let shipper = world.shipper(SOON);
    let kept = recording(&world, &["first"], "regulated", hours(1));
    let for_ever = recording(&world, &["first"], "regulated", 0);
    // Its retention as sealed has ended, and its rule says longer now.
    let longer = recording(&world, &["first"], "regulated", hours(-1));
    // A word in the message that the signer never writes.
    let forged = RecordingSealed { erasable: true, ..recording(&world, &["first"], "regulated", hours(1)) };
    let manual = recording(&world, &["first"], "manual", hours(1));
    let all = [&kept, &for_ever, &longer, &forged, &manual];
    for sealed in all {
        announce(&world, sealed).await;
    }
    for sealed in all {
        until_brought(&world, "data/first", sealed).await;
    }
    let bus = &world.bus;
    for (sealed, why) in [
        (&kept, "has to be kept until"),
        (&for_ever, "has to be kept for ever"),
        (&longer, "has to be kept until"),
        (&forged, "has to be kept until"),
        (&manual, "has to be kept until"),
    ] {
        // One person, and two.
        let answer = request(bus, sealed, "anna").await;
        assert!(answer.problem.contains(why), "{}", answer.problem);
    }
    for number in 0..20 {
        let answer = confirm(bus, number, "berta").await;
        assert!(answer.problem.contains("no open request"), "{}", answer.problem);
    }
    // Giving up orders concerns what is orphaned; these are there.
    assert_eq!(change(&world, Change::Abandon).await.orders, 0);
    // A shorter retention, and none of the rule at all, change nothing; nor does the target's absence.
    for resources in [format!("{first}{}", rule("{days: 1}")), first.clone(), String::new(), first] {
        world.configure(&resources);
        if resources.is_empty() {
            wait::until("the target to be away", PATIENCE, || async {
                let subject = bus::subjects::destinations("shipper");
                let told: ListDestinationsResponse =
                    world.bus.request(&subject, &ListDestinationsRequest::default(), PATIENCE).await.ok()?;
                (!told.destinations.iter().any(|it| it.name == "first" && it.configured)).then_some(())
            })
            .await
            .unwrap();
        } else {
            assert!(request(bus, &kept, "anna").await.problem.contains("has to be kept until"));
            until_retention_has_looked(&world).await;
        }
        for sealed in [&kept, &for_ever, &forged, &manual] {
            assert!(is_whole(&world, sealed), "{resources}");
        }
    }
    drop(shipper);
    let _shipper = world.shipper(SOON);
    until_retention_has_looked(&world).await;
    for sealed in [&kept, &for_ever, &forged, &manual] {
        assert!(is_whole(&world, sealed));
        assert!(!log.entries().iter().any(|entry| entry.recording == sealed.recording_id));
    }
}

#[tokio::test]
async fn no_path_deletes_a_recording_under_a_hold_whatever_that_is_over() {
    let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let bus = &world.bus;
    // Its retention ends when it is announced: the holds are there before.
    let due = recording(&world, &["first"], "regulated", hours(-1));
    let other_rule =
        RecordingSealed { rule: "sales".into(), ..recording(&world, &["first"], "consent", hours(-1)) };
    let row = JournalRow { call_id: "a84b4c76e66710@pbx".into(), ..JournalRow::default() };
    let of_call = RecordingSealed { row: Some(row), ..recording(&world, &["first"], "regulated", hours(-1)) };
    let early = RecordingSealed {
        started_unix_ms: hours(-144),
        ..recording(&world, &["first"], "regulated", hours(-1))
    };
    let between = Between { from_unix_ms: hours(-145), to_unix_ms: hours(-143) };
    let mut placed = Vec::new();
    for over in [
        Over::RecordingId(due.recording_id.clone()),
        Over::Rule("sales".into()),
        Over::CallId("a84b4c76e66710@pbx".into()),
        Over::Between(between),
    ] {
        let answer = place(bus, over).await;
        assert_eq!((answer.problem.as_str(), answer.holds.len(), answer.begun.len()), ("", 1, 0));
        placed.push(answer.holds[0].hold);
    }
    let all = [&due, &other_rule, &of_call, &early];
    for sealed in all {
        announce(&world, sealed).await;
        until_brought(&world, "data/first", sealed).await;
    }
    until_retention_has_looked(&world).await;
    for (sealed, hold) in all.into_iter().zip(&placed) {
        let answer = request(bus, sealed, "anna").await;
        assert!(answer.problem.contains(&format!("legal hold {hold} is over it")), "{}", answer.problem);
        assert!(is_whole(&world, sealed));
        // Its release needs two people, and one is not two.
        assert!(confirm_release(bus, *hold, "berta").await.problem.contains("nobody has asked"));
        assert_eq!(ask_release(bus, *hold, "Anna").await.problem, "");
        let same = confirm_release(bus, *hold, " anna ").await.problem;
        assert!(same.contains("a second person"), "{same}");
        assert!(request(bus, sealed, "anna").await.problem.contains("legal hold"));
    }
    assert!(
        log.entries().iter().all(|entry| all.iter().all(|sealed| sealed.recording_id != entry.recording))
    );
    assert!(
        holds(bus, false).await.holds.iter().all(|hold| hold.recordings == 1 && hold.release_by == "Anna")
    );
    for hold in &placed {
        let released = confirm_release(bus, *hold, "berta").await;
        assert_eq!((released.problem.as_str(), released.holds[0].confirmed_by.as_str()), ("", "berta"));
        // Once.
        assert!(confirm_release(bus, *hold, "berta").await.problem.contains("no hold of this number"));
    }
    // Nothing stands against it any more, and nobody need wait for the next look.
    for sealed in all {
        until_done(&world, sealed).await;
        assert_eq!(files_of(&world, "data/first", sealed), 0);
    }
}

#[tokio::test]
async fn a_hold_that_comes_between_the_entry_and_the_removal_keeps_every_file_until_it_is_released() {
    let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let due = recording(&world, &["first"], "regulated", hours(-1));
    let id = due.recording_id.clone();
    // The signer answers when the hold stands.
    let before = move |bus| -> futures::future::BoxFuture<'static, ()> {
        let id = id.clone();
        Box::pin(async move {
            let answer = place(&bus, Over::RecordingId(id.clone())).await;
            assert_eq!((answer.problem.as_str(), answer.begun.as_slice()), ("", [id].as_slice()));
        })
    };
    let log = Log::start_with(&world.bus, Arc::new(before)).await;
    let shipper = world.shipper(SOON);
    announce(&world, &due).await;
    let waits = || async {
        let found = deletions(&world.bus, &due).await;
        found.into_iter().find(|it| it.state == "logged" && it.problem.contains("legal hold 1 is over it"))
    };
    wait::until("the deletion to wait for the hold", PATIENCE, waits).await.unwrap();
    assert!(is_whole(&world, &due));
    // Nor does a restart go on with it.
    drop(shipper);
    world
        .stored(
            "UPDATE archive_deletions SET next_at = 0, problem = '' WHERE recording = $1 RETURNING recording",
            &due.recording_id,
        )
        .await;
    let _shipper = world.shipper(SOON);
    wait::until("the deletion to wait for the hold", PATIENCE, waits).await.unwrap();
    assert!(is_whole(&world, &due));
    assert_eq!(ask_release(&world.bus, 1, "anna").await.problem, "");
    assert_eq!(confirm_release(&world.bus, 1, "berta").await.problem, "");
    until_done(&world, &due).await;
    assert_eq!((files_of(&world, "data/first", &due), log.entries().len()), (0, 1));
}

#[tokio::test]
async fn a_recording_by_consent_is_erased_on_request_when_two_people_answer_for_it() {
    let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{years: 10}"))).await;
    let log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let bus = &world.bus;
    let sealed = recording(&world, &["first"], "consent", hours(24));
    // Nobody knows it yet.
    assert!(request(bus, &sealed, "anna").await.problem.contains("knows no such recording"));
    announce(&world, &sealed).await;
    until_brought(&world, "data/first", &sealed).await;

    let asked = request(bus, &sealed, "anna").await.deletions[0].deletion;
    assert!(request(bus, &sealed, "berta").await.problem.contains("is open already"));
    assert!(confirm(bus, asked, "ANNA").await.problem.contains("a second person"));
    assert!(confirm(bus, asked, "").await.problem.contains("who asks"));
    assert_eq!(withdraw(bus, asked, "anna").await.deletions[0].state, "withdrawn");
    assert!(confirm(bus, asked, "berta").await.problem.contains("no open request"));
    until_retention_has_looked(&world).await;
    assert!(is_whole(&world, &sealed));

    let asked = request(bus, &sealed, "anna").await.deletions[0].deletion;
    // A hold that came since stands against it.
    assert_eq!(place(bus, Over::RecordingId(sealed.recording_id.clone())).await.problem, "");
    assert!(confirm(bus, asked, "berta").await.problem.contains("legal hold"));
    let hold = holds(bus, false).await.holds[0].hold;
    ask_release(bus, hold, "dora").await;
    confirm_release(bus, hold, "berta").await;
    assert_eq!(confirm(bus, asked, "berta").await.deletions[0].state, "marked");
    let done = until_done(&world, &sealed).await;
    assert_eq!((done.requested_by.as_str(), done.confirmed_by.as_str()), ("anna", "berta"));
    assert_eq!(files_of(&world, "data/first", &sealed), 0);
    let entry = log.entries().into_iter().find(|entry| entry.recording == sealed.recording_id).unwrap();
    assert_eq!(entry.reason, "erasure request of 12 November (asked for by anna, confirmed by berta)");
    assert_eq!(entry.by, "anna and berta");
    assert!(request(bus, &sealed, "anna").await.problem.contains("is deleted already"));
    // What is no request is refused in words.
    let empty = wire::archive_v1::DeletionRequest { what: None };
    let answer: wire::archive_v1::DeletionResponse =
        bus.request(bus::subjects::SHIPPER_DELETION, &empty, PATIENCE).await.unwrap();
    assert!(answer.problem.contains("what is wanted"));
    let all = wire::archive_v1::ListDeletions { all: true, ..Default::default() };
    let all = deletion(bus, wire::archive_v1::deletion_request::What::List(all)).await;
    assert!(all.deletions.len() >= 3);
}
