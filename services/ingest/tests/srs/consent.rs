//! Consent that is asked for in the recorded call, or elsewhere: what of the call is kept, and that
//! nothing of it is anywhere when there is none (F-18, F-20 … F-24).

use domain::{AskedBy, ConsentAsked, ConsentMode, ConsentOutcome};
use wire::rules_v1::{DecideAgain, call_control};

use super::{
    desk::{Desk, Talk, ask, not_recorded, question, with_consent},
    rig::{Heard, TENANT},
};
use callseal_ingest::media::unix_us;

/// A text that stands in the audio until there is consent, and can be found wherever it got to.
const BEFORE: &str = "heard-before-consent";
const AFTER: &str = "heard-after-consent";
/// More than any test takes.
const LONG_MS: u32 = 300_000;

/// How many packets of a stream hold a text.
fn said(heard: &Heard, stream: u32, text: &str) -> usize {
    heard.rtp(stream).iter().filter(|p| p.data.windows(text.len()).any(|w| w == text.as_bytes())).count()
}

/// The recording holds what was said after consent, all of it, and nothing from before it.
fn assert_begins_with_consent(heard: &Heard) -> wire::call_v1::Consent {
    let consent = heard.started().decision.clone().unwrap().recorded.unwrap().consent.unwrap();
    assert!(heard.packets().all(|packet| packet.arrival_unix_us >= consent.at_unix_us));
    for stream in 0..2 {
        assert_eq!((said(heard, stream, BEFORE), said(heard, stream, AFTER)), (0, 30), "stream {stream}");
    }
    let kept = [0, 1].map(|stream| heard.rtp(stream).len() as u64);
    assert_eq!(heard.ended().packets_received, kept, "what was wiped is not counted");
    consent
}

#[tokio::test]
async fn f20_with_opt_in_the_recording_begins_at_the_key_and_nothing_from_before_is_kept() {
    let mut desk = Desk::start(ask(question(ConsentMode::OptIn, LONG_MS))).await;
    let mut talk = Talk::begin(&desk).await;
    let asking = desk.decided().await;
    assert!(asking.asks_consent && !asking.recorded);
    talk.hear_announcement(BEFORE).await;
    talk.caller.press("5").await;
    // Not waited for: what is said at once belongs to it.
    talk.say(AFTER, 30).await;
    talk.client.bye().await;
    let answered = desk.answered().await;
    let consent = assert_begins_with_consent(&desk.rig.recording().await);
    assert_eq!((consent.outcome.as_str(), consent.key.as_str()), ("granted", "5"));
    assert_eq!((consent.announcement.as_str(), consent.announcement_sha256.as_str()), ("greeting", "00ff"));
    assert_eq!(consent.source, "recorded call");
    assert_eq!(answered.consented_unix_us, consent.at_unix_us);
    assert_eq!(
        (answered.call_id.as_str(), answered.rule.as_str()),
        (talk.client.call_id.as_str(), "hotline")
    );
    let decided = desk.decided().await;
    assert!(decided.recorded && decided.trace.last().unwrap().contains("granted"));
    assert!(desk.left_on_disk(AFTER).await, "the search finds what is there");
    assert!(!desk.left_on_disk_now(BEFORE), "nothing from before consent");
    let stored = desk.stored.lock().unwrap().clone();
    assert_eq!(stored.len(), 1, "the further legs of the call need the answer");
    assert_eq!((stored[0].call_id.as_str(), stored[0].tenant.as_str()), (answered.call_id.as_str(), "acme"));
    assert_eq!(stored[0].consent.as_ref(), Some(&consent));
}

#[tokio::test]
async fn f22_without_a_key_opt_out_and_no_choice_begin_when_the_time_is_over() {
    for mode in [ConsentMode::OptOut, ConsentMode::NoChoice] {
        let mut asked = question(mode, 300);
        // Time enough to say something before, on the slowest machine.
        asked.announcement.as_mut().unwrap().duration_ms = 2_000;
        let mut desk = Desk::start(ask(asked)).await;
        let mut talk = Talk::begin(&desk).await;
        talk.say(BEFORE, 10).await;
        let answered = desk.answered().await;
        assert_eq!((answered.outcome.as_str(), answered.key.as_str()), ("no-answer", ""));
        talk.say(AFTER, 30).await;
        talk.client.bye().await;
        let consent = assert_begins_with_consent(&desk.rig.recording().await);
        assert_eq!(consent.mode, mode.to_string());
    }
}

/// Nothing of a call is kept: not on the bus, not on any disk, not in memory.
async fn assert_nothing_is_kept(mut desk: Desk, outcome: Option<&str>, reason: &str) {
    if let Some(outcome) = outcome {
        assert_eq!(desk.answered().await.outcome, outcome);
    }
    let decided = desk.event(|what| match what {
        wire::event_v1::event::What::Decided(decided) if !decided.asks_consent => Some(decided),
        _ => None,
    });
    let decided = decided.await;
    assert_eq!((decided.recorded, decided.reason.as_str()), (false, reason));
    assert!(!desk.left_on_disk(BEFORE).await, "audio of a call without consent is on a disk");
    desk.rig.metric_becomes("undecided_bytes", |n| n == 0.0).await;
    assert_eq!(desk.rig.metric("chunks_total"), 0.0);
}

#[tokio::test]
async fn f22_who_refuses_leaves_no_audio_anywhere() {
    let mut desk = Desk::start(ask(question(ConsentMode::OptOut, LONG_MS))).await;
    let mut talk = Talk::begin(&desk).await;
    talk.say(BEFORE, 20).await;
    // In the middle of the announcement already.
    talk.caller.press("5").await;
    talk.say(BEFORE, 100).await;
    let denied = desk.answered().await;
    assert_eq!((denied.outcome.as_str(), denied.key.as_str()), ("denied", "5"));
    talk.say(BEFORE, 100).await;
    talk.client.bye().await;
    assert_nothing_is_kept(desk, None, "consent was denied").await;
}

#[tokio::test]
async fn f21_wrong_keys_other_peoples_keys_and_late_keys_are_no_consent_and_leave_no_audio() {
    let mut desk = Desk::start(ask(question(ConsentMode::OptIn, 500))).await;
    let mut talk = Talk::begin(&desk).await;
    talk.hear_announcement(BEFORE).await;
    talk.caller.press("4").await;
    talk.callee.press("5").await;
    talk.say(BEFORE, 50).await;
    assert_eq!(desk.answered().await.outcome, "no-answer");
    // Too late.
    talk.caller.press("5").await;
    talk.say(BEFORE, 50).await;
    talk.client.bye().await;
    assert_nothing_is_kept(desk, None, "consent was not given in time").await;
}

#[tokio::test]
async fn who_hangs_up_while_asked_leaves_no_audio_anywhere() {
    for (mode, outcome) in [(ConsentMode::OptIn, "no-answer"), (ConsentMode::OptOut, "denied")] {
        let desk = Desk::start(ask(question(mode, LONG_MS))).await;
        let mut talk = Talk::begin(&desk).await;
        talk.say(BEFORE, 50).await;
        talk.client.bye().await;
        let stored = desk.stored.clone();
        let reason = if outcome == "denied" { "consent was denied" } else { "consent was not given in time" };
        assert_nothing_is_kept(desk, Some(outcome), reason).await;
        assert!(stored.lock().unwrap().is_empty(), "the person may be asked on in another leg");
    }
}

#[tokio::test]
async fn a_question_whose_memory_is_spent_leaves_no_audio_anywhere() {
    let elsewhere = ConsentAsked { asked_by: AskedBy::Pbx, ..question(ConsentMode::OptOut, LONG_MS) };
    let desk = Desk::with(ask(elsewhere), TENANT, &["--memory-per-call", "20000"]).await;
    let mut talk = Talk::begin(&desk).await;
    talk.say(BEFORE, 300).await;
    talk.client.bye().await;
    let reason = "the memory for undecided audio was spent before consent was given";
    assert_nothing_is_kept(desk, None, reason).await;
}

#[tokio::test]
async fn an_answer_that_rules_learns_begins_the_recording_at_its_moment() {
    let elsewhere = ConsentAsked { asked_by: AskedBy::ConsentCall, ..question(ConsentMode::OptIn, LONG_MS) };
    let mut desk = Desk::start(ask(elsewhere)).await;
    let mut talk = Talk::begin(&desk).await;
    assert!(desk.decided().await.asks_consent);
    talk.say(BEFORE, 20).await;
    // A key in this call answers nothing here.
    talk.caller.press("5").await;
    let at = unix_us();
    desk.decide(with_consent(ConsentOutcome::Granted, at));
    talk.say(AFTER, 15).await;
    let again = call_control::What::DecideAgain(DecideAgain {});
    let standing = desk.control(&talk.client.call_id, again).await.standing();
    assert_eq!(standing, wire::rules_v1::CallStanding::Asking, "rules is asked first");
    talk.say(AFTER, 15).await;
    talk.client.bye().await;
    let consent = assert_begins_with_consent(&desk.rig.recording().await);
    assert_eq!((consent.at_unix_us, consent.source.as_str()), (at, "consent call"));
    assert!(desk.stored.lock().unwrap().is_empty(), "rules knows it already");
}

#[tokio::test]
async fn a_refusal_that_rules_learns_leaves_no_audio_anywhere() {
    let elsewhere = ConsentAsked { asked_by: AskedBy::ConsentCall, ..question(ConsentMode::OptOut, LONG_MS) };
    let mut desk = Desk::start(ask(elsewhere)).await;
    let mut talk = Talk::begin(&desk).await;
    assert!(desk.decided().await.asks_consent);
    talk.say(BEFORE, 50).await;
    desk.decide(not_recorded());
    desk.control(&talk.client.call_id, call_control::What::DecideAgain(DecideAgain {})).await;
    talk.say(BEFORE, 50).await;
    talk.client.bye().await;
    assert_nothing_is_kept(desk, None, "no rule matches").await;
}

#[tokio::test]
async fn a_question_in_the_call_goes_on_while_rules_is_away() {
    let mut desk = Desk::start(ask(question(ConsentMode::OptIn, LONG_MS))).await;
    let mut talk = Talk::begin(&desk).await;
    assert!(desk.decided().await.asks_consent);
    desk.rules_stop();
    talk.hear_announcement(BEFORE).await;
    talk.caller.press("5").await;
    talk.say(AFTER, 30).await;
    talk.client.bye().await;
    assert_begins_with_consent(&desk.rig.recording().await);
}
