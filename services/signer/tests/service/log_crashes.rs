//! The process dies right after each step of a log's write order and is started again: one log that
//! only ever grew, every recording in it once, every proof good.

use std::time::Duration;

use callseal_signer::fail_point::LOG_STEPS;
use evidence::log::{LogProof, PublishedLog, SignedCheckpoint, What};
use harness::process::Process;
use jiff::Timestamp;
use wire::event_v1::{Decided, Event, Ringing, event::What as Happened};

use crate::{
    crashes::{make_token, start_with},
    support::{
        bench::Bench,
        call::Call,
        log::{entries_of, newest, published, trusting},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

fn start(bench: &Bench, fail_at: Option<&str>) -> Process {
    let arguments: Vec<String> = ["--checkpoint-every=0.2".to_owned()]
        .into_iter()
        .chain(fail_at.map(|step| format!("--fail-at={step}")))
        .collect();
    start_with(bench, &arguments)
}

/// The call with the events that ingest tells.
async fn happen(bench: &Bench, call: &Call) {
    let decided = Decided { recorded: true, rule: "desk".to_owned(), ..Decided::default() };
    for what in [Happened::Ringing(Ringing::default()), Happened::Decided(decided)] {
        bench.bus.event(Event {
            recording_id: call.recording.to_string(),
            tenant: call.tenant.to_string(),
            at_unix_us: Timestamp::now().as_microsecond(),
            service: "ingest".to_owned(),
            what: Some(what),
        });
    }
    assert!(bench.bus.events_flushed(PATIENCE).await);
    bench.publish(call.messages()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_any_step_leaves_one_log_that_only_grew() {
    let bench = Bench::start().await;
    make_token(&bench.path("token"));
    let keys = trusting(&std::fs::read_to_string(bench.path("token/callseal.pem")).unwrap());
    let mut seen: Vec<SignedCheckpoint> = Vec::new();
    for step in LOG_STEPS {
        let call = Call::new(1);
        let mut dying = start(&bench, Some(step));
        happen(&bench, &call).await;
        let ended = harness::wait::until("the process to die", PATIENCE, || {
            let ended = dying.ended().unwrap();
            async move { ended }
        });
        let status = ended.await.unwrap_or_else(|e| panic!("{step}: {e}"));
        assert!(!status.success(), "{step}: {status}");
        // What a reader has seen until now must hold for ever, at whatever step it died.
        seen.extend(newest(&bench));

        let again = start(&bench, None);
        let sealed = bench.announced(1).await.remove(0);
        assert_eq!(sealed.recording_id, call.recording.to_string(), "{step}");
        let proof = LogProof::parse(&bench.file(&sealed, "_log-proof.txt")).unwrap();
        // Announced is published: the newest checkpoint covers it.
        let files = published(&bench);
        let log = PublishedLog::open(&files, &keys).unwrap_or_else(|problems| panic!("{step}: {problems:?}"));
        proof.verify(log.keys().next().unwrap()).unwrap_or_else(|problem| panic!("{step}: {problem}"));
        for earlier in &seen {
            log.is_consistent_with(earlier).unwrap_or_else(|problem| panic!("{step}: {problem:?}"));
        }
        seen.push(log.newest().clone());
        again.stop(PATIENCE).unwrap();
    }
    let entries = entries_of(&published(&bench), &keys);
    let count = |kind: &str| entries.iter().filter(|entry| entry.what.kind() == kind).count();
    assert_eq!(count("sealed"), LOG_STEPS.len());
    assert_eq!(count("started"), LOG_STEPS.len());
    let positions: Vec<u64> = entries
        .iter()
        .filter_map(|entry| if let What::Sealed(sealed) = &entry.what { Some(sealed.position) } else { None })
        .collect();
    assert!(positions.iter().copied().eq(1..=LOG_STEPS.len() as u64), "{positions:?}");
    let certificate = std::fs::read_to_string(bench.path("token/callseal.pem")).unwrap();
    let report = bench.audit(&certificate);
    assert!(report.is_good(), "{report:#?}");
}
