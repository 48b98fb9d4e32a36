//! What need not be kept any more.

use std::fs;

use harness::sshd::Sshd;
use wire::event_v1::event::What;

use crate::{
    desk::deletions,
    log::Log,
    scene::{
        SOON, announce, files_of, folder, hours, id, recording, rule, until_brought, until_done,
        until_retention_has_looked,
    },
    world::{World, files_below, sftp},
};

#[tokio::test]
async fn what_need_not_be_kept_any_more_goes_from_every_target_after_its_entry_in_the_log() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let remote = sftp(&sshd, &sshd.host_key("ed25519").unwrap())
        .replace("spec: {sftp", "spec: {deletion: allowed, sftp");
    let mut world = World::new(&format!("{}{remote}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    let shipper = world.shipper(SOON);
    let kept = recording(&world, &["first", "remote"], "regulated", hours(1));
    let due = recording(&world, &["first", "remote"], "regulated", hours(-1));
    announce(&world, &kept).await;
    announce(&world, &due).await;
    let told = |what| match what {
        What::Removed(removed) => Some(removed),
        _ => None,
    };
    let removed = world.event("the removal", told).await;
    let done = until_done(&world, &due).await;
    until_brought(&world, "data/first", &kept).await;
    assert_eq!(files_of(&world, "data/first", &due), 0);
    let remote = files_below(&sshd.home().join("archive"));
    assert_eq!(remote.iter().filter(|name| name.contains(&due.recording_id)).count(), 0);
    assert_eq!(remote.iter().filter(|name| name.contains(&kept.recording_id)).count(), kept.files.len());

    // One entry: everywhere, since its retention ended, by no person.
    let entries = log.entries();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.recording.as_str(), entry.targets.len()), (due.recording_id.as_str(), 0));
    assert!(entry.reason.starts_with("retention ended 20"), "{}", entry.reason);
    assert_eq!((entry.by.as_str(), removed.by.as_str()), ("retention", "retention"));
    assert_eq!((done.cause.as_str(), done.log_entry, removed.log_entry), ("retention", 0, 0));
    // Announced once more, as after a loss of the stream's memory: it does not come back.
    let prefix = world.path("staging").join(&due.staging_prefix);
    fs::create_dir_all(&prefix).unwrap();
    announce(&world, &due).await;
    until_retention_has_looked(&world).await;
    assert_eq!(files_of(&world, "data/first", &due), 0);
    // The index keeps no name of a file: they hold numbers.
    drop(shipper);
    let rows =
        world.stored("SELECT stored_name FROM archive_files WHERE recording = $1", &due.recording_id).await;
    assert!(!rows.is_empty() && rows.iter().all(String::is_empty), "{rows:?}");
    let rows =
        world.stored("SELECT reason FROM archive_recordings WHERE recording = $1", &due.recording_id).await;
    assert_eq!(rows, std::slice::from_ref(&entry.reason));
}

#[tokio::test]
async fn nothing_goes_before_the_signer_has_written_the_entry() {
    let mut world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let _shipper = world.shipper(SOON);
    let due = recording(&world, &["first"], "regulated", hours(-1));
    announce(&world, &due).await;
    until_brought(&world, "data/first", &due).await;
    // A signer that refuses, and says why.
    let refusing = Log::refusing(&world.bus, "the log of acme is halted").await;
    let told = |what| match what {
        What::Fault(fault) if fault.r#where == "deletion" => Some(fault.problem),
        _ => None,
    };
    let problem = world.event("the fault", told).await;
    assert!(problem.contains("the log of acme is halted"), "{problem}");
    let [waiting] = deletions(&world.bus, &due).await.try_into().unwrap();
    assert_eq!(waiting.state, "marked");
    assert_eq!(files_of(&world, "data/first", &due), due.files.len());
    refusing.stop().await;
    let log = Log::start(&world.bus).await;
    until_done(&world, &due).await;
    assert_eq!((files_of(&world, "data/first", &due), log.entries().len()), (0, 1));
}

#[tokio::test]
async fn nothing_goes_before_a_checkpoint_covers_the_entry() {
    let mut world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    log.sign(false);
    let _shipper = world.shipper(SOON);
    let due = recording(&world, &["first"], "regulated", hours(-1));
    announce(&world, &due).await;
    let told = |what| match what {
        What::Fault(fault) if fault.r#where == "deletion" => Some(fault.problem),
        _ => None,
    };
    let problem = world.event("the fault", told).await;
    assert!(problem.contains("is not signed yet"), "{problem}");
    assert_eq!((files_of(&world, "data/first", &due), log.entries().len()), (due.files.len(), 1));
    log.sign(true);
    until_done(&world, &due).await;
    assert_eq!((files_of(&world, "data/first", &due), log.entries().len()), (0, 1));
}

#[tokio::test]
async fn an_archive_that_is_not_mounted_is_not_taken_for_one_without_the_recording() {
    let mut world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    log.sign(false);
    let _shipper = world.shipper(SOON);
    let due = recording(&world, &["first"], "regulated", hours(-1));
    announce(&world, &due).await;
    until_brought(&world, "data/first", &due).await;
    // The mount goes, and what is left of it is an empty folder.
    let (there, away) = (world.path("data/first"), world.path("elsewhere"));
    fs::rename(&there, &away).unwrap();
    fs::create_dir(&there).unwrap();
    log.sign(true);
    let told = |what| match what {
        What::Fault(fault) if fault.problem.contains("is it mounted") => Some(fault.problem),
        _ => None,
    };
    let problem = world.event("the fault", told).await;
    assert!(problem.contains("target first: is empty"), "{problem}");
    fs::remove_dir_all(&there).unwrap();
    fs::rename(&away, &there).unwrap();
    until_done(&world, &due).await;
    assert_eq!(files_of(&world, "data/first", &due), 0);
}

#[tokio::test]
async fn a_target_that_never_deletes_keeps_its_copy_and_the_log_names_the_others() {
    let resources =
        format!("{}{}{}", folder("first", "allowed"), folder("second", "never"), rule("{days: 1}"));
    let world = World::new(&resources).await;
    let log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let both = recording(&world, &["first", "second"], "regulated", hours(-1));
    let never = recording(&world, &["second"], "regulated", hours(-1));
    announce(&world, &both).await;
    announce(&world, &never).await;
    let done = until_done(&world, &both).await;
    assert_eq!(done.targets, ["first"]);
    until_brought(&world, "data/second", &never).await;
    until_retention_has_looked(&world).await;
    assert_eq!(files_of(&world, "data/first", &both), 0);
    for sealed in [&both, &never] {
        assert_eq!(files_of(&world, "data/second", sealed), sealed.files.len());
    }
    let entry = log.entries().into_iter().find(|entry| entry.recording == both.recording_id).unwrap();
    assert_eq!(entry.targets, ["first"]);
    assert!(!log.entries().iter().any(|entry| entry.recording == never.recording_id));
    let tombstones = "SELECT CAST(count(*) AS TEXT) FROM archive_recordings WHERE deleted_at IS NOT NULL AND recording = $1";
    assert_eq!(world.stored(tombstones, &both.recording_id).await, ["0"]);
}

#[tokio::test]
async fn what_lies_in_staging_alone_is_deleted_there() {
    let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let (due, kept) =
        (recording(&world, &[], "regulated", hours(-1)), recording(&world, &[], "regulated", 0));
    announce(&world, &kept).await;
    announce(&world, &due).await;
    until_done(&world, &due).await;
    assert!(!world.is_staged(&due) && world.is_staged(&kept));
    assert_eq!(log.entries().len(), 1);
    assert_eq!(id(&due).to_string(), log.entries()[0].recording);
}
