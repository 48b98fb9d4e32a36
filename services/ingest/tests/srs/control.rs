//! What rules can ask of a live call, and what the PBX says of it in headers (F-16, F-17, F-32).

use std::time::Duration;

use bus::{BusError, subjects};
use domain::{Class, Verdict};
use wire::{
    call_v1::{EndReason, StoppedBy},
    event_v1::event::What,
    rules_v1::{CallControl, CallControlled, CallStanding, DecideAgain, Describe, Start, Stop, call_control},
};

use super::{
    desk::{Desk, Talk, decision, not_recorded, recorded},
    rig::TENANT,
};

fn describe() -> call_control::What {
    call_control::What::Describe(Describe {})
}

fn stop() -> call_control::What {
    let by = StoppedBy { way: "API".into(), user: "erika".into() };
    call_control::What::Stop(Stop { by: Some(by) })
}

fn start() -> call_control::What {
    let decision = decision(Verdict::Record(recorded(Class::Manual)));
    let start =
        Start { decision: Some((&decision).into()), user: "erika".into(), way: "phone button".into() };
    call_control::What::Start(start)
}

#[tokio::test]
async fn f17_a_recording_is_stopped_and_started_anew_as_another_one_of_the_same_call() {
    let mut desk = Desk::start(Verdict::Record(recorded(Class::Manual))).await;
    let mut talk = Talk::begin(&desk).await;
    desk.decided().await;
    talk.say("one", 20).await;
    let call_id = talk.client.call_id.clone();
    let first = desk.control(&call_id, describe()).await;
    assert_eq!(first.standing(), CallStanding::Recorded);
    assert_eq!(first.facts.as_ref().unwrap().callee.as_ref().unwrap().number, "+493022");
    assert_eq!(first.recorded.as_ref().unwrap().class, "manual");
    let again = desk.control(&call_id, start()).await;
    assert_eq!((again.standing(), again.error.is_empty()), (CallStanding::Recorded, false));

    let stopped = desk.control(&call_id, stop()).await;
    assert_eq!((stopped.standing(), stopped.error.as_str()), (CallStanding::Stopped, ""));
    assert_eq!(stopped.recording_id, first.recording_id);
    talk.say("off", 20).await;
    assert!(!desk.control(&call_id, stop()).await.error.is_empty(), "stopped already");

    let second = desk.control(&call_id, start()).await;
    assert_eq!((second.standing(), second.error.as_str()), (CallStanding::Recorded, ""));
    assert_ne!(second.recording_id, first.recording_id);
    let started = desk.event(|what| if let What::Started(s) = what { Some(s.way) } else { None }).await;
    assert_eq!(started, "phone button");
    // Taken from the moment of the start on, however long the media thread needs to hear of it.
    talk.say("two", 20).await;
    talk.client.bye().await;

    let heard = desk.rig.recordings(2).await;
    let said = |n: usize, text: &str| {
        heard[n].packets().filter(|p| p.data.windows(3).any(|w| w == text.as_bytes())).count()
    };
    assert_eq!([said(0, "one"), said(0, "off"), said(0, "two")], [40, 0, 0]);
    assert_eq!([said(1, "one"), said(1, "off"), said(1, "two")], [0, 0, 40]);
    assert_eq!(heard[0].ended().reason(), EndReason::Stopped);
    assert_eq!(heard[0].ended().stopped_by.as_ref().unwrap().user, "erika");
    let started_by = |n: usize| heard[n].started().decision.clone().unwrap().recorded.unwrap().started_by;
    assert_eq!(started_by(0), None, "it began by itself");
    let by = started_by(1).unwrap();
    assert_eq!((by.way.as_str(), by.user.as_str()), ("phone button", "erika"));
    assert!(by.at_unix_us > heard[0].ended().at_unix_us, "started after the stop");
    assert_eq!(heard[1].ended().reason(), EndReason::Bye);
    assert_eq!(heard[1].ended().packets_received, [20, 20]);
    let call_ids = heard.iter().map(|h| h.started().facts.clone().unwrap().call_id);
    assert!(call_ids.into_iter().all(|id| id == call_id));
}

#[tokio::test]
async fn a_call_that_is_not_recorded_is_recorded_from_its_start_on() {
    let mut desk = Desk::start(not_recorded()).await;
    let mut talk = Talk::begin(&desk).await;
    assert!(!desk.decided().await.recorded);
    talk.say("private", 20).await;
    let call_id = talk.client.call_id.clone();
    assert!(!desk.control(&call_id, stop()).await.error.is_empty(), "there is nothing to stop");
    assert_eq!(desk.control(&call_id, describe()).await.standing(), CallStanding::NotRecorded);
    let empty = call_control::What::Start(Start::default());
    assert!(!desk.control(&call_id, empty).await.error.is_empty(), "how?");
    assert_eq!(desk.control(&call_id, start()).await.error, "");
    talk.say("manual", 20).await;
    talk.client.bye().await;
    let heard = desk.rig.recording().await;
    assert_eq!(heard.started().decision.as_ref().unwrap().recorded.as_ref().unwrap().class, "manual");
    assert_eq!([0, 1].map(|stream| heard.rtp(stream).len()), [20, 20]);
    assert!(!desk.left_on_disk("private").await);
}

#[tokio::test]
async fn each_leg_of_a_call_answers_and_nobody_for_a_call_that_is_over() {
    let desk = Desk::start(not_recorded()).await;
    let subject = subjects::control(&"acme".parse().unwrap(), "pbx-17");
    let request = CallControl { what: Some(describe()), recording_id: String::new() };
    let (first, more) = (Duration::from_secs(30), Duration::from_millis(500));
    let ask = async || desk.bus.ask_all::<_, CallControlled>(&subject, &request, first, more).await;
    assert!(matches!(ask().await, Err(BusError::NoResponder { .. })));

    let mut one = Talk::begin_with(&desk, "X-Call-ID: pbx-17\r\n").await;
    let mut other = Talk::begin_with(&desk, "X-Call-ID: pbx-17\r\n").await;
    let until = tokio::time::Instant::now() + super::rig::PATIENCE;
    loop {
        let legs = ask().await.map_or(0, |legs| legs.len());
        if legs == 2 {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "{legs} legs answer");
    }
    let legs = ask().await.unwrap();
    let one_leg = CallControl { recording_id: legs[0].recording_id.clone(), ..request.clone() };
    let answers: Vec<CallControlled> = desk.bus.ask_all(&subject, &one_leg, first, more).await.unwrap();
    assert_eq!(answers, legs[..1], "only the leg that is meant");
    one.client.bye().await;
    other.client.bye().await;
    desk.rig.metric_becomes("calls_total", |n| n == 2.0).await;
    let until = tokio::time::Instant::now() + super::rig::PATIENCE;
    while !matches!(ask().await, Err(BusError::NoResponder { .. })) {
        assert!(tokio::time::Instant::now() < until, "somebody still listens");
    }
}

#[tokio::test]
async fn f16_what_the_pbx_wishes_goes_to_rules_and_a_word_that_is_no_wish_does_not() {
    let mut desk = Desk::start(not_recorded()).await;
    let mut talk = Talk::begin_with(&desk, "X-Callseal-Override: Manual\r\n").await;
    let wish = |request: &wire::rules_v1::DecideRequest| request.facts.clone().unwrap().r#override;
    assert_eq!(desk.asked_times(1).await.iter().map(wish).collect::<Vec<_>>(), ["manual"]);
    desk.decided().await;
    desk.decide(Verdict::Record(recorded(Class::Regulated)));
    assert_eq!(talk.client.ask("UPDATE", "X-Callseal-Override: force\r\n", "", "").await.status(), 200);
    assert!(desk.decided().await.recorded);
    assert_eq!(wish(&desk.asked_times(2).await[1]), "force");
    talk.client.bye().await;
    assert_eq!(desk.rig.recording().await.started().facts.clone().unwrap().r#override, "force");

    let other = Talk::begin_with(&desk, "X-Callseal-Override: always\r\n").await;
    assert_eq!(wish(&desk.asked_times(3).await[2]), "auto");
    drop(other);
}

#[tokio::test]
async fn the_tenant_names_the_header_with_the_call_id() {
    let config = TENANT.replace("country: DE", "country: DE, callIdHeader: X-Our-Call");
    let desk = Desk::with(not_recorded(), &config, &[]).await;
    let _talk = Talk::begin_with(&desk, "X-Call-ID: other\r\nX-Our-Call: ours\r\n").await;
    assert_eq!(desk.asked_times(1).await[0].facts.clone().unwrap().call_id, "ours");
    assert_eq!(desk.control("ours", describe()).await.error, "");
}

#[tokio::test]
async fn a_decision_is_made_anew_when_rules_says_so() {
    let mut desk = Desk::start(not_recorded()).await;
    let mut talk = Talk::begin(&desk).await;
    assert!(!desk.decided().await.recorded);
    desk.decide(Verdict::Record(recorded(Class::Regulated)));
    desk.control(&talk.client.call_id, call_control::What::DecideAgain(DecideAgain {})).await;
    assert!(desk.decided().await.recorded);
    // What is recorded is recorded: nobody asks any more.
    desk.control(&talk.client.call_id, call_control::What::DecideAgain(DecideAgain {})).await;
    talk.client.bye().await;
    desk.rig.recording().await;
    assert_eq!(desk.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_decision_that_was_under_way_when_something_else_was_told_does_not_count() {
    let mut desk = Desk::start(Verdict::Record(recorded(Class::Regulated))).await;
    desk.hold_back(true);
    let mut talk = Talk::begin(&desk).await;
    desk.asked_times(1).await;
    talk.say("private", 20).await;
    // The PBX wishes that nothing is recorded, and has been told that this is known.
    desk.decide(not_recorded());
    let standing = desk.control(&talk.client.call_id, call_control::What::DecideAgain(DecideAgain {})).await;
    assert_eq!(standing.standing(), CallStanding::Undecided);
    desk.hold_back(false);
    assert!(!desk.decided().await.recorded);
    talk.client.bye().await;
    assert!(!desk.left_on_disk("private").await);
}
