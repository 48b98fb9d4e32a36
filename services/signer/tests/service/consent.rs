//! What stands in the signed files about consent, stops and recordings by hand.

use domain::{Consent, ConsentMode, ConsentOutcome, ConsentSource};
use evidence::ParsedInfo;
use wire::{
    call_v1::{
        CallEnded, CallMessage, CallStarted, EndReason, Recorded, StartedBy, StoppedBy, call_message::Body,
    },
    recording_v1::RecordingSealed,
};

use crate::support::{
    bench::{Bench, files_below},
    call::{BEGIN_US, Call, said},
};

/// The call's messages with another beginning.
fn begun(call: &Call, change: impl FnOnce(&mut CallStarted)) -> Vec<CallMessage> {
    let mut messages = call.messages();
    if let Some(Body::Started(started)) = messages[0].body.as_mut() {
        change(started);
    }
    messages
}

fn recorded(started: &mut CallStarted) -> &mut Recorded {
    started.decision.as_mut().unwrap().recorded.as_mut().unwrap()
}

/// Somebody stopped the recording in the middle of the call.
fn stopped(call: &Call, by: Option<StoppedBy>) -> Vec<CallMessage> {
    let mut messages = call.messages();
    let last = messages.last_mut().unwrap();
    let Some(Body::Ended(ended)) = last.body.clone() else { panic!("the last message ends the call") };
    last.body = Some(Body::Ended(CallEnded { reason: EndReason::Stopped.into(), stopped_by: by, ..ended }));
    messages
}

fn journal(bench: &Bench, sealed: &RecordingSealed) -> serde_json::Value {
    serde_json::from_slice(&bench.file(sealed, "_journal.json")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_the_proof_of_consent_is_signed_with_the_recording_that_rests_on_it() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let proof = Consent {
        mode: ConsentMode::OptOut,
        outcome: ConsentOutcome::NoAnswer,
        key: None,
        at_unix_us: BEGIN_US + 3_000_000,
        announcement: Some("greeting".parse().unwrap()),
        announcement_sha256: Some("ab".repeat(32)),
        source: ConsentSource::RecordedCall,
    };
    let mut call = Call::new(2);
    call.class = "consent";
    bench.publish(begun(&call, |started| recorded(started).consent = Some((&proof).into()))).await;
    let sealed = bench.announced(1).await.remove(0);

    let line = bench.info_value(&sealed, "Consent").unwrap();
    let hash = "ab".repeat(32);
    let expected = format!(
        "no-answer; optOut; 2026-11-22T10:15:33.123+01:00; announcement greeting; sha256 {hash}; recorded call"
    );
    assert_eq!(line, expected);
    let parsed = ParsedInfo::parse(&bench.file(&sealed, "_info.txt"));
    assert_eq!(parsed.consent(), Some(Some(proof)));
    let journal = journal(&bench, &sealed);
    assert_eq!(
        (&journal["consent"]["outcome"], &journal["consent"]["key"]),
        (&"no-answer".into(), &serde_json::Value::Null)
    );

    // Of a recording that needs none, that stands there too.
    let mut call = Call::new(1);
    call.class = "consent";
    bench.publish(call.messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&sealed, "Consent").as_deref(), Some("none"));
    assert_eq!(ParsedInfo::parse(&bench.file(&sealed, "_info.txt")).consent(), Some(None));
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_a_stop_is_signed_with_who_wanted_it_and_a_new_start_is_another_recording_of_the_call() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let (first, second) = (Call::new(2), Call::new(3));
    let by = StoppedBy { way: "API".to_owned(), user: "erika".to_owned() };
    bench.publish(stopped(&first, Some(by))).await;
    let before = bench.announced(1).await.remove(0);
    let at_unix_us = "2026-11-22T09:15:40Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let by = StartedBy { at_unix_us, way: "phone button".to_owned(), user: "max".to_owned() };
    bench.publish(begun(&second, |call| recorded(call).started_by = Some(by))).await;
    let after = bench.announced(1).await.remove(0);

    for (key, value) in [
        ("Interrupted", "no"),
        ("Stopped", "2026-11-22T10:15:32.123+01:00 by API"),
        ("StoppedBy", "erika"),
        ("Ended", "stopped by a user"),
        ("Duration", "0:00:02.000"),
    ] {
        assert_eq!(bench.info_value(&before, key).as_deref(), Some(value), "{key}");
    }
    let stop = &journal(&bench, &before)["stopped"];
    assert_eq!((&stop["way"], &stop["user"]), (&"API".into(), &"erika".into()));
    assert_eq!(bench.info_value(&after, "Stopped"), None);
    assert_eq!(bench.info_value(&before, "Started"), None, "by itself");
    let said = ["Started", "StartedBy"].map(|key| bench.info_value(&after, key).unwrap());
    assert_eq!(said, ["2026-11-22T10:15:40.000+01:00 by phone button", "max"]);
    let start = &journal(&bench, &after)["started"];
    assert_eq!((&start["way"], &start["user"]), (&"phone button".into(), &"max".into()));
    let call_ids = [&before, &after].map(|sealed| bench.info_value(sealed, "CallId"));
    assert_eq!(call_ids, [Some("call-1@pbx".to_owned()), Some("call-1@pbx".to_owned())]);
    assert_eq!((before.chain_position, after.chain_position), (1, 2));
    assert_eq!(bench.info_value(&after, "PreviousRecording"), Some(first.recording.to_string()));
    // Keys say which phone, not who held it.
    let third = Call::new(1);
    let by = StoppedBy { way: "keys on the callee's phone".to_owned(), user: String::new() };
    bench.publish(stopped(&third, Some(by))).await;
    let keys = bench.announced(1).await.remove(0);
    assert!(bench.info_value(&keys, "Stopped").unwrap().ends_with(" by keys on the callee's phone"));
    assert_eq!(bench.info_value(&keys, "StoppedBy"), None);
    bench.audit_is_good(3);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_recording_by_hand_never_appears_in_the_regulated_lane_or_target() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    // The same call: recorded by duty on one leg, by hand on the other, between two others.
    let regulated: Vec<Call> = (0..2).map(|_| Call::new(1)).collect();
    let mut by_hand = Call::new(1);
    by_hand.class = "manual";
    bench.publish(regulated[0].messages()).await;
    bench
        .publish(begun(&by_hand, |started| {
            recorded(started).targets = vec!["private".to_owned()];
            recorded(started).journals = Vec::new();
        }))
        .await;
    bench.publish(regulated[1].messages()).await;
    let sealed = bench.announced(3).await;

    let manual = sealed.iter().find(|s| s.recording_id == by_hand.recording.to_string()).unwrap();
    assert_eq!((manual.class.as_str(), manual.chain_position), ("manual", 1));
    assert_eq!((manual.targets.as_slice(), manual.journals.len()), (&["private".to_owned()][..], 0));
    assert_eq!(bench.info_value(manual, "Class").as_deref(), Some("manual"));
    assert_eq!(bench.info_value(manual, "PreviousRecording").as_deref(), Some("none"));
    for sealed in sealed.iter().filter(|s| s.recording_id != manual.recording_id) {
        assert_eq!(
            (sealed.class.as_str(), sealed.targets.as_slice()),
            ("regulated", &["archive".to_owned()][..])
        );
        let previous = bench.info_value(sealed, "PreviousRecording").unwrap();
        assert_ne!(previous, manual.recording_id, "the chain of the duty goes past what is private");
    }
    let mut positions: Vec<u64> =
        sealed.iter().filter(|s| s.class == "regulated").map(|s| s.chain_position).collect();
    positions.sort_unstable();
    assert_eq!(positions, [1, 2]);
    // Each class is an archive of its own that is whole without the other.
    bench.audit_is_good(3);
    for file in files_below(&bench.path("staging/sealed")) {
        if file.to_str().unwrap().contains(&manual.recording_id) {
            std::fs::remove_file(file).unwrap();
        }
    }
    std::fs::remove_dir_all(bench.path("export")).unwrap();
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_call_was_answered_is_signed_whether_it_was_known_at_the_beginning_or_told_later() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let answered_unix_us = BEGIN_US + 1_000_000;
    let known = Call::new(1);
    bench.publish(begun(&known, |started| started.answered_unix_us = answered_unix_us)).await;
    let sealed = bench.announced(1).await.remove(0);
    let expected = Some("2026-11-22T10:15:31.123+01:00");
    assert_eq!(bench.info_value(&sealed, "Answered").as_deref(), expected);

    let told = Call::new(2);
    let mut bodies: Vec<Body> = told.messages().into_iter().filter_map(|message| message.body).collect();
    let change = |answered_unix_us| {
        Body::Changed(wire::call_v1::CallChanged { answered_unix_us, ..Default::default() })
    };
    bodies.insert(1, change(answered_unix_us));
    // A later change that says nothing about it takes nothing back.
    bodies.insert(3, change(0));
    bench.publish((0..).zip(bodies).map(|(number, body)| told.message(number, body))).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&sealed, "Answered").as_deref(), expected);
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..2), said(1, 0..2)]);

    let never = Call::new(1);
    bench.publish(never.messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&sealed, "Answered").as_deref(), Some("no"));
    signer.stop().await;
}
