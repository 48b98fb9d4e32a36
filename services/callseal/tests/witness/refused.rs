//! What a witness does not sign, and how it says so (C2SP tlog-witness).

use harness::witness::Witness;
use proptest::{prelude::*, test_runner::TestRunner};

use super::{log::TestLog, talk::post};

const NAME: &str = "audit.example/callseal";

#[test]
fn each_refusal_has_its_status() {
    let data = tempfile::tempdir().unwrap();
    let (log, forked) = (TestLog::new(20, None), TestLog::new(20, Some(7)));
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    let said = |body: &[u8]| post(&witness.url, body).unwrap();
    let status = |body: &[u8]| said(body).status;

    let first = said(&log.request(5, 10).to_bytes());
    assert_eq!((first.status, first.text().as_str()), (409, "0\n"), "nothing was seen yet");
    assert_eq!(first.content_type, "text/x.tlog.size");
    said(&log.request(0, 10).to_bytes()).cosignatures();

    let smaller = said(&log.request(5, 8).to_bytes());
    assert_eq!((smaller.status, smaller.text().as_str()), (409, "10\n"));
    assert_eq!(status(&log.request(0, 20).to_bytes()), 409);
    let mut shrunk = log.request(8, 8);
    shrunk.old_size = 10;
    assert_eq!(status(&shrunk.to_bytes()), 400);
    assert_eq!(status(&forked.request(10, 20).to_bytes()), 422);
    let mut without_proof = log.request(10, 20);
    without_proof.proof.clear();
    assert_eq!(status(&without_proof.to_bytes()), 422);
    assert_eq!(status(b"hello"), 400);
    assert_eq!(status(&vec![b'a'; 200_000]), 413);

    let text = String::from_utf8(log.request(10, 20).to_bytes()).unwrap();
    assert_eq!(status(text.replacen("/acme/", "/other/", 1).as_bytes()), 404);
    // The name in the signature line differs: nobody known signed it.
    assert_eq!(status(text.replacen("\u{2014} callseal.io", "\u{2014} callseal.example", 1).as_bytes()), 403);

    said(&log.request(10, 20).to_bytes()).cosignatures();
}

#[test]
fn a_fork_is_kept_as_proof() {
    let data = tempfile::tempdir().unwrap();
    let (log, forked) = (TestLog::new(20, None), TestLog::new(20, Some(7)));
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    post(&witness.url, &log.request(0, 10).to_bytes()).unwrap().cosignatures();
    let said = post(&witness.url, &forked.request(10, 10).to_bytes()).unwrap();
    assert_eq!((said.status, said.text().as_str()), (409, "10\n"));
    let mut kept: Vec<_> =
        std::fs::read_dir(data.path().join("forks")).unwrap().map(|f| f.unwrap().path()).collect();
    kept.sort();
    let mut notes: Vec<_> = kept
        .iter()
        .map(|path| evidence::log::SignedCheckpoint::parse(&std::fs::read(path).unwrap()).unwrap())
        .collect();
    notes.sort_by_key(|note| note.checkpoint != log.checkpoint(10).checkpoint);
    assert!(notes.iter().all(|note| note.is_signed_by(&log.key)));
    let heads: Vec<_> = notes.into_iter().map(|note| note.checkpoint).collect();
    assert_eq!(heads, [log.checkpoint(10).checkpoint, forked.checkpoint(10).checkpoint]);
    assert!(witness.output().contains("it was rewritten"), "{}", witness.output());
    // The history that was seen goes on.
    post(&witness.url, &log.request(10, 20).to_bytes()).unwrap().cosignatures();
}

#[test]
fn garbage_is_refused_and_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::new(20, None);
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    post(&witness.url, &log.request(0, 10).to_bytes()).unwrap().cosignatures();
    let good = log.request(10, 20).to_bytes();

    let changed = (0..good.len(), 1_u8..).prop_map({
        let good = good.clone();
        move |(at, flip)| {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            bytes
        }
    });
    let cut = (0..good.len()).prop_map({
        let good = good.clone();
        move |at| good[..at].to_vec()
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..2000);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() });
    runner
        .run(&prop_oneof![changed, cut, noise], |body| {
            let said = post(&witness.url, &body).unwrap();
            prop_assert!([400, 403, 404, 409, 422].contains(&said.status), "{}", said.status);
            Ok(())
        })
        .unwrap();
    post(&witness.url, &good).unwrap().cosignatures();
}
