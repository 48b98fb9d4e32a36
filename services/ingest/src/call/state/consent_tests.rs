//! Consent: what reaches the bus, and what never does.

use std::time::Duration;

use domain::{
    AnnouncementPlayed, AskedBy, Channels, ConsentAsked, ConsentMode, ConsentOutcome, ConsentSource,
    Direction, Side, StopKeys,
};
use media::dtmf::sender;
use proptest::prelude::*;

use super::*;
use crate::call::keys::tests::{EVENT, stream};

pub(super) const SECOND: i64 = 1_000_000;
/// The first packet of the calls in here.
pub(super) const BEGIN: i64 = 1_000 * SECOND;
/// The announcement takes two seconds, the time for a key three.
pub(super) const HEARD: i64 = BEGIN + 2 * SECOND;
pub(super) const OVER: i64 = HEARD + 3 * SECOND;

pub(super) fn call() -> CallState {
    let streams = vec![stream(0, Side::Caller), stream(1, Side::Callee)];
    CallState::new(CallStarted { streams, ..CallStarted::default() })
}

pub(super) fn recorded(rule: &str, class: Class) -> Recorded {
    Recorded {
        rule: rule.parse().unwrap(),
        class,
        channels: Channels::Stereo,
        targets: vec![],
        journals: vec![],
        consent: None,
        stop_keys: Some(StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band: false }),
    }
}

fn asked(mode: ConsentMode, asked_by: AskedBy) -> ConsentAsked {
    ConsentAsked {
        recorded: recorded("hotline", Class::Consent),
        mode,
        asked_by,
        asked_side: Side::Caller,
        announcement: Some(AnnouncementPlayed {
            name: "greeting".parse().unwrap(),
            sha256: "00ff".into(),
            duration_ms: 2_000,
        }),
        key: Some('5'),
        window_ms: 3_000,
        in_band: false,
    }
}

fn consent(outcome: ConsentOutcome, at_unix_us: i64) -> Consent {
    Consent {
        mode: ConsentMode::OptIn,
        outcome,
        key: None,
        at_unix_us,
        announcement: None,
        announcement_sha256: None,
        source: ConsentSource::ConsentCall,
    }
}

pub(super) fn decided(verdict: Verdict) -> Input {
    decided_at(verdict, BEGIN)
}

pub(super) fn decided_at(verdict: Verdict, at_unix_us: i64) -> Input {
    let decision = Decision { direction: Direction::In, verdict, trace: vec!["hotline: matches".into()] };
    Input::Decided { decision, at_unix_us }
}

pub(super) fn ask(mode: ConsentMode, asked_by: AskedBy) -> Input {
    decided(Verdict::AskConsent(Box::new(asked(mode, asked_by))))
}

fn with_consent(outcome: ConsentOutcome, at_unix_us: i64) -> Input {
    let consent = Some(consent(outcome, at_unix_us));
    decided(Verdict::Record(Recorded { consent, ..recorded("hotline", Class::Consent) }))
}

pub(super) fn start() -> Input {
    start_at(BEGIN)
}

pub(super) fn start_at(at_unix_us: i64) -> Input {
    let Input::Decided { decision, .. } = decided(Verdict::Record(recorded("button", Class::Manual))) else {
        unreachable!()
    };
    let by = StartedBy { at_unix_us, way: "API".into(), user: "erika".into() };
    Input::Start { decision, by }
}

pub(super) fn stop(at_unix_us: i64) -> Input {
    Input::Stop { by: StoppedBy { way: "API".into(), user: String::new() }, at_unix_us }
}

pub(super) fn ended(at_unix_us: i64) -> Input {
    Input::Ended(CallEnded { at_unix_us, packets_received: vec![7, 7], ..CallEnded::default() })
}

/// Speech of both sides: a packet each second of `seconds` after the begin, whose payload says when.
pub(super) fn speech(seconds: std::ops::Range<i64>) -> Input {
    let mut chunk = RawChunk::with_capacity(1 << 14);
    for at in seconds.map(|second| BEGIN + second * SECOND) {
        for stream in 0..2 {
            let mut packet = vec![0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            packet.extend(at.to_be_bytes());
            assert!(chunk.push(stream, false, at, &packet));
        }
    }
    Input::Heard(chunk)
}

/// A key press of 100 ms.
pub(super) fn press(stream: u32, key: &str, at_unix_us: i64) -> Input {
    let (held, interval) = (Duration::from_millis(100), Duration::from_millis(20));
    let mut chunk = RawChunk::with_capacity(1 << 12);
    for event in sender::key_press(key.parse().unwrap(), held, interval, 8_000) {
        let mut packet = vec![0x80, EVENT, 0, 0];
        packet.extend(u32::try_from(at_unix_us / 125 % (1 << 32)).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        packet.extend(event.payload);
        let after = i64::try_from(event.send_after.as_micros()).unwrap() - 20_000;
        assert!(chunk.push(stream, false, at_unix_us + after, &packet));
    }
    Input::Heard(chunk)
}

/// What comes of some inputs, in words.
pub(super) fn run(inputs: Vec<Input>) -> Vec<String> {
    let mut call = call();
    inputs.into_iter().flat_map(|input| call.step(input)).flat_map(|effect| told(&effect)).collect()
}

pub(super) fn told(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Settled(decision) => vec![match &decision.verdict {
            Verdict::Record(r) => format!("decided: record by {}", r.rule),
            Verdict::AskConsent(_) => "decided: ask".to_owned(),
            Verdict::DoNotRecord(not) => format!("decided: {}", not.reason),
        }],
        Effect::Answered { consent, is_final, .. } => {
            vec![format!("{}{}", consent.outcome, if *is_final { "" } else { " (this leg)" })]
        }
        Effect::Send(Body::Started(s)) => {
            let recorded = s.decision.as_ref().unwrap().recorded.as_ref().unwrap();
            vec![format!("started by {}", recorded.rule)]
        }
        Effect::Send(Body::Audio(audio)) => {
            let mut seconds: Vec<_> =
                audio.packets.iter().map(|p| (p.arrival_unix_us - BEGIN) / SECOND).collect();
            seconds.dedup();
            vec![format!("audio of {seconds:?}")]
        }
        Effect::Send(Body::Ended(e)) => match &e.stopped_by {
            Some(by) => vec![format!("ended by {} at {}", by.way, (e.at_unix_us - BEGIN) / SECOND)],
            None => vec!["ended".to_owned()],
        },
        Effect::Send(other) => vec![format!("{other:?}")],
        Effect::Stopped(_) => vec!["stopped".to_owned()],
        other => vec![format!("{other:?}")],
    }
}

use AskedBy::{ConsentCall, Pbx, RecordedCall};
use ConsentMode::{NoChoice, OptIn, OptOut};

#[test]
fn f20_opt_in_is_recorded_from_the_key_on_and_what_was_before_is_wiped() {
    let seen = run(vec![
        speech(0..2),
        ask(OptIn, RecordedCall),
        speech(2..4),
        press(0, "5", HEARD + 2 * SECOND),
        speech(5..6),
        ended(OVER),
    ]);
    let expected = [
        "decided: ask",
        "granted",
        "decided: record by hotline",
        "started by hotline",
        "audio of [4]",
        "audio of [5]",
        "ended",
        "Finish",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn f21_a_wrong_key_the_other_sides_key_an_early_key_and_a_late_key_are_no_consent() {
    for key in [
        press(0, "4", HEARD + SECOND),
        press(1, "5", HEARD + SECOND),
        press(0, "5", BEGIN + SECOND),
        press(0, "5", OVER + 1),
    ] {
        let mut call = call();
        let mut seen = Vec::new();
        for input in [ask(OptIn, RecordedCall), speech(0..1), key, Input::Time(OVER + 1), speech(6..9)] {
            seen.extend(call.step(input).iter().flat_map(told));
        }
        let expected =
            ["decided: ask", "no-answer", "decided: consent was not given in time", "DiscardMedia"];
        assert_eq!(seen, expected);
        assert_eq!((call.standing(), call.waiting_bytes()), (Standing::NotRecorded, 0));
    }
}

#[test]
fn f22_without_a_key_opt_out_and_no_choice_are_recorded_from_the_end_of_the_time_on() {
    for (mode, since) in [(OptOut, OVER), (NoChoice, HEARD)] {
        let now = since + SECOND;
        let seconds = 0..(now - BEGIN) / SECOND;
        let seen = run(vec![ask(mode, RecordedCall), speech(seconds), Input::Time(now), ended(now)]);
        let from = (since - BEGIN) / SECOND;
        let audio = format!("audio of [{from}]");
        let expected =
            ["no-answer", "decided: record by hotline", "started by hotline", &audio, "ended", "Finish"];
        assert_eq!(seen[1..], expected, "{mode}");
    }
}

#[test]
fn f22_the_key_of_opt_out_refuses_from_the_first_moment_of_the_announcement_on() {
    let seen = run(vec![
        ask(OptOut, RecordedCall),
        speech(0..1),
        press(0, "5", BEGIN + SECOND / 2),
        speech(1..9),
        Input::Time(OVER + SECOND),
        ended(OVER + SECOND),
    ]);
    assert_eq!(seen, ["decided: ask", "denied", "decided: consent was denied", "DiscardMedia", "Finish"]);
}

#[test]
fn who_hangs_up_while_asked_is_not_recorded() {
    for (mode, answer) in [(OptIn, "no-answer (this leg)"), (OptOut, "denied (this leg)")] {
        let seen = run(vec![ask(mode, RecordedCall), speech(0..2), ended(HEARD)]);
        assert_eq!(seen[1], answer);
        assert!(seen.iter().all(|s| !s.contains("audio") && !s.contains("started")), "{seen:?}");
        assert_eq!(seen.last().unwrap(), "Finish");
    }
    let seen = run(vec![ask(OptOut, Pbx), speech(0..2), ended(OVER + SECOND)]);
    assert_eq!(seen[1..], ["decided: the call ended before consent was given", "DiscardMedia", "Finish"]);
}

#[test]
fn a_call_that_was_over_before_rules_asked_is_heard_to_its_end_all_the_same() {
    let seen = run(vec![speech(0..1), press(0, "5", HEARD + SECOND), ended(OVER), ask(OptIn, RecordedCall)]);
    assert_eq!(seen[1..4], ["granted", "decided: record by hotline", "started by hotline"]);
    assert_eq!(seen[4..], ["audio of [3]", "ended", "Finish"]);
    let seen = run(vec![speech(0..9), ended(OVER), ask(OptIn, ConsentCall)]);
    assert_eq!(seen[1..], ["decided: the call ended before consent was given", "DiscardMedia", "Finish"]);
}

#[test]
fn an_answer_from_elsewhere_begins_the_recording_at_its_moment() {
    for by in [ConsentCall, Pbx] {
        let seen = run(vec![
            ask(OptOut, by),
            speech(0..3),
            press(0, "5", BEGIN + SECOND),
            with_consent(ConsentOutcome::Granted, BEGIN + 2 * SECOND),
            speech(3..4),
        ]);
        let expected = ["decided: record by hotline", "started by hotline", "audio of [2]", "audio of [3]"];
        assert_eq!(seen[1..], expected, "the key in this call is none of ours");
    }
}

#[test]
fn an_answer_from_elsewhere_is_given_up_after_a_minute_and_may_still_come() {
    let late = OVER + 60 * SECOND;
    for mode in [OptIn, OptOut, NoChoice] {
        let mut call = call();
        assert_eq!(call.step(ask(mode, ConsentCall)).len(), 1);
        assert!(call.step(speech(0..5)).is_empty() && call.step(Input::Time(late - 1)).is_empty());
        assert_eq!(call.deadline_unix_us(), Some(late));
        let seen: Vec<_> = call.step(Input::Time(late)).iter().flat_map(told).collect();
        assert_eq!(seen, ["decided: no answer to the question for consent came", "DiscardMedia"]);
        assert!(call.step(ask(mode, ConsentCall)).is_empty(), "not asked again by the same rule");
        let granted = call.step(with_consent(ConsentOutcome::Granted, late));
        let seen: Vec<_> = granted.iter().flat_map(told).collect();
        assert_eq!(seen, ["decided: record by hotline", "started by hotline", "ResumeMedia"]);
    }
}

#[test]
fn a_recording_never_rests_on_a_refusal_whoever_says_so() {
    let seen =
        run(vec![speech(0..2), with_consent(ConsentOutcome::Denied, BEGIN), speech(2..3), ended(OVER)]);
    assert_eq!(seen, ["decided: consent to the recording was not given", "DiscardMedia", "Finish"]);
}

#[test]
fn spent_memory_ends_the_question_and_silence_afterwards_is_no_answer() {
    let seen = run(vec![
        ask(OptOut, RecordedCall),
        speech(0..2),
        Input::MemorySpent,
        ask(OptOut, RecordedCall),
        Input::Time(OVER + SECOND),
        speech(8..9),
        ended(OVER + SECOND),
    ]);
    let expected = [
        "decided: ask",
        "decided: the memory for undecided audio was spent before consent was given",
        "DiscardMedia",
        "Finish",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_permits_by_one_rules_terms_permits_nothing_by_stricter_ones() {
    let mut call = call();
    for input in [ask(OptOut, RecordedCall), speech(0..1), Input::Time(OVER + SECOND), stop(OVER + SECOND)] {
        let _ = call.step(input);
    }
    assert_eq!(call.standing(), Standing::Stopped, "silence permitted it");
    let mut other = asked(OptIn, RecordedCall);
    other.recorded.rule = "sales".parse().unwrap();
    assert!(call.step(decided(Verdict::AskConsent(Box::new(other)))).is_empty());
    assert_eq!(call.standing(), Standing::Stopped);
}

#[test]
fn who_refused_in_this_leg_is_recorded_by_a_later_answer_or_by_duty_alone() {
    let refused = BEGIN + SECOND / 2;
    let consent_rule = || recorded("sales", Class::Consent);
    for (verdict, expected) in [
        (Verdict::Record(consent_rule()), Standing::NotRecorded),
        (
            Verdict::Record(Recorded {
                consent: Some(consent(ConsentOutcome::Granted, refused - 1)),
                ..consent_rule()
            }),
            Standing::NotRecorded,
        ),
        (
            Verdict::Record(Recorded {
                consent: Some(consent(ConsentOutcome::Granted, refused + SECOND)),
                ..consent_rule()
            }),
            Standing::Recorded,
        ),
        (Verdict::Record(recorded("desk", Class::Regulated)), Standing::Recorded),
    ] {
        let mut call = call();
        for input in [ask(OptOut, RecordedCall), speech(0..1), press(0, "5", refused)] {
            let _ = call.step(input);
        }
        assert_eq!(call.standing(), Standing::NotRecorded);
        let _ = call.step(decided(verdict));
        assert_eq!(call.standing(), expected);
    }
}

#[test]
fn nobody_is_asked_twice_in_one_call() {
    let mut call = call();
    for input in [ask(OptIn, RecordedCall), speech(0..1), press(0, "5", HEARD), stop(HEARD + SECOND)] {
        let _ = call.step(input);
    }
    assert_eq!(call.standing(), Standing::Stopped);
    let mut other = asked(OptIn, RecordedCall);
    other.recorded.rule = "sales".parse().unwrap();
    let seen = call.step(decided(Verdict::AskConsent(Box::new(other))));
    let seen: Vec<_> = seen.iter().flat_map(told).collect();
    assert_eq!(seen, ["NextRecording", "decided: record by sales", "started by sales", "ResumeMedia"]);
}

#[test]
fn what_is_asked_in_the_call_keeps_only_the_last_seconds_in_memory() {
    let mut call = call();
    let _ = call.step(ask(OptIn, RecordedCall));
    let mut most = 0;
    let patient = ConsentAsked { window_ms: 600_000, ..asked(OptIn, RecordedCall) };
    let _ = call.step(decided(Verdict::AskConsent(Box::new(patient))));
    for second in 0..300 {
        assert!(call.step(speech(second..second + 1)).is_empty());
        most = most.max(call.waiting_bytes());
    }
    let Input::Heard(one) = speech(0..1) else { unreachable!() };
    assert!(most <= 6 * one.memory(), "{most}");
}

fn any_input() -> impl Strategy<Value = Input> {
    let mode = prop::sample::select(ConsentMode::ALL);
    let by = prop::sample::select(AskedBy::ALL);
    let outcome = prop::sample::select(ConsentOutcome::ALL);
    let second = 0..12_i64;
    let at = (0..12_000_i64).prop_map(|ms| BEGIN + ms * 1_000);
    let key = prop::sample::select(vec!["5", "4", "*", "1"]);
    prop_oneof![
        6 => second.prop_map(|s| speech(s..s + 2)),
        4 => (0..2_u32, key, at.clone()).prop_map(|(stream, key, at)| press(stream, key, at)),
        4 => at.clone().prop_map(Input::Time),
        3 => (mode, by).prop_map(|(mode, by)| ask(mode, by)),
        2 => (outcome, at.clone()).prop_map(|(outcome, at)| with_consent(outcome, at)),
        1 => at.clone().prop_map(|at| decided_at(Verdict::Record(recorded("hotline", Class::Consent)), at)),
        1 => Just(()).prop_map(|()| decided(Verdict::DoNotRecord(NotRecorded { reason: "denied".into() }))),
        1 => Just(()).prop_map(|()| Input::MemorySpent),
        1 => at.clone().prop_map(stop),
        1 => at.clone().prop_map(start_at),
        1 => Just(()).prop_map(|()| Input::Changed(CallChanged::default())),
        1 => at.prop_map(ended),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_from_before_consent_is_sent_and_every_recording_is_whole(
        mode in prop::sample::select(ConsentMode::ALL),
        by in prop::sample::select(AskedBy::ALL),
        inputs in prop::collection::vec(any_input(), 0..25),
    ) {
        let mut call = call();
        // The recording that is open, as its start describes it; how many there were.
        let mut open: Option<wire::call_v1::Recorded> = None;
        let (mut begun, mut announced, mut answered) = (0, 0, 0);
        // Nothing that came before belongs to the recording that is open.
        let mut floor = i64::MIN;
        for input in std::iter::once(ask(mode, by)).chain(inputs) {
            let now = match &input {
                Input::Start { by, .. } => by.at_unix_us,
                Input::Decided { at_unix_us, .. } => *at_unix_us,
                _ => i64::MIN,
            };
            for effect in call.step(input) {
                match effect {
                    Effect::NextRecording => announced += 1,
                    Effect::Answered { .. } => {
                        answered += 1;
                        prop_assert_eq!(answered, 1, "nobody answers twice");
                    }
                    Effect::Send(Body::Started(started)) => {
                        prop_assert!(open.is_none(), "two at once");
                        begun += 1;
                        prop_assert_eq!(announced, begun - 1, "each after the first has an id of its own");
                        open = started.decision.and_then(|decision| decision.recorded);
                        // Without a proof, from that moment on.
                        let consent = open.as_ref().and_then(|recorded| recorded.consent.as_ref());
                        floor = consent.map_or(now, |consent| consent.at_unix_us);
                    }
                    Effect::Send(Body::Audio(audio)) => {
                        let recorded = open.as_ref().expect("audio belongs to a recording");
                        prop_assert!(audio.packets.iter().all(|p| p.arrival_unix_us >= floor));
                        if let Some(consent) = &recorded.consent {
                            let consent = Consent::try_from(consent.clone()).unwrap();
                            prop_assert!(consent.permits());
                            prop_assert!(!audio.packets.is_empty());
                            prop_assert!(audio.packets.iter().all(|p| p.arrival_unix_us >= consent.at_unix_us));
                        }
                    }
                    Effect::Send(Body::Ended(_)) => prop_assert!(open.take().is_some(), "ended twice"),
                    Effect::Finish => prop_assert!(open.is_none(), "an end for each start"),
                    _ => {}
                }
            }
            let waits = matches!(call.standing(), Standing::Undecided | Standing::Asking);
            prop_assert!(waits || call.waiting_bytes() == 0, "nothing is kept that is not waited for");
            prop_assert_eq!(open.is_some(), call.is_recorded());
        }
    }
}
