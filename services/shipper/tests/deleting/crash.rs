//! A death after any step is repeated without harm.

use harness::wait;

use crate::{
    desk::deletions,
    log::Log,
    scene::{SOON, announce, files_of, folder, hours, recording, rule, until_done},
    world::{PATIENCE, World},
};

#[tokio::test]
async fn a_crash_after_any_step_of_a_deletion_is_repeated_and_the_log_has_one_entry() {
    for step in ["deletion-told", "deletion-logged", "file-removed", "file-removal-noted", "all-removed"] {
        let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
        let log = Log::start(&world.bus).await;
        let due = recording(&world, &["first"], "regulated", hours(-1));
        announce(&world, &due).await;
        let mut shipper = world.shipper(&[SOON, &["--fail-at", step]].concat());
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap_or_else(|error| panic!("{step}: {error}"));
        // The entry stood in the log before the first file went.
        assert_eq!(log.entries().len(), 1, "{step}");
        // The one that died has claimed it for some minutes: that time is over.
        world
            .stored(
                "UPDATE archive_deletions SET next_at = 0 WHERE recording = $1 RETURNING recording",
                &due.recording_id,
            )
            .await;
        let _shipper = world.shipper(SOON);
        let done = until_done(&world, &due).await;
        assert_eq!((files_of(&world, "data/first", &due), done.log_entry), (0, 0), "{step}");
        assert_eq!((log.entries().len(), deletions(&world.bus, &due).await.len()), (1, 1), "{step}");
    }
}
