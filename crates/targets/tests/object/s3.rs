//! S3 by moto.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use domain::resources::{S3Lock, S3LockMode, S3Target};
use harness::{cable::Cable, moto::Moto};
use jiff::{SignedDuration, Timestamp};
use targets::{ErrorKind, Method, ObjectStorage, Outcome, Target};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    bookmark::Memory,
    content::{bytes, content_of, read},
    either::{
        LARGE, goes_on, keeps_what_stands_there, lists, race, refusal, refuses_what_was_not_sealed,
        stores_and_removes,
    },
};

const SECRET: &str = "hunter2";

fn described(port: u16) -> S3Target {
    S3Target {
        bucket: "acme-archive".into(),
        prefix: "callseal/acme".into(),
        region: Some("us-east-1".into()),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        path_style: true,
        keys: Some(("AKIAEXAMPLE".into(), SECRET.into())),
        lock: None,
    }
}

async fn server(dir: &Path) -> Moto {
    let moto = Moto::start(dir).await.unwrap();
    moto.make_bucket("acme-archive", false).await.unwrap();
    moto
}

#[tokio::test]
async fn files_small_and_large_are_stored_verified_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let target = ObjectStorage::s3(&described(moto.s3_port()));
    target.test().await.unwrap();
    stores_and_removes(&target, Method::ServerHash("sha256")).await;
    assert!(target.list("").await.unwrap().iter().all(|listed| !listed.name.contains("test")));
}

/// Before moto, and takes the condition off each request, as servers do that do not know it.
async fn deaf_to_conditions(moto: u16) -> (u16, Arc<AtomicU32>) {
    let unheard = Arc::<AtomicU32>::default();
    let count = Arc::clone(&unheard);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", moto)).await.unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut block = vec![0; 256 * 1024];
                while let Ok(read @ 1..) = from_client.read(&mut block).await {
                    const CONDITION: &[u8] = b"if-none-match:";
                    let at = block[..read].windows(CONDITION.len()).position(|word| word == CONDITION);
                    if let Some(at) = at {
                        count.fetch_add(1, Ordering::SeqCst);
                        block[at..at + CONDITION.len()].copy_from_slice(b"x-none-at-all:");
                    }
                    to_server.write_all(&block[..read]).await.unwrap();
                }
            });
        }
    });
    (port, unheard)
}

#[tokio::test]
async fn a_server_that_knows_no_conditions_still_keeps_what_stands_there() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let (port, unheard) = deaf_to_conditions(moto.s3_port()).await;
    keeps_what_stands_there(&ObjectStorage::s3(&described(port))).await;
    assert!(unheard.load(Ordering::SeqCst) > 0, "nothing was asked of it on a condition");
}

#[tokio::test]
async fn another_client_reads_what_was_stored_under_the_name_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let target = ObjectStorage::s3(&described(moto.s3_port()));
    target.put("2026", "a b~[1].wav", &content_of(70_000)).await.unwrap();
    let path = "/acme-archive/callseal/acme/2026/a%20b~%5B1%5D.wav";
    assert_eq!(moto.s3("GET", path, &[], b"").await.unwrap(), bytes(70_000));
    assert_eq!(read(&target, "2026", "a b~[1].wav").await.unwrap(), bytes(70_000));
}

#[tokio::test]
async fn another_object_of_the_name_is_kept_and_what_is_replaced_is_so_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    keeps_what_stands_there(&ObjectStorage::s3(&described(moto.s3_port()))).await;
}

#[tokio::test]
async fn a_listing_shows_files_and_folders_of_one_level() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    lists(&ObjectStorage::s3(&described(moto.s3_port()))).await;
}

#[tokio::test]
async fn an_upload_that_was_interrupted_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let description = described(moto.s3_port());
    goes_on(&ObjectStorage::s3(&description), &ObjectStorage::s3(&description)).await;
    let left = moto.s3("GET", "/acme-archive?uploads", &[], b"").await.unwrap();
    assert!(!String::from_utf8(left).unwrap().contains("<UploadId>"));
}

#[tokio::test]
async fn an_upload_that_the_store_has_forgotten_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let target = ObjectStorage::s3(&described(moto.s3_port()));
    let (memory, content) = (Memory::new(), content_of(LARGE));
    let bookmark = serde_json::json!({
        "key": "callseal/acme/calls/a.wav", "sha256": hex::encode(content.sha256()), "part": 8 * 1024 * 1024,
        "id": "forgotten", "parts": ["\"0123456789abcdef0123456789abcdef\""],
    });
    memory.write(&bookmark.to_string());
    let content = content.with_bookmark(memory.clone());
    assert_eq!(target.put("calls", "a.wav", &content).await.unwrap().outcome, Outcome::Stored);
    target.verify("calls", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(memory.text(), None);
}

#[tokio::test]
async fn a_file_that_was_not_sealed_so_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    refuses_what_was_not_sealed(&ObjectStorage::s3(&described(moto.s3_port()))).await;
    let left = moto.s3("GET", "/acme-archive?uploads", &[], b"").await.unwrap();
    assert!(!String::from_utf8(left).unwrap().contains("<UploadId>"));
}

#[tokio::test]
async fn what_a_cut_connection_leaves_is_finished_by_the_next_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let cable = Cable::to(moto.s3_port()).await.unwrap();
    let target = ObjectStorage::s3(&described(cable.port()));
    let content = content_of(LARGE).with_bookmark(Memory::new());
    for after in [100, 3_000_000, 20_000_000] {
        cable.cut_after(after, || true);
        let mut put = target.put("calls", &format!("{after}.wav"), &content).await;
        if let Err(error) = &put {
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
            put = target.put("calls", &format!("{after}.wav"), &content).await;
        }
        put.unwrap();
        target.verify("calls", &format!("{after}.wav"), content.size(), content.sha256()).await.unwrap();
    }
    assert_eq!(target.list("calls").await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_locked_recording_is_removed_by_nobody_before_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await.unwrap();
    moto.make_bucket("acme-archive", true).await.unwrap();
    for mode in [S3LockMode::Governance, S3LockMode::Compliance] {
        let lock = Some(S3Lock { mode });
        let target = ObjectStorage::s3(&S3Target { lock, ..described(moto.s3_port()) });
        target.test().await.unwrap();
        let until = Timestamp::now() + SignedDuration::from_hours(24);
        for length in [1_000, LARGE] {
            let (name, content) = (format!("{mode:?} {length}.wav"), content_of(length).keep_until(until));
            target.put("calls", &name, &content).await.unwrap();
            let error = target.remove("calls", &name).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
            target.verify("calls", &name, content.size(), content.sha256()).await.unwrap();
        }
        // One that was so long on its way that its time is over is stored all the same.
        let (name, content) = (format!("{mode:?} late.wav"), content_of(10));
        let over = content.clone().keep_until(Timestamp::now() - SignedDuration::from_secs(1));
        target.put("calls", &name, &over).await.unwrap();
        target.verify("calls", &name, content.size(), content.sha256()).await.unwrap();
        target.remove("calls", &name).await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_that_the_bucket_cannot_give_is_a_fault_and_nothing_is_stored_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let lock = Some(S3Lock { mode: S3LockMode::Compliance });
    let target = ObjectStorage::s3(&S3Target { lock, ..described(moto.s3_port()) });
    let content = content_of(10).keep_until(Timestamp::now() + SignedDuration::from_hours(24));
    let error = target.put("calls", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(target.list("calls").await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_files_of_one_name_at_one_time_none_takes_the_place_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let description = described(moto.s3_port());
    race(&ObjectStorage::s3(&description), &ObjectStorage::s3(&description)).await;
}

#[tokio::test]
async fn what_is_removed_from_a_bucket_that_keeps_versions_is_gone_with_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await.unwrap();
    moto.make_bucket("acme-archive", true).await.unwrap();
    let target = ObjectStorage::s3(&described(moto.s3_port()));
    for length in [10, 20, 30] {
        target.replace("calls", "a.wav", &content_of(length)).await.unwrap();
    }
    target.remove("calls", "a.wav").await.unwrap();
    let versions = moto.s3("GET", "/acme-archive?versions", &[], b"").await.unwrap();
    assert!(!String::from_utf8(versions).unwrap().contains("a.wav"));
}

#[tokio::test]
async fn a_missing_bucket_and_an_unknown_key_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let moto = server(dir.path()).await;
    let elsewhere = S3Target { bucket: "not-there".into(), ..described(moto.s3_port()) };
    let error = refusal(&ObjectStorage::s3(&elsewhere), SECRET).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.to_string().contains("the bucket not-there"), "{error}");
    let error = ObjectStorage::s3(&elsewhere).list("").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");

    // From now on it looks at keys.
    moto.s3("POST", "/moto-api/reset-auth", &[], b"0").await.unwrap();
    let error = refusal(&ObjectStorage::s3(&described(moto.s3_port())), SECRET).await;
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unreachable() {
    let port = harness::ports::claim().unwrap();
    let target = ObjectStorage::s3(&described(port));
    let error = tokio::time::timeout(Duration::from_secs(60), refusal(&target, SECRET)).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
