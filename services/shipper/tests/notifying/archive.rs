//! Deletions that do not go on, and archives that lack a file.

use std::fs;

use domain::RecordingId;
use harness::{
    mail_sink::{MailSink, Tls},
    wait,
};
use jiff::{SignedDuration, Timestamp};
use wire::recording_v1::RecordingSealed;

use crate::{
    scene::operator,
    world::{PATIENCE, World, files_below},
};

const RESOURCES: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\n\
     metadata: {name: archive, namespace: acme}\nspec: {deletion: allowed, folder: {path: archive}}\n";

#[tokio::test]
async fn stuck_deletions_and_files_that_vanished_are_told_by_mail_and_that_they_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let world = World::new(RESOURCES).await;
    let server = format!("127.0.0.1:{}", sink.port());
    let often = ["--retention-every", "0.2", "--compare-every", "0.1"];
    let _shipper = world.shipper(&[operator(&server).as_slice(), &often].concat());
    // Nobody writes its entry into the log: there is no signer.
    let yesterday = (Timestamp::now() - SignedDuration::from_hours(24)).as_millisecond();
    let due = RecordingSealed {
        rule: "former".into(),
        keep_until_unix_ms: yesterday,
        ..world.prepare(&["archive"])
    };
    world.bus.publish_sealed(&due).await.unwrap();
    let stuck = sink.about("[acme]: deletions do not go on").await.unwrap();
    let text = stuck.field("text");
    assert!(text.contains("the signer does not write its deletion into the log"), "{text}");
    assert!(text.contains("One deletion waits") && text.contains("callseal delete list"), "{text}");

    let kept = world.seal(&["archive"]).await;
    let archive = world.path("data/archive");
    let audio = wait::until("it to be brought", PATIENCE, async || {
        let all = files_below(&archive);
        let brought = !world.is_staged(&kept);
        all.into_iter().find(|it| brought && it.contains(&kept.recording_id) && it.ends_with(".wav"))
    });
    let audio = archive.join(audio.await.unwrap());
    let bytes = fs::read(&audio).unwrap();
    fs::remove_file(&audio).unwrap();
    let gone =
        sink.about("[acme]: target “archive” does not hold what the archive index says").await.unwrap();
    let text = gone.field("text");
    assert!(text.contains("it is gone") && text.contains(&kept.recording_id), "{text}");
    assert!(!text.contains("4970311234"), "{text}");
    fs::write(&audio, bytes).unwrap();
    sink.about("over: target “archive” does not hold").await.unwrap();
    assert!(kept.recording_id.parse::<RecordingId>().is_ok());
}
