use domain::{Channels, Class, Direction, NotRecorded, Recorded, Verdict};

use super::*;

fn chunk(text: &[u8]) -> Input {
    let mut chunk = RawChunk::with_capacity(0);
    assert!(chunk.push(0, false, 1, text));
    Input::Heard(chunk)
}

fn decision(record: bool) -> Input {
    let recorded = Recorded {
        rule: "desk".parse().unwrap(),
        class: Class::Regulated,
        channels: Channels::Stereo,
        targets: vec![],
        journals: vec![],
        consent: None,
        stop_keys: None,
    };
    let not = NotRecorded { reason: "no rule matches".into() };
    let verdict = if record { Verdict::Record(recorded) } else { Verdict::DoNotRecord(not) };
    decided(verdict)
}

fn decided(verdict: Verdict) -> Input {
    let decision = Decision { direction: Direction::In, verdict, trace: vec![] };
    Input::Decided { decision, at_unix_us: 0 }
}

fn changed(reason: &str) -> Input {
    Input::Changed(CallChanged { reason: reason.into(), ..CallChanged::default() })
}

fn told(effects: &[Effect]) -> Vec<String> {
    let one = |effect: &Effect| match effect {
        Effect::Send(Body::Started(s)) => {
            format!("started by {}", s.decision.as_ref().unwrap().recorded.as_ref().unwrap().rule)
        }
        Effect::Send(Body::Audio(a)) => {
            a.packets.iter().map(|p| String::from_utf8_lossy(&p.data).into_owned()).collect()
        }
        Effect::Send(Body::Changed(c)) => c.reason.clone(),
        Effect::Send(Body::Ended(_)) => "ended".into(),
        Effect::Send(Body::NodeStarted(_)) => "node".into(),
        other => format!("{other:?}"),
    };
    // Each decision is told as an event; that is looked at elsewhere.
    effects.iter().filter(|effect| !matches!(effect, Effect::Settled(_))).map(one).collect()
}

/// All effects of some inputs, in order.
fn run(inputs: Vec<Input>) -> Vec<String> {
    let mut call = CallState::new(CallStarted::default());
    inputs.into_iter().flat_map(|input| told(&call.step(input))).collect()
}

fn ended() -> Input {
    Input::Ended(CallEnded::default())
}

#[test]
fn what_was_heard_before_the_decision_follows_the_start_in_order() {
    let seen =
        run(vec![chunk(b"one"), changed("held"), chunk(b"two"), decision(true), chunk(b"three"), ended()]);
    assert_eq!(seen, ["started by desk", "one", "held", "two", "three", "ended", "Finish"]);
}

#[test]
fn nothing_of_a_call_that_is_not_recorded_is_sent() {
    let seen = run(vec![chunk(b"a"), decision(false), chunk(b"b"), changed("held"), ended(), chunk(b"c")]);
    assert_eq!(seen, ["DiscardMedia", "Finish"]);
}

#[test]
fn a_call_that_ends_before_its_decision_is_recorded_all_the_same() {
    assert_eq!(run(vec![chunk(b"a"), ended(), decision(true)]), ["started by desk", "a", "ended", "Finish"]);
    assert_eq!(run(vec![chunk(b"a"), ended(), decision(false)]), ["Finish"]);
}

#[test]
fn a_recorded_call_stays_recorded() {
    assert_eq!(run(vec![decision(true), decision(false), chunk(b"a")]), ["started by desk", "a"]);
}

#[test]
fn a_call_that_comes_into_scope_is_recorded_from_then_on() {
    let seen = run(vec![chunk(b"private"), decision(false), decision(true), chunk(b"business"), ended()]);
    assert_eq!(seen, ["DiscardMedia", "started by desk", "ResumeMedia", "business", "ended", "Finish"]);
}

#[test]
fn a_call_without_any_packet_makes_a_record() {
    assert_eq!(run(vec![decision(true), ended()]), ["started by desk", "ended", "Finish"]);
}

#[test]
fn undecided_memory_is_told_and_falls_to_nothing_with_the_decision() {
    let mut call = CallState::new(CallStarted::default());
    assert!(call.step(chunk(b"a")).is_empty());
    let one = call.waiting_bytes();
    assert!(one > 0 && call.step(chunk(b"b")).is_empty());
    assert_eq!(call.waiting_bytes(), 2 * one);
    assert_eq!(call.step(decision(true)).len(), 4);
    assert_eq!(call.waiting_bytes(), 0);
}
