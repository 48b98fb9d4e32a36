//! The transparency log: what gets into it, what is published of it, and what goes with recordings.

use std::{collections::BTreeMap, time::Duration};

use callseal_signer::Options;
use domain::RecordingId;
use evidence::log::{
    Access, Entry, LogProof, Outcome, PublishedLog, Reference, SealedEntry, What, audit::Audit,
};
use jiff::Timestamp;
use wire::{
    event_v1::{Accessed, Decided, Deleted, Event, Ringing, Stopped, event::What as Happened},
    evidence_v1::{
        Access as AccessNote, Deletion, LogStateRequest, LogStateResponse, NoteRequest, NoteResponse,
        note_request,
    },
};

use crate::support::{
    bench::{Bench, files_below},
    call::Call,
    log::{entries, keyring, newest, published},
};

const PATIENCE: Duration = Duration::from_secs(60);

fn event(bench: &Bench, recording: &RecordingId, what: Happened) {
    bench.bus.event(Event {
        recording_id: recording.to_string(),
        tenant: "acme".to_owned(),
        at_unix_us: Timestamp::now().as_microsecond(),
        service: "ingest".to_owned(),
        what: Some(what),
    });
}

fn ringing() -> Happened {
    Happened::Ringing(Ringing { streams: 2, call_id: "call-1@pbx".to_owned() })
}

fn decided(recorded: bool, asks_consent: bool) -> Happened {
    let rule = if recorded { "desk" } else { "" };
    Happened::Decided(Decided { recorded, rule: rule.to_owned(), asks_consent, ..Decided::default() })
}

/// Waits until the published log has entries for all that `wanted` says.
async fn logged(bench: &Bench, what: &str, wanted: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
    harness::wait::until(what, PATIENCE, || async {
        let there = newest(bench).is_some().then(|| entries(bench))?;
        wanted(&there).then_some(there)
    })
    .await
    .unwrap()
}

fn options(bench: &Bench) -> Options {
    Options { checkpoint_every_s: 0.2, ..bench.options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_stands_in_the_log_from_its_ring_on_and_its_recording_brings_the_proof() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    let call = Call::new(3);
    let missed = RecordingId::new();
    event(&bench, &call.recording, ringing());
    event(&bench, &call.recording, decided(true, true));
    event(&bench, &call.recording, decided(true, false));
    event(&bench, &missed, ringing());
    event(&bench, &missed, decided(false, false));
    assert!(bench.bus.events_flushed(PATIENCE).await);
    bench.publish(call.messages()).await;
    let sealed = bench.announced(1).await.remove(0);

    let names: Vec<&str> =
        sealed.files.iter().map(|file| file.name.strip_prefix(&sealed.base_name).unwrap()).collect();
    let expected =
        [".wav", "_info.txt", "_journal.json", "_hash.txt", "_hash.SHA256withRSA.sig", "_log-proof.txt"];
    assert_eq!(names, expected);
    let file = bench.file(&sealed, "_log-proof.txt");
    assert_eq!(sealed.files[5].size, file.len() as u64);
    assert_eq!(sealed.files[5].sha256, evidence::Sha256Hash::of(&file).as_bytes());

    let log = logged(&bench, "the calls to be in the log", |log| {
        log.iter().filter(|entry| matches!(entry.what, What::Decided { .. })).count() == 3
    })
    .await;
    let head = bench.state().await.log_head(&call.tenant).await.unwrap().unwrap();
    let reference = |recording| Reference::of(&head.salt, recording);
    let of = |wanted: &Reference| -> Vec<&What> {
        log.iter().map(|entry| &entry.what).filter(|what| what.reference() == Some(wanted)).collect()
    };
    let recorded = of(&reference(&call.recording));
    assert!(matches!(recorded[0], What::Started { .. }), "{recorded:?}");
    let outcomes = |what: &[&What]| -> Vec<Outcome> {
        let outcome =
            |what: &&What| if let What::Decided { outcome, .. } = what { Some(*outcome) } else { None };
        let mut outcomes: Vec<Outcome> = what.iter().filter_map(outcome).collect();
        outcomes.sort();
        outcomes
    };
    assert_eq!(outcomes(&recorded), [Outcome::Recorded, Outcome::Asking]);
    let not_recorded = of(&reference(&missed));
    assert!(matches!(not_recorded[0], What::Started { .. }), "{not_recorded:?}");
    assert_eq!(outcomes(&not_recorded), [Outcome::NotRecorded]);
    assert_eq!(not_recorded.len(), 2);

    // The proof is judged with the log key, which the certificate vouches for, and with nothing else.
    let files = published(&bench);
    let keys = keyring(&bench);
    let opened = PublishedLog::open(&files, &keys).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(opened.problems().is_empty(), "{:?}", opened.problems());
    let proof = LogProof::parse(&file).unwrap();
    let (entry, _) = proof.verify(opened.keys().next().unwrap()).unwrap();
    let What::Sealed(told) = &entry.what else { panic!("{entry:?}") };
    let SealedEntry { recording, position, hash_list, targets, gaps, interrupted, .. } = &**told;
    assert_eq!((recording, position), (&call.recording, &1));
    assert_eq!(*hash_list, evidence::Sha256Hash::of(&bench.file(&sealed, "_hash.txt")));
    assert_eq!((targets.as_slice(), *gaps, *interrupted), (["archive".to_owned()].as_slice(), 0, false));

    // No number, no name and no call id is in any published file.
    for path in files_below(&bench.path("staging/log")) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for secret in ["4922198765", "4970311234", "Erika", "call-1@pbx"] {
            assert!(!text.contains(secret), "{secret} in {}", path.display());
        }
    }
    let mut audit = Audit::new();
    (0..).zip(&log).for_each(|(index, entry)| audit.add(index, entry));
    let report = audit.finish(Timestamp::now(), Duration::ZERO);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_a_recorded_call_is_logged_once_whether_or_not_its_event_came() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    let (silent, told) = (Call::new(2), Call::new(2));
    for _ in 0..3 {
        event(&bench, &told.recording, ringing());
    }
    assert!(bench.bus.events_flushed(PATIENCE).await);
    bench.publish(silent.messages()).await;
    bench.publish(told.messages()).await;
    bench.announced(2).await;
    // Once this one is in, those before it are.
    let last = RecordingId::new();
    event(&bench, &last, decided(false, false));
    let log = logged(&bench, "the last event", |log| {
        log.iter().any(|entry| matches!(&entry.what, What::Decided { .. }))
    })
    .await;
    let mut started: BTreeMap<&Reference, usize> = BTreeMap::new();
    for entry in &log {
        if let What::Started { reference } = &entry.what {
            *started.entry(reference).or_default() += 1;
        }
    }
    assert_eq!(started.into_values().collect::<Vec<_>>(), [1, 1, 1]);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_deletions_and_accesses_are_logged_from_events_and_from_notes() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    let call = Call::new(2);
    bench.publish(call.messages()).await;
    bench.announced(1).await;
    let by = || "anna@acme".to_owned();
    event(&bench, &call.recording, Happened::Stopped(Stopped { way: "API".to_owned() }));
    let (targets, reason) = (vec!["archive".to_owned()], "retention: 10 years".to_owned());
    event(&bench, &call.recording, Happened::Deleted(Deleted { targets, reason, by: by() }));
    event(&bench, &call.recording, Happened::Accessed(Accessed { how: "played".to_owned(), by: by() }));

    let note_once = async |recording: &str, once: &str, what| -> NoteResponse {
        let request = NoteRequest {
            tenant: "acme".to_owned(),
            recording_id: recording.to_owned(),
            once: once.to_owned(),
            what: Some(what),
        };
        bench.bus.request(bus::subjects::SIGNER_NOTE, &request, PATIENCE).await.unwrap()
    };
    let note = async |recording: &str, what| note_once(recording, "", what).await;
    let id = call.recording.to_string();
    let deletion = |reason: &str| {
        let by = "anna".to_owned();
        note_request::What::Deletion(Deletion { targets: Vec::new(), reason: reason.to_owned(), by })
    };
    let account = || "anna".to_owned();
    let access = |how: &str| note_request::What::Access(AccessNote { how: how.to_owned(), by: account() });
    let by_whom =
        |by: &str| note_request::What::Access(AccessNote { how: "played".to_owned(), by: by.to_owned() });
    let written = note(&id, deletion("erasure request")).await;
    assert_eq!(written.problem, "");
    let place = written.place.unwrap();
    // Who asks again for one thing gets the place where it stands.
    let first = note_once(&id, "deletion 1", deletion("retention ended 2026-11-22")).await;
    let again = note_once(&id, "deletion 1", deletion("retention ended 2026-11-22")).await;
    assert_eq!((first.problem.as_str(), first.place.as_ref()), ("", again.place.as_ref()));
    assert_ne!(first.place.unwrap().index, place.index);
    assert_eq!(note(&id, access("exported")).await.problem, "");
    for (recording, what, problem) in [
        ("me", access("played"), "this is no id of a recording"),
        (&*id, access("heard"), "an access is \"played\" or \"exported\""),
        (&*id, deletion(" "), "a reason of at most 500 characters is needed"),
    ] {
        let refused = note(recording, what).await;
        assert_eq!((refused.problem.as_str(), refused.place), (problem, None));
    }
    // The log is public: nothing that names a person by number or address.
    for (what, problem) in [
        (deletion("asked for by 0711 / 12 34 56"), "could be a telephone number"),
        (deletion("asked for by erika@example.com"), "holds an '@' or a '+'"),
        (by_whom("+49 711"), "holds an '@' or a '+'"),
        (by_whom("extension 49711"), "could be a telephone number"),
    ] {
        let refused = note(&id, what).await;
        assert!(refused.problem.contains("the log is public to auditors"), "{}", refused.problem);
        assert!(refused.problem.contains(problem) && refused.place.is_none(), "{}", refused.problem);
    }

    let log = logged(&bench, "the entries", |log| {
        let count = |kind: &str| log.iter().filter(|entry| entry.what.kind() == kind).count();
        (count("stopped"), count("deleted"), count("accessed")) == (1, 3, 2)
    })
    .await;
    let noted = &log[usize::try_from(place.index).unwrap()];
    let What::Deleted { recording, targets, reason, by } = &noted.what else { panic!("{noted:?}") };
    assert_eq!((recording, targets.len(), &**reason, &**by), (&call.recording, 0, "erasure request", "anna"));
    assert!(log.iter().any(|entry| matches!(&entry.what, What::Accessed { how: Access::Played, .. })));
    assert!(log.iter().any(|entry| matches!(&entry.what, What::Accessed { how: Access::Exported, .. })));

    let asked = LogStateRequest { tenant: "acme".to_owned() };
    let state: LogStateResponse =
        bench.bus.request(bus::subjects::SIGNER_LOG_STATE, &asked, PATIENCE).await.unwrap();
    let [state] = state.logs.as_slice() else { panic!("{state:?}") };
    assert_eq!((state.tenant.as_str(), state.halted.as_str()), ("acme", ""));
    assert!(state.origin.starts_with("callseal.io/callseal/acme/"), "{}", state.origin);
    assert!(state.checkpoint_size >= log.len() as u64 && state.size >= state.checkpoint_size, "{state:?}");
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_which_nothing_happens_is_signed_all_the_same_now_and_then() {
    let bench = Bench::start().await;
    let signer = bench.signer(Options { heartbeat_every_s: 0.3, ..options(&bench) });
    bench.publish(Call::new(1).messages()).await;
    bench.announced(1).await;
    let log = logged(&bench, "three heartbeats", |log| {
        log.iter().filter(|entry| entry.what == What::Heartbeat).count() >= 3
    })
    .await;
    assert!(log.is_sorted_by_key(|entry| entry.at));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_tiles_go_when_the_tree_has_outgrown_them() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    let files = |folder: &str| files_below(&bench.path("staging/log/acme").join(folder)).len();
    let size = || newest(&bench).map_or(0, |newest| newest.checkpoint.size);
    for many in [100, 100, 100, 10, 10] {
        let before = size();
        for _ in 0..many {
            event(&bench, &RecordingId::new(), ringing());
        }
        assert!(bench.bus.events_flushed(PATIENCE).await);
        harness::wait::until("the log to grow", PATIENCE, || async {
            (size() >= before + many).then_some(())
        })
        .await
        .unwrap();
    }
    signer.stop().await;
    assert!(size() >= 320);
    for outgrown in ["tile/0/000.p", "tile/entries/000.p"] {
        assert_eq!(files(outgrown), 0, "{outgrown}");
    }
    // Of the right edge: what the newest checkpoint needs, and the one before it.
    for edge in ["tile/0/001.p", "tile/entries/001.p", "tile/1/000.p"] {
        assert!((1..=2).contains(&files(edge)), "{edge}: {}", files(edge));
    }
    assert_eq!(entries(&bench).len() as u64, size());
}

#[tokio::test(flavor = "multi_thread")]
async fn published_files_that_were_lost_are_published_again() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    bench.publish(Call::new(1).messages()).await;
    bench.announced(1).await;
    std::fs::remove_dir_all(bench.path("staging/log/acme/tile")).unwrap();
    bench.publish(Call::new(1).messages()).await;
    bench.announced(1).await;
    let sealed = entries(&bench).iter().filter(|entry| matches!(entry.what, What::Sealed(_))).count();
    assert_eq!(sealed, 2);
    signer.stop().await;
}
