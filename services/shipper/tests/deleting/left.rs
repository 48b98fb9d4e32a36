//! What a target got before it was given up stays there, and nothing says otherwise.

use bus::subjects;
use harness::wait;
use wire::delivery_v1::{
    Change, ChangeRequest, ChangeResponse, ListDestinationsRequest, ListDestinationsResponse,
};

use crate::{
    log::Log,
    scene::{SOON, announce, files_of, folder, hours, recording, rule, until_done},
    world::{PATIENCE, World},
};

#[tokio::test]
async fn a_deletion_names_where_files_stay_that_an_order_left_before_it_was_given_up() {
    let world = World::new(&format!("{}{}", folder("old", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    let (both, alone) = (
        recording(&world, &["old", "first"], "regulated", hours(-1)),
        recording(&world, &["first"], "regulated", hours(-1)),
    );
    announce(&world, &both).await;
    // Its sound stands there, verified, and that is noted; no more of it comes.
    let mut shipper = world.shipper(&[SOON, &["--fail-at", "file-noted"]].concat());
    wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
        .await
        .unwrap();
    let left = files_of(&world, "data/old", &both);
    assert!(left > 0);

    world.configure(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}")));
    let _shipper = world.shipper(&[SOON, &["--orphan-after", "0.1"]].concat());
    announce(&world, &alone).await;
    wait::until("the order to be orphaned", PATIENCE, || async {
        let subject = subjects::destinations("shipper");
        let told: ListDestinationsResponse =
            world.bus.request(&subject, &ListDestinationsRequest::default(), PATIENCE).await.ok()?;
        let old = told.destinations.into_iter().find(|it| it.name == "old")?;
        old.waiting.iter().any(|waiting| waiting.state == "orphaned").then_some(())
    })
    .await
    .unwrap();
    let request = ChangeRequest {
        tenant: "acme".into(),
        name: "old".into(),
        change: Change::Abandon.into(),
        reason: "sold".into(),
        by: "jane".into(),
        ..Default::default()
    };
    let subject = subjects::change_destination("shipper");
    let answer: ChangeResponse = world.bus.request(&subject, &request, PATIENCE).await.unwrap();
    assert_eq!((answer.error.as_str(), answer.orders), ("", 1));

    let done = until_done(&world, &both).await;
    until_done(&world, &alone).await;
    assert_eq!((files_of(&world, "data/old", &both), files_of(&world, "data/first", &both)), (left, 0));
    assert!(!world.is_staged(&both));
    let entry = |id: &str| log.entries().into_iter().find(|entry| entry.recording == id).unwrap();
    let entry_of_both = entry(&both.recording_id);
    assert_eq!(entry_of_both.targets, ["first"]);
    let said = "; files stay where it was given up: old";
    assert!(entry_of_both.reason.ends_with(said) && done.reason.ends_with(said), "{entry_of_both:?}");
    let tombstone = "SELECT reason FROM archive_recordings WHERE deleted_at IS NOT NULL AND recording = $1";
    assert_eq!(world.stored(tombstone, &both.recording_id).await, [entry_of_both.reason]);
    // Of one that went nowhere else nothing is left, and that is said.
    assert_eq!(entry(&alone.recording_id).targets, [""; 0]);
}
