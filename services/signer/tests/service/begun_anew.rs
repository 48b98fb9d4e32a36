//! A log that must not go on, and whose right database is lost: a person moves it away, and a new one takes
//! its place.

use std::time::Duration;

use callseal_signer::Options;
use evidence::log::{Entry, KeyChange, KeyEntry, LogProof, PublishedLog, What};

use crate::{
    rollback::{copy_database, nothing_is_sealed, options, refusal, seal_one},
    support::{
        bench::{Bench, files_below},
        call::{Call, said},
        log::{entries, entries_of, keyring, newest, published, published_in},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

fn keys_of(entries: &[Entry]) -> Vec<&KeyEntry> {
    entries
        .iter()
        .filter_map(|entry| if let What::Key(key) = &entry.what { Some(&**key) } else { None })
        .collect()
}

fn sealed_of(entries: &[Entry]) -> Vec<String> {
    let sealed = entries.iter().filter_map(|entry| match &entry.what {
        What::Sealed(sealed) => Some(sealed.recording.to_string()),
        _ => None,
    });
    sealed.collect()
}

/// Leaves an older database beside a published log, whose newer database is lost. In the older one a
/// recording is sealed that no checkpoint covers; its id.
async fn lose_the_database(bench: &Bench) -> String {
    let (database, backup) = (bench.path("signer.sqlite"), bench.path("backup.sqlite"));
    let first = Call::new(1);
    let rarely = bench.signer(Options { checkpoint_every_s: 3600.0, ..bench.options() });
    bench.publish(first.messages()).await;
    let state = bench.state().await;
    harness::wait::until("the recording to be sealed", PATIENCE, || async {
        let rows =
            sqlx::query("SELECT recording FROM chain").fetch_all(state.database().pool()).await.unwrap();
        (rows.len() == 1).then_some(())
    })
    .await
    .unwrap();
    rarely.stop().await;
    // Nobody may hold the file that is copied and replaced.
    state.database().close().await;
    copy_database(&database, &backup);
    let signer = bench.signer(options(bench));
    bench.announced(1).await;
    seal_one(bench).await;
    signer.stop().await;
    copy_database(&backup, &database);
    first.recording.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_moved_away_is_followed_by_a_new_one_that_says_so_and_nothing_that_waited_is_lost() {
    let bench = Bench::start().await;
    let uncovered = lose_the_database(&bench).await;
    let old = newest(&bench).unwrap().checkpoint;
    let signer = bench.signer(options(&bench));
    let problem = refusal(&bench, &signer).await;
    assert!(
        problem.contains("move this tenant's folder below log/ (that one alone) out of staging"),
        "{problem}"
    );
    let notice = bench.path("staging/halted/acme.txt");
    assert!(std::fs::read_to_string(&notice).unwrap().contains(&problem));
    let waiting = Call::new(2);
    let state = bench.state().await;
    bench.publish(waiting.messages()).await;
    nothing_is_sealed(&bench, &state).await;
    let segments = files_below(&bench.path("staging/segments"));
    assert!(!segments.is_empty());
    signer.stop().await;

    // A restart alone looks again and finds the same.
    let signer = bench.signer(options(&bench));
    assert_eq!(refusal(&bench, &signer).await, problem);
    signer.stop().await;
    // So it does on an empty disk in the place of staging: that is no log that was moved away.
    std::fs::rename(bench.path("staging"), bench.path("unmounted")).unwrap();
    std::fs::create_dir(bench.path("staging")).unwrap();
    let signer = bench.signer(options(&bench));
    assert_eq!(refusal(&bench, &signer).await, problem);
    signer.stop().await;
    std::fs::remove_dir_all(bench.path("staging")).unwrap();
    std::fs::rename(bench.path("unmounted"), bench.path("staging")).unwrap();
    let signer = bench.signer(options(&bench));
    refusal(&bench, &signer).await;
    signer.stop().await;

    // As the text says.
    std::fs::rename(bench.path("staging/log/acme"), bench.path("old-log")).unwrap();
    let signer = bench.signer(options(&bench));
    let sealed = bench.announced(2).await;
    let of_waiting =
        sealed.iter().find(|sealed| sealed.recording_id == waiting.recording.to_string()).unwrap();
    assert_eq!(bench.channels(of_waiting, ".wav"), [said(0, 0..2), said(1, 0..2)]);
    let health = signer.service.health().clone();
    harness::wait::until("the condition to hold", PATIENCE, || async {
        let reasons = health.ready().err().unwrap_or_default();
        (!reasons.iter().any(|reason| reason.starts_with("log: "))).then_some(())
    })
    .await
    .unwrap();
    assert!(!notice.exists());
    signer.stop().await;

    let new = newest(&bench).unwrap().checkpoint;
    assert_ne!(new.origin, old.origin);
    let log = entries(&bench);
    let [first] = keys_of(&log)[..] else { panic!("{log:?}") };
    assert_eq!(first.change, KeyChange::First);
    assert!(first.reason.contains(&format!("takes the place of the log {}", old.origin)), "{}", first.reason);
    let there = sealed_of(&log);
    for recording in [&uncovered, &waiting.recording.to_string()] {
        assert!(there.contains(recording), "{recording} in {there:?}");
    }
    let files = published(&bench);
    let keys = keyring(&bench);
    let opened = PublishedLog::open(&files, &keys).unwrap_or_else(|problems| panic!("{problems:?}"));
    let proof = LogProof::parse(&bench.file(of_waiting, "_log-proof.txt")).unwrap();
    proof.verify(opened.keys().next().unwrap()).unwrap();

    // The old one is as it was, and whole.
    let old_entries = entries_of(&published_in(&bench.path("old-log")), &keys);
    assert_eq!(old_entries.len() as u64, old.size);
    // Another restart changes nothing any more.
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    assert_eq!(newest(&bench).unwrap().checkpoint.origin, new.origin);
}
