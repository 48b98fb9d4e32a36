//! A batch is fixed once: whatever dies while it is signed, the same bytes are signed again.

use std::{collections::BTreeMap, path::Path, time::Duration};

use callseal_signer::{
    seal::prepare,
    state::{State, seal_queue::Prepared},
};
use domain::{Class, Lane, RecordingId};
use evidence::{
    Signature,
    log::{Entry, What},
};
use harness::process::Process;

use crate::{
    crashes::{make_token, start_with},
    support::{
        bench::Bench,
        call::{Call, said},
    },
};

const CALLS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(60);

fn lane() -> Lane {
    Lane { tenant: "acme".parse().unwrap(), class: Class::Regulated }
}

/// What is fixed of each recording that waits.
async fn fixed(state: &State) -> BTreeMap<RecordingId, Prepared> {
    let waiting = state.waiting(&lane(), 0, 1000).await.unwrap();
    waiting.into_iter().filter_map(|one| Some((one.recording, one.prepared?))).collect()
}

async fn dies(bench: &Bench, step: &str) {
    let mut process: Process = start_with(bench, &[format!("--fail-at={step}")]);
    let ended = harness::wait::until("the process to die", PATIENCE, || {
        let ended = process.ended().unwrap();
        async move { ended }
    })
    .await;
    let status = ended.unwrap_or_else(|e| panic!("{step}: {e}\n{}", process.output()));
    assert!(!status.success(), "{step}: {status}");
}

/// Recordings that wait for a key whose PIN nobody has given yet.
async fn without_a_key(bench: &Bench, calls: &[Call]) {
    let state = bench.state().await;
    let pin = bench.path("token/pin");
    std::fs::rename(&pin, pin.with_extension("away")).unwrap();
    let process = start_with(bench, &[]);
    for call in calls {
        bench.publish(call.messages()).await;
    }
    harness::wait::until("the recordings to wait", PATIENCE, || async {
        (state.waiting_count().await.unwrap() == calls.len() as i64).then_some(())
    })
    .await
    .unwrap();
    process.stop(PATIENCE).unwrap();
    std::fs::rename(pin.with_extension("away"), &pin).unwrap();
    assert!(fixed(&state).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_a_batch_again_makes_the_same_files() {
    let bench = Bench::start().await;
    make_token(&bench.path("token"));
    let calls: Vec<Call> = (0..CALLS).map(|_| Call::new(1)).collect();
    without_a_key(&bench, &calls).await;
    let state = bench.state().await;

    // Deaths before anything is committed, until there is a batch whose members wait for each other.
    let mut known: BTreeMap<RecordingId, Prepared> = BTreeMap::new();
    for step in ["seal-prepared", "seal-signed-first", "seal-signed"].iter().cycle().take(12) {
        dies(&bench, step).await;
        assert!(state.chain(&lane()).await.unwrap().is_empty(), "{step}");
        let now = fixed(&state).await;
        for (id, prepared) in &known {
            assert!(now.get(id) == Some(prepared), "{step}: what was fixed has changed");
        }
        let done = known.values().any(|prepared| prepared.awaits_previous) && *step == "seal-signed";
        known = now;
        if done {
            break;
        }
    }
    assert!(known.values().any(|prepared| prepared.awaits_previous), "no batch was larger than one");
    // A death right behind the commit: all of a batch, or nothing of it.
    dies(&bench, "seal-committed").await;
    let sealed = state.chain(&lane()).await.unwrap().len();
    assert!(sealed > 0);
    assert_eq!(state.waiting_count().await.unwrap(), (CALLS - sealed) as i64);
    known.extend(fixed(&state).await);

    let process = start_with(&bench, &[]);
    let announced = bench.announced(CALLS).await;
    let by_id: BTreeMap<RecordingId, _> =
        announced.iter().map(|sealed| (sealed.recording_id.parse().unwrap(), sealed)).collect();
    assert_eq!(by_id.len(), CALLS);
    for (id, mut prepared) in known {
        let sealed = by_id[&id];
        let previous = prepared.previous_recording.parse().ok().map(|previous| {
            Signature::parse(&bench.file(by_id[&previous], "_hash.SHA256withRSA.sig")).unwrap()
        });
        prepare::complete(&mut prepared, previous.as_ref()).unwrap();
        assert!(bench.file(sealed, "_info.txt") == prepared.info);
        assert!(bench.file(sealed, "_journal.json") == prepared.journal);
        assert!(bench.file(sealed, "_hash.txt") == prepared.hash_list);
        assert_eq!(bench.channels(sealed, ".wav"), [said(0, 0..1), said(1, 0..1)]);
    }
    let log = state.log_entries(&lane().tenant, 0, 1000).await.unwrap();
    let positions: Vec<u64> = log
        .iter()
        .filter_map(|bytes| match Entry::parse(bytes).unwrap().what {
            What::Sealed(sealed) => Some(sealed.position),
            _ => None,
        })
        .collect();
    assert_eq!(positions, (1..=CALLS as u64).collect::<Vec<_>>(), "one entry for each, in the chain's order");
    process.stop(PATIENCE).unwrap();
    let certificate = std::fs::read_to_string(bench.path("token/callseal.pem")).unwrap();
    let report = bench.audit(&certificate);
    assert!(report.is_good(), "{report:#?}");
    assert_eq!(report.recordings.len(), CALLS);
}

fn moved(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_away_at_the_start_and_in_mid_run_loses_nothing() {
    let bench = Bench::start().await;
    make_token(&bench.path("token"));
    let state = bench.state().await;
    let (tokens, away) = (bench.path("token/tokens"), bench.path("token/away"));
    moved(&tokens, &away);
    let process = start_with(&bench, &[]);
    let mut calls = Vec::new();
    for _ in 0..2 {
        let call = Call::new(2);
        bench.publish(call.messages()).await;
        calls.push(call.recording.to_string());
        harness::wait::until("the recording to wait for its key", PATIENCE, || async {
            let is_said = process.output().matches("wait for the signing key").count() >= calls.len();
            (state.waiting_count().await.unwrap() == 1 && is_said).then_some(())
        })
        .await
        .unwrap_or_else(|e| panic!("{e}\n{}", process.output()));
        moved(&away, &tokens);
        let sealed = bench.announced(1).await.remove(0);
        assert_eq!(sealed.recording_id, calls[calls.len() - 1]);
        assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..2), said(1, 0..2)]);
        moved(&tokens, &away);
    }
    moved(&away, &tokens);
    process.stop(PATIENCE).unwrap();
    let links = state.chain(&lane()).await.unwrap();
    assert_eq!(links.iter().map(|link| link.1.clone()).collect::<Vec<_>>(), calls);
    let certificate = std::fs::read_to_string(bench.path("token/callseal.pem")).unwrap();
    assert!(bench.audit(&certificate).is_good());
}
