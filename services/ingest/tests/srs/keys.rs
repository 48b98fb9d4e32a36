//! Keys that stop a recording (F-32).

use domain::{Class, ConsentMode, Recorded, Side, StopKeys, Verdict};
use wire::{call_v1::EndReason, event_v1::event::What};

use super::{
    client::metadata,
    desk::{Desk, Talk, ask, question, recorded},
};

const UNTIL: &str = "said-until-the-stop";
const LATER: &str = "said-after-the-stop";

fn by_duty(in_band: bool) -> Verdict {
    let stop_keys = Some(StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band });
    Verdict::Record(Recorded { stop_keys, ..recorded(Class::Regulated) })
}

async fn stopped(desk: &mut Desk) -> String {
    desk.event(|what| if let What::Stopped(stopped) = what { Some(stopped.way) } else { None }).await
}

#[tokio::test]
async fn f32_star_one_of_an_own_user_stops_the_recording_and_that_of_the_outside_party_does_not() {
    let mut desk = Desk::start(by_duty(false)).await;
    let mut talk = Talk::begin(&desk).await;
    talk.caller.press("*1").await;
    talk.say(UNTIL, 40).await;
    talk.callee.press("*").await;
    talk.callee.press("1").await;
    assert_eq!(stopped(&mut desk).await, "keys on the callee's phone");
    talk.say(LATER, 40).await;
    let heard = desk.rig.recording().await;
    let ended = heard.ended();
    assert_eq!(ended.reason(), EndReason::Stopped);
    assert_eq!(ended.stopped_by.as_ref().unwrap().way, "keys on the callee's phone");
    assert!(heard.packets().all(|packet| packet.arrival_unix_us <= ended.at_unix_us));
    let said = |text: &str| {
        heard.packets().filter(|p| p.data.windows(text.len()).any(|w| w == text.as_bytes())).count()
    };
    assert_eq!((said(UNTIL), said(LATER)), (80, 0));
    talk.client.bye().await;
    assert!(!desk.left_on_disk(LATER).await, "nothing from after the stop");
    assert!(desk.left_on_disk_now(UNTIL));
}

#[tokio::test]
async fn f32_after_a_transfer_they_may_stop_who_are_there_then_and_nobody_while_that_is_not_known() {
    let mut desk = Desk::start(by_duty(false)).await;
    let mut talk = Talk::begin(&desk).await;
    desk.decided().await;
    // To somebody outside. Rules looks who that is, and its answer is long in coming.
    desk.own(&[]);
    desk.hold_back(true);
    let xml = "application/rs-metadata+xml";
    assert_eq!(talk.client.ask("UPDATE", "", xml, &metadata("+4940555")).await.status(), 200);
    desk.asked_times(2).await;
    talk.callee.press("*1").await;
    talk.say("not known yet", 20).await;
    desk.hold_back(false);
    talk.callee.press("*1").await;
    talk.say("outside", 20).await;
    // Back to somebody of ours.
    desk.own(&[Side::Callee]);
    assert_eq!(talk.client.ask("UPDATE", "", xml, &metadata("+493023")).await.status(), 200);
    desk.asked_times(3).await;
    // How soon the answer is in force is nobody's promise: pressed until it is.
    let (mut stopped, mut presses) = (Box::pin(stopped(&mut desk)), 0);
    let way = loop {
        talk.callee.press("*1").await;
        presses += 1;
        assert!(presses < 60, "who is ours may stop it");
        if let Ok(way) = tokio::time::timeout(std::time::Duration::from_secs(1), &mut stopped).await {
            break way;
        }
    };
    drop(stopped);
    assert_eq!(way, "keys on the callee's phone");
    let heard = desk.rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Stopped);
    let said = |text: &str| {
        heard.packets().filter(|p| p.data.windows(text.len()).any(|w| w == text.as_bytes())).count()
    };
    assert_eq!([said("not known yet"), said("outside")], [40, 40], "nobody else stopped it");
    talk.client.bye().await;
}

#[tokio::test]
async fn f32_tones_in_the_speech_stop_a_recording_only_where_that_is_wanted() {
    let mut desk = Desk::start(by_duty(true)).await;
    let mut talk = Talk::begin(&desk).await;
    talk.caller.whistle("*1").await;
    talk.say(UNTIL, 20).await;
    talk.callee.whistle("*1").await;
    assert_eq!(stopped(&mut desk).await, "keys on the callee's phone");
    talk.client.bye().await;
    assert_eq!(desk.rig.recording().await.ended().reason(), EndReason::Stopped);

    let mut desk = Desk::start(by_duty(false)).await;
    let mut talk = Talk::begin(&desk).await;
    talk.callee.whistle("*1").await;
    talk.say(UNTIL, 20).await;
    talk.client.bye().await;
    assert_eq!(desk.rig.recording().await.ended().reason(), EndReason::Bye);
}

#[tokio::test]
async fn tones_in_the_speech_are_consent_only_where_that_is_wanted() {
    for in_band in [true, false] {
        let mut asked = question(ConsentMode::OptIn, if in_band { 300_000 } else { 500 });
        asked.in_band = in_band;
        let mut desk = Desk::start(ask(asked)).await;
        let mut talk = Talk::begin(&desk).await;
        talk.hear_announcement("announcement").await;
        talk.caller.whistle("5").await;
        let answered = desk.answered().await;
        assert_eq!(answered.outcome, if in_band { "granted" } else { "no-answer" });
        talk.client.bye().await;
    }
}

#[tokio::test]
async fn keys_by_sip_info_are_nobodys_and_change_nothing() {
    let mut desk = Desk::start(by_duty(true)).await;
    let mut talk = Talk::begin(&desk).await;
    for key in ["*", "1"] {
        let body = format!("Signal={key}\r\nDuration=100\r\n");
        let answer = talk.client.ask("INFO", "", "application/dtmf-relay", &body).await;
        assert_eq!(answer.status(), 200);
    }
    talk.say(UNTIL, 20).await;
    talk.client.bye().await;
    assert_eq!(desk.rig.recording().await.ended().reason(), EndReason::Bye);
}
