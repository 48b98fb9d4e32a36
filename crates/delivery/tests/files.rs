//! What the work list knows of an order's files.

mod list_of_test;

use std::time::Duration;

use delivery::{Asked, State, VerifiedFile};
use domain::RecordingId;
use list_of_test::{claimed, later, order_for, sqlite};

#[tokio::test]
async fn after_a_restart_orders_in_hand_are_free_at_once_and_what_is_known_of_their_files_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let id = RecordingId::new();
    list.enqueue(&[order_for("archive", id)], later(0)).await.unwrap();
    let order = claimed(&list, "archive", 0).await;
    let wav = VerifiedFile {
        file: ".wav".into(),
        stored_name: "x (2).wav".into(),
        verified_by: "read-back".into(),
        at: later(1),
    };
    list.keep_bookmark(&order, ".wav", Some(b"half of it".to_vec()), later(0)).await.unwrap();
    list.note_verified(&order, std::slice::from_ref(&wav)).await.unwrap();
    list.keep_bookmark(&order, "_info.txt", Some(b"first".to_vec()), later(1)).await.unwrap();
    list.keep_bookmark(&order, "_info.txt", Some(b"second".to_vec()), later(2)).await.unwrap();
    drop((list, order));
    let list = sqlite(dir.path()).await;
    let order = claimed(&list, "archive", 1).await;
    assert_eq!((order.recording, order.attempts), (id, 1));
    assert_eq!(list.verified_files(&order).await.unwrap(), [wav]);
    assert_eq!(list.bookmark(&order, ".wav").await.unwrap(), None, "it is verified");
    assert_eq!(list.bookmark(&order, "_info.txt").await.unwrap(), Some(b"second".to_vec()));

    // Done: the names and the credentials are wiped, what was verified by which method stays.
    list.done(&order, later(3)).await.unwrap();
    assert_eq!(list.bookmark(&order, "_info.txt").await.unwrap(), None);
    assert_eq!(list.verified_files(&order).await.unwrap()[0].stored_name, "");
    let asked = Asked { recording: Some(id), ..Asked::default() };
    let shown = list.shipments(&asked).await.unwrap().shipments;
    assert_eq!((shown.len(), shown[0].state, shown[0].done), (1, State::Done, Some(later(3))));
    let methods: Vec<_> =
        shown[0].files.iter().map(|f| (f.file.as_str(), f.verified_by.as_deref())).collect();
    assert_eq!(methods, [(".wav", Some("read-back")), ("_info.txt", None)]);
    // Forgotten, nothing is left of them.
    list.forget_done(Duration::from_secs(1), later(60)).await.unwrap();
    let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM delivery_files")
        .fetch_one(list.database().pool())
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_late_worker_keeps_no_bookmark_but_what_it_verified_counts() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    let late = claimed(&list, "archive", 0).await;
    let order = claimed(&list, "archive", 31).await;
    list.keep_bookmark(&order, ".wav", Some(b"mine".to_vec()), later(32)).await.unwrap();
    list.keep_bookmark(&late, ".wav", Some(b"theirs".to_vec()), later(33)).await.unwrap();
    assert_eq!(list.bookmark(&order, ".wav").await.unwrap(), Some(b"mine".to_vec()));
    list.keep_bookmark(&order, ".wav", None, later(34)).await.unwrap();
    assert_eq!(list.bookmark(&order, ".wav").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_known_of_files_holds_for_the_place_where_they_are_and_for_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    let order = claimed(&list, "archive", 0).await;
    let (old, new) = (order.at_place("the full disk"), order.at_place("the new disk"));
    let wav = VerifiedFile {
        file: ".wav".into(),
        stored_name: "x.wav".into(),
        verified_by: "read-back".into(),
        at: later(1),
    };
    list.note_verified(&old, std::slice::from_ref(&wav)).await.unwrap();
    list.keep_bookmark(&old, "_info.txt", Some(b"half of it".to_vec()), later(1)).await.unwrap();
    assert_eq!(list.verified_files(&new).await.unwrap(), []);
    assert_eq!(list.bookmark(&new, "_info.txt").await.unwrap(), None);
    // What is begun at the new place is not verified there, whatever was at the old one.
    list.keep_bookmark(&new, ".wav", Some(b"begun anew".to_vec()), later(2)).await.unwrap();
    assert_eq!(list.verified_files(&new).await.unwrap(), []);
    assert_eq!(list.verified_files(&old).await.unwrap(), []);
    assert_eq!(list.bookmark(&new, ".wav").await.unwrap(), Some(b"begun anew".to_vec()));
    list.note_verified(&new, std::slice::from_ref(&wav)).await.unwrap();
    assert_eq!(list.verified_files(&new).await.unwrap(), [wav]);
}
