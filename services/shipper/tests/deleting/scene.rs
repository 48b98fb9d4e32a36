//! A shipper that keeps and deletes, its targets and its rule.

use domain::RecordingId;
use harness::wait;
use jiff::{SignedDuration, Timestamp};
use wire::recording_v1::RecordingSealed;

use crate::{
    desk::deletions,
    world::{PATIENCE, World, files_below},
};

/// Flags by which what is due is found at once.
pub const SOON: &[&str] = &["--retention-every", "0.1", "--compare-every", "0.1"];

/// The same, and nobody opens a file of a target but for its deletion.
pub const UNWATCHED: &[&str] = &["--retention-every", "0.1", "--compare-every", "3600"];

/// The target `name`, in a folder of that name, with this word for `deletion`.
pub fn folder(name: &str, deletion: &str) -> String {
    format!(
        "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: {name}, namespace: acme}}\n\
         spec: {{subFolder: \"$Y\", deletion: {deletion}, folder: {{path: {name}}}}}\n"
    )
}

/// The rule `desk` with this retention.
pub fn rule(retention: &str) -> String {
    format!(
        "---\nkind: RecordingRule\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: desk, namespace: acme}}\n\
         spec: {{profile: legalDuty, scope: all, targets: [], retention: {retention}}}\n"
    )
}

/// Milliseconds from now, backwards if negative.
pub fn hours(hours: i64) -> i64 {
    (Timestamp::now() + SignedDuration::from_hours(hours)).as_millisecond()
}

/// A sealed recording of the rule `desk` that is kept until then, not announced yet.
pub fn recording(world: &World, targets: &[&str], class: &str, keep_until_unix_ms: i64) -> RecordingSealed {
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

pub async fn announce(world: &World, sealed: &RecordingSealed) {
    world.bus.publish_sealed(sealed).await.unwrap();
}

pub fn id(sealed: &RecordingSealed) -> RecordingId {
    sealed.recording_id.parse().unwrap()
}

/// The files of a recording below a folder.
pub fn files_of(world: &World, folder: &str, sealed: &RecordingSealed) -> usize {
    let all = files_below(&world.path(folder));
    all.iter().filter(|name| name.contains(&sealed.recording_id)).count()
}

pub async fn until(what: &str, is: impl Fn() -> bool) {
    wait::until(what, PATIENCE, || async { is().then_some(()) }).await.unwrap();
}

pub async fn until_brought(world: &World, folder: &str, sealed: &RecordingSealed) {
    until("it to be brought", || {
        files_of(world, folder, sealed) == sealed.files.len() && !world.is_staged(sealed)
    })
    .await;
}

pub async fn until_done(world: &World, sealed: &RecordingSealed) -> wire::archive_v1::Deletion {
    wait::until("its deletion to be done", PATIENCE, || async {
        deletions(&world.bus, sealed).await.into_iter().find(|deletion| deletion.state == "done")
    })
    .await
    .unwrap()
}

/// Retention has looked at everything that was due until now: a recording that came last is deleted.
pub async fn until_retention_has_looked(world: &World) {
    // Of a rule that is gone: what was sealed counts.
    let canary =
        RecordingSealed { rule: "former".into(), ..recording(world, &["first"], "regulated", hours(-1)) };
    announce(world, &canary).await;
    until_done(world, &canary).await;
}
