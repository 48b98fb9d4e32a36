//! The storage's own lock, set by the shipper: it keeps a recording also from a shipper that is mistaken.

use harness::{moto::Moto, wait};
use jiff::Timestamp;
use wire::recording_v1::RecordingSealed;

use crate::{
    desk::deletions,
    log::Log,
    scene::{SOON, announce, hours, recording, rule, until_done},
    world::{PATIENCE, World},
};

fn bucket(moto: &Moto) -> String {
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\n\
         stringData: {{key: hunter2}}\n\
         ---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: bucket, namespace: acme}}\n\
         spec: {{subFolder: \"$Y\", deletion: allowed, s3: {{bucket: acme-archive, region: us-east-1, \
         endpoint: \"http://127.0.0.1:{}\", accessKeyId: AKIAEXAMPLE, \
         secretAccessKey: {{secretRef: {{name: login, key: key}}}}, lock: {{mode: compliance}}}}}}\n",
        moto.s3_port()
    )
}

/// The objects of a recording, as somebody else lists them.
async fn objects(moto: &Moto, sealed: &RecordingSealed) -> Vec<String> {
    let listed = moto.s3("GET", "/acme-archive?list-type=2", &[], b"").await.unwrap();
    let listed = String::from_utf8(listed).unwrap();
    let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
    keys.filter(|key| key.contains(&sealed.recording_id)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_lock_keeps_a_recording_until_its_retention_ends_whatever_the_shipper_believes() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await.unwrap();
    moto.make_bucket("acme-archive", true).await.unwrap();
    let world = World::new(&format!("{}{}", bucket(&moto), rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let soon = (Timestamp::now() + std::time::Duration::from_secs(6)).as_millisecond();
    let (kept, ends) = (
        recording(&world, &["bucket"], "regulated", hours(1)),
        recording(&world, &["bucket"], "regulated", soon),
    );
    announce(&world, &ends).await;
    announce(&world, &kept).await;
    let brought = wait::until("it to be brought", PATIENCE, || async {
        let found = objects(&moto, &kept).await;
        (found.len() == kept.files.len() && !world.is_staged(&kept)).then_some(found)
    });
    for key in brought.await.unwrap() {
        let path = format!("/acme-archive/{}", key.replace('+', "%2B"));
        let until = moto.s3_header(&path, "x-amz-object-lock-retain-until-date").await.unwrap();
        let until: Timestamp = until.expect("it is locked").parse().unwrap();
        let wanted = Timestamp::from_millisecond(kept.keep_until_unix_ms).unwrap();
        // To the second, and rather longer.
        assert!(until.duration_since(wanted).as_secs().abs() <= 1, "{until} {wanted}");
        let mode = moto.s3_header(&path, "x-amz-object-lock-mode").await.unwrap();
        assert_eq!(mode.as_deref(), Some("COMPLIANCE"));
    }
    // What is not locked any more goes by itself, and not before.
    let done = until_done(&world, &ends).await;
    assert!(done.marked_unix_ms >= soon && done.done_unix_ms >= soon, "{done:?}");
    assert!(objects(&moto, &ends).await.is_empty());

    // A mistake in the shipper's state: it believes that this one's time is over, too.
    let mistaken = "UPDATE archive_recordings SET keep_until = 1, next_look_at = 0 WHERE recording = $1 RETURNING recording";
    assert_eq!(world.stored(mistaken, &kept.recording_id).await.len(), 1);
    let refused = wait::until("the storage to refuse", PATIENCE, || async {
        let found = deletions(&world.bus, &kept).await;
        found.into_iter().find(|it| it.problem.contains("lock"))
    });
    assert_eq!(refused.await.unwrap().state, "logged");
    assert_eq!(objects(&moto, &kept).await.len(), kept.files.len());
    assert_eq!(log.entries().len(), 2);
}
