//! Stops, starts, and a recording by legal duty that takes over.

use domain::{AskedBy, ConsentMode, Side};

use super::{
    consent_tests::{
        BEGIN, HEARD, OVER, SECOND, ask, call, decided, decided_at, ended, press, recorded, run, speech,
        start, start_at, stop, told,
    },
    *,
};

#[test]
fn f32_an_own_user_stops_the_recording_by_keys_and_what_is_recorded_until_then_stays() {
    let seen = run(vec![
        decided(Verdict::Record(recorded("desk", Class::Regulated))),
        speech(0..1),
        press(0, "*", BEGIN + SECOND),
        press(0, "1", BEGIN + 2 * SECOND),
        press(1, "*", BEGIN + 3 * SECOND),
        press(1, "1", BEGIN + 4 * SECOND),
        // Of another socket, handed over later.
        speech(4..5),
        speech(5..9),
        Input::Time(BEGIN + 5 * SECOND),
        speech(5..9),
        ended(OVER),
    ]);
    let expected = [
        "decided: record by desk",
        "started by desk",
        "audio of [0]",
        "audio of [1]",
        "audio of [2]",
        "audio of [3]",
        "audio of [4]",
        "audio of [4]",
        "ended by keys on the callee's phone at 4",
        "stopped",
        "DiscardMedia",
        "Finish",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_stopped_recording_is_begun_anew_only_by_a_start_or_another_rule() {
    let desk = || decided(Verdict::Record(recorded("desk", Class::Regulated)));
    let mut call = call();
    for input in [desk(), speech(0..2), stop(HEARD)] {
        let _ = call.step(input);
    }
    assert!(call.step(desk()).is_empty(), "the rule that was stopped");
    let seen: Vec<_> = call.step(start()).iter().flat_map(told).collect();
    assert_eq!(seen, ["NextRecording", "decided: record by button", "started by button", "ResumeMedia"]);
    let seen: Vec<_> = call.step(speech(3..4)).iter().flat_map(told).collect();
    assert_eq!(seen, ["audio of [3]"]);
    let effects = call.step(ended(OVER));
    let Effect::Send(Body::Ended(end)) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(end.packets_received, [1, 1], "of this recording alone");
}

#[test]
fn a_recording_by_legal_duty_takes_over_from_another_one() {
    let seen = run(vec![
        decided(Verdict::DoNotRecord(NotRecorded { reason: "no rule matches".into() })),
        start(),
        speech(0..1),
        decided(Verdict::Record(recorded("desk", Class::Regulated))),
        speech(1..2),
        decided(Verdict::Record(recorded("vip", Class::Regulated))),
        ended(OVER),
    ]);
    let expected = [
        "decided: no rule matches",
        "DiscardMedia",
        "decided: record by button",
        "started by button",
        "ResumeMedia",
        "audio of [0]",
        "ended by a recording by legal duty at 0",
        "NextRecording",
        "decided: record by desk",
        "started by desk",
        "audio of [1]",
        "ended",
        "Finish",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_refused_call_that_a_user_starts_to_record_is_a_manual_recording() {
    let seen = run(vec![
        ask(ConsentMode::OptOut, AskedBy::RecordedCall),
        speech(0..1),
        press(0, "5", BEGIN + SECOND / 2),
        start(),
        speech(1..2),
        stop(HEARD),
        start(),
        ended(OVER),
    ]);
    assert_eq!(
        seen[4..],
        [
            "decided: record by button",
            "started by button",
            "ResumeMedia",
            "audio of [1]",
            "ended by API at 2",
            "stopped",
            "DiscardMedia",
            "NextRecording",
            "decided: record by button",
            "started by button",
            "ResumeMedia",
            "ended",
            "Finish"
        ]
    );
}

#[test]
fn nothing_from_before_a_start_or_a_decision_without_a_proof_is_kept_also_if_it_comes_later() {
    let by_pbx = decided_at(Verdict::Record(recorded("hotline", Class::Consent)), HEARD);
    for begin in [start_at(HEARD), by_pbx] {
        // The last chunk began before, and is handed over afterwards.
        let seen =
            run(vec![ask(ConsentMode::OptIn, AskedBy::ConsentCall), speech(0..1), begin, speech(1..4)]);
        assert_eq!(seen.last().unwrap(), "audio of [2, 3]");
        assert!(seen.iter().filter(|s| s.contains("audio")).count() == 1, "{seen:?}");
    }
    // What was under way when nobody was to be recorded.
    let seen = run(vec![
        decided(Verdict::DoNotRecord(NotRecorded { reason: "no rule matches".into() })),
        start_at(HEARD),
        speech(1..4),
    ]);
    assert_eq!(seen.last().unwrap(), "audio of [2, 3]");
}

#[test]
fn f32_keys_count_for_who_is_on_a_side_and_not_for_who_was() {
    let star_one =
        |side, at| [press(side, "*", BEGIN + at * SECOND), press(side, "1", BEGIN + (at + 1) * SECOND)];
    let transferred_after_half_of_the_code = vec![
        decided(Verdict::Record(recorded("desk", Class::Regulated))),
        press(1, "*", BEGIN),
        Input::Newcomer(Side::Callee),
        press(1, "1", BEGIN + SECOND),
        Input::Time(BEGIN + 2 * SECOND),
        Input::OwnSides(vec![Side::Callee]),
        press(1, "1", BEGIN + 2 * SECOND),
        Input::Time(BEGIN + 3 * SECOND),
    ];
    let newcomer_of_ours = star_one(1, 4).into_iter().chain([Input::Time(BEGIN + 6 * SECOND), ended(OVER)]);
    let seen = run(transferred_after_half_of_the_code.into_iter().chain(newcomer_of_ours).collect());
    assert!(seen.contains(&"ended by keys on the callee's phone at 5".to_owned()), "{seen:?}");

    // Asked for consent first: what changes meanwhile holds for the recording that comes of it.
    let seen = run([ask(ConsentMode::OptIn, AskedBy::ConsentCall), Input::Newcomer(Side::Callee)]
        .into_iter()
        .chain([Input::OwnSides(vec![Side::Caller]), start()])
        .chain(star_one(1, 1))
        .chain([Input::Time(BEGIN + 3 * SECOND), ended(OVER)])
        .collect());
    assert!(
        seen.contains(&"ended by keys on the callee's phone at 2".to_owned()),
        "a start says itself: {seen:?}"
    );
}

#[test]
fn a_question_goes_on_when_only_who_may_stop_the_recording_is_another() {
    let asked = || ask(ConsentMode::OptIn, AskedBy::RecordedCall);
    let Input::Decided { decision, at_unix_us } = asked() else { unreachable!() };
    let Verdict::AskConsent(mut question) = decision.verdict.clone() else { unreachable!() };
    question.recorded.stop_keys.as_mut().unwrap().sides.clear();
    let other = Decision { verdict: Verdict::AskConsent(question), ..decision };
    let mut call = call();
    let _ = call.step(asked());
    let effects = call.step(Input::Decided { decision: other, at_unix_us });
    assert!(effects.is_empty(), "nobody is asked anew: {effects:?}");
}
