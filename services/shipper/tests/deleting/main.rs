//! Retention, holds and deletions, with the shipper as a process of its own.

mod crash;
mod desk;
mod kept;
mod log;
mod swept;
#[path = "../world/mod.rs"]
mod world;

use std::fs;

use domain::RecordingId;
use harness::{sshd::Sshd, wait};
use jiff::{SignedDuration, Timestamp};
use wire::{event_v1::event::What, recording_v1::RecordingSealed};

use self::{
    desk::deletions,
    log::Log,
    world::{PATIENCE, World, files_below, sftp},
};

/// Flags by which what is due is found at once.
const SOON: &[&str] = &["--retention-every", "0.1", "--compare-every", "0.1"];

/// The target `name`, in a folder of that name, with this word for `deletion`.
fn folder(name: &str, deletion: &str) -> String {
    format!(
        "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: {name}, namespace: acme}}\n\
         spec: {{subFolder: \"$Y\", deletion: {deletion}, folder: {{path: {name}}}}}\n"
    )
}

/// The rule `desk` with this retention.
fn rule(retention: &str) -> String {
    format!(
        "---\nkind: RecordingRule\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: desk, namespace: acme}}\n\
         spec: {{profile: legalDuty, scope: all, targets: [], retention: {retention}}}\n"
    )
}

/// Milliseconds from now, backwards if negative.
fn hours(hours: i64) -> i64 {
    (Timestamp::now() + SignedDuration::from_hours(hours)).as_millisecond()
}

/// A sealed recording of the rule `desk` that is kept until then, not announced yet.
fn recording(world: &World, targets: &[&str], class: &str, keep_until_unix_ms: i64) -> RecordingSealed {
    RecordingSealed {
        class: class.into(),
        rule: "desk".into(),
        keep_until_unix_ms,
        erasable: class == "consent",
        // It began four days ago: a retention of one day is over, as far as the rule goes.
        started_unix_ms: hours(-96),
        ..world.prepare(targets)
    }
}

async fn announce(world: &World, sealed: &RecordingSealed) {
    world.bus.publish_sealed(sealed).await.unwrap();
}

fn id(sealed: &RecordingSealed) -> RecordingId {
    sealed.recording_id.parse().unwrap()
}

/// The files of a recording below a folder.
fn files_of(world: &World, folder: &str, sealed: &RecordingSealed) -> usize {
    let all = files_below(&world.path(folder));
    all.iter().filter(|name| name.contains(&sealed.recording_id)).count()
}

async fn until(what: &str, is: impl Fn() -> bool) {
    wait::until(what, PATIENCE, || async { is().then_some(()) }).await.unwrap();
}

async fn until_brought(world: &World, folder: &str, sealed: &RecordingSealed) {
    until("it to be brought", || {
        files_of(world, folder, sealed) == sealed.files.len() && !world.is_staged(sealed)
    })
    .await;
}

async fn until_done(world: &World, sealed: &RecordingSealed) -> wire::archive_v1::Deletion {
    wait::until("its deletion to be done", PATIENCE, || async {
        deletions(&world.bus, sealed).await.into_iter().find(|deletion| deletion.state == "done")
    })
    .await
    .unwrap()
}

/// Retention has looked at everything that was due until now: a recording that came last is deleted.
async fn until_retention_has_looked(world: &World) {
    // Of a rule that is gone: what was sealed counts.
    let canary =
        RecordingSealed { rule: "former".into(), ..recording(world, &["first"], "regulated", hours(-1)) };
    announce(world, &canary).await;
    until_done(world, &canary).await;
}

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
