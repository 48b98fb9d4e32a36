//! Google Cloud Storage by the harness's own server, which follows Google's documents.

use std::{path::Path, time::Duration};

use domain::resources::GcsTarget;
use harness::{
    cable::Cable,
    gcs::{BUCKET, Gcs},
    wait,
};
use targets::{Content, ErrorKind, Method, ObjectStorage, Outcome, Target};

use crate::{
    bookmark::Memory,
    content::{self, bytes, content_of, read},
    either::{
        LARGE, keeps_what_stands_there, lists, refusal, refuses_what_was_not_sealed, stores_and_removes,
    },
};

const PART: usize = 8 * 1024 * 1024;

fn described(gcs: &Gcs, port: u16) -> GcsTarget {
    GcsTarget {
        bucket: BUCKET.into(),
        prefix: "callseal".into(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        service_account_key: Some(gcs.key_file().unwrap().into()),
    }
}

async fn server(dir: &Path) -> (Gcs, ObjectStorage) {
    let gcs = Gcs::start(dir).await.unwrap();
    let target = ObjectStorage::gcs(&described(&gcs, gcs.port()));
    (gcs, target)
}

/// Waits until the one upload that is under way has brought so many bytes.
async fn brought(gcs: &Gcs, bytes: usize) {
    let there = async || gcs.taken_in().first().is_some_and(|taken| *taken >= bytes).then_some(());
    wait::until("an upload under way", Duration::from_secs(60), there).await.unwrap();
}

#[tokio::test]
async fn objects_small_and_large_are_stored_verified_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    target.test().await.unwrap();
    stores_and_removes(&target, Method::ReadBack).await;
    assert!(gcs.names().is_empty() && gcs.taken_in().is_empty());
}

#[tokio::test]
async fn another_object_of_the_name_is_kept_and_what_is_replaced_is_so_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let (_gcs, target) = server(dir.path()).await;
    keeps_what_stands_there(&target).await;
}

#[tokio::test]
async fn a_listing_shows_objects_and_folders_of_one_level() {
    let dir = tempfile::tempdir().unwrap();
    let (_gcs, target) = server(dir.path()).await;
    lists(&target).await;
}

#[tokio::test]
async fn an_object_that_was_not_sealed_so_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    refuses_what_was_not_sealed(&target).await;
    assert!(gcs.taken_in().is_empty());
}

#[tokio::test]
async fn an_upload_that_was_interrupted_goes_on_after_a_restart_where_the_store_says() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, first) = server(dir.path()).await;
    let (memory, (source, opened)) = (Memory::new(), content::Breaking::never(LARGE));
    let sealed = content_of(LARGE);
    let content = Content::new(sealed.size(), *sealed.sha256(), source).with_bookmark(memory.clone());
    tokio::select! {
        biased;
        () = brought(&gcs, PART) => {}
        put = first.put("calls", "a.wav", &content) => panic!("must not have come to its end: {put:?}"),
    }
    assert!(gcs.names().is_empty());
    opened.lock().unwrap().clear();
    let second = ObjectStorage::gcs(&described(&gcs, gcs.port()));
    let put = second.put("calls", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    // Once to look at what is there already, once to go on behind it.
    let opened = opened.lock().unwrap().clone();
    assert!(opened.len() == 2 && opened[0] == 0 && opened[1] >= PART as u64, "{opened:?}");
    second.verify("calls", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(memory.text(), None);
    assert_eq!(gcs.names(), ["callseal/calls/a.wav"]);
}

#[tokio::test]
async fn a_session_that_the_store_has_forgotten_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    let memory = Memory::new();
    let content = content_of(LARGE).with_bookmark(memory.clone());
    tokio::select! {
        biased;
        () = brought(&gcs, PART) => {}
        put = target.put("calls", "a.wav", &content) => panic!("must not have come to its end: {put:?}"),
    }
    gcs.forget_sessions();
    assert_eq!(target.put("calls", "a.wav", &content).await.unwrap().outcome, Outcome::Stored);
    assert!(gcs.object("callseal/calls/a.wav").unwrap() == bytes(LARGE));
}

#[tokio::test]
async fn a_session_that_completed_without_our_hearing_of_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    let memory = Memory::new();
    let content = content_of(LARGE).with_bookmark(memory.clone());
    gcs.keep_silent_when_complete(true);
    let stored = async || gcs.object("callseal/calls/a.wav").map(|_| ());
    tokio::select! {
        stored = wait::until("the object", Duration::from_secs(60), stored) => stored.unwrap(),
        put = target.put("calls", "a.wav", &content) => panic!("has not been answered: {put:?}"),
    }
    gcs.keep_silent_when_complete(false);
    let put = target.put("calls", "a.wav", &content).await.unwrap();
    assert!(matches!(put.outcome, Outcome::Stored | Outcome::AlreadyThere), "{put:?}");
    assert_eq!(gcs.names(), ["callseal/calls/a.wav"]);
}

#[tokio::test]
async fn of_two_objects_of_one_name_at_one_time_none_takes_the_place_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    let memory = Memory::new();
    let (large, small) = (content_of(LARGE).with_bookmark(memory.clone()), content_of(10));
    let (first, second) = tokio::join!(target.put("calls", "a.wav", &large), async {
        brought(&gcs, 1).await;
        target.put("calls", "a.wav", &small).await
    });
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.name.as_str(), second.name.as_str()), ("a (2).wav", "a.wav"));
    target.verify("calls", &first.name, large.size(), large.sha256()).await.unwrap();
    assert_eq!(read(&target, "calls", "a.wav").await.unwrap(), bytes(10));
    assert_eq!((memory.text(), gcs.taken_in()), (None, vec![]));
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_costs_no_more_than_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, _) = server(dir.path()).await;
    let cable = Cable::to(gcs.port()).await.unwrap();
    let target = ObjectStorage::gcs(&described(&gcs, cable.port()));
    let (memory, content) = (Memory::new(), content_of(LARGE));
    let content = content.with_bookmark(memory.clone());
    let (put, ()) = tokio::join!(target.put("calls", "a.wav", &content), async {
        brought(&gcs, PART).await;
        cable.reset();
    });
    // The session is asked at once how far it has come; whoever ships tries again otherwise.
    if let Err(error) = put {
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        target.put("calls", "a.wav", &content).await.unwrap();
    }
    assert!(gcs.object("callseal/calls/a.wav").unwrap() == bytes(LARGE));
    let begun =
        gcs.seen().iter().filter(|seen| seen.ends_with(&format!("bytes 0-{}/{LARGE}", PART - 1))).count();
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn an_object_under_a_hold_is_not_removed_and_it_is_said_why() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, target) = server(dir.path()).await;
    target.put("calls", "a.wav", &content_of(10)).await.unwrap();
    gcs.hold("callseal/calls/a.wav", true);
    let error = target.remove("calls", "a.wav").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    gcs.hold("callseal/calls/a.wav", false);
    target.remove("calls", "a.wav").await.unwrap();
    assert!(gcs.names().is_empty());
}

#[tokio::test]
async fn a_missing_bucket_and_a_wrong_key_are_told_apart_and_no_key_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (gcs, _) = server(dir.path()).await;
    let secret = "PRIVATE KEY";
    let elsewhere = GcsTarget { bucket: "not-there".into(), ..described(&gcs, gcs.port()) };
    let error = refusal(&ObjectStorage::gcs(&elsewhere), secret).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    let other = tempfile::tempdir().unwrap();
    let stranger = Gcs::start(other.path()).await.unwrap();
    let key = Some(stranger.key_file().unwrap().into());
    let stranger = GcsTarget { service_account_key: key, ..described(&gcs, gcs.port()) };
    let error = refusal(&ObjectStorage::gcs(&stranger), secret).await;
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
    let broken = r#"{"client_email": "a@b.example", "private_key": "PRIVATE KEY"}"#;
    let broken = GcsTarget { service_account_key: Some(broken.into()), ..described(&gcs, gcs.port()) };
    let error = refusal(&ObjectStorage::gcs(&broken), secret).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
}
