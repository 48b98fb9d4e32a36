//! PJSIP's telephone in a consent call: what it does, and that it hears what was encoded.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use harness::{
    pjsua::{
        Deed::{self, HangUp, Listen, Press},
        KeyBy, Pjsua,
    },
    sipp::Transport::{self, Tcp, Udp},
};
use media::{Announcement, Codec, g711};
use serde_json::Value;

use super::{
    consent_calls::{Asked, By, announcement_file},
    scene::Scene,
};

/// What people on PJSIP do who are asked.
pub fn calls() -> Vec<Asked> {
    let asked = |what, rule, transport, deed, outcome, key, is_recorded| {
        let bye = (!matches!(deed, HangUp(_))).then_some(outcome);
        Asked { what, rule, by: By::Pjsip(transport, deed), bye, outcome, key, is_recorded }
    };
    let press = |key, by| Press(key, by, Duration::from_secs(3));
    let (one, wrong) = (Some('1'), Press('2', KeyBy::Event, Duration::from_millis(1_100)));
    let middle = HangUp(Duration::from_millis(500));
    vec![
        asked("pj opt-in, key", "opt-in", Udp, press('1', KeyBy::Event), "granted", one, true),
        asked("pj opt-in, key by INFO", "opt-in", Tcp, press('1', KeyBy::Info), "granted", one, true),
        asked("pj opt-in, key as tone", "opt-in", Udp, press('1', KeyBy::Tone), "granted", one, true),
        asked("pj opt-in, no key", "opt-in-brief", Udp, Listen, "no-answer", None, false),
        asked("pj opt-in, wrong key", "opt-in-brief", Tcp, wrong, "no-answer", None, false),
        asked("pj opt-in, hung up in the middle", "opt-in-story", Udp, middle, "no-answer", None, false),
        asked("pj opt-out, key", "opt-out", Tcp, press('1', KeyBy::Event), "denied", one, false),
        asked("pj opt-out, no key", "opt-out-brief", Udp, Listen, "no-answer", None, true),
    ]
}

/// One call; returns what the BYE said.
pub async fn call(
    scene: &Scene,
    asked: &Asked,
    transport: Transport,
    deed: Deed,
    dir: &Path,
) -> anyhow::Result<Option<String>> {
    let headers = [format!("X-Call-ID: {}", asked.what)];
    let user = format!("consent.{}", asked.rule);
    let phone = Pjsua::call(scene.srs(), &user, transport, dir, &headers, deed)?;
    let outcome = phone.over().await.with_context(|| asked.what)?;
    let said: Value = serde_json::from_str(&outcome.said)?;
    let by_whom = if asked.bye.is_some() { "theirs" } else { "ours" };
    ensure!(said["bye"] == by_whom, "{}: {said}", asked.what);
    if asked.bye.is_some() {
        heard_the_question(&outcome.heard).with_context(|| asked.what)?;
    }
    Ok(said["consent"].as_str().map(str::to_owned))
}

/// Each sample of the announcement as it was encoded, without a gap, once.
fn heard_the_question(heard: &[i16]) -> anyhow::Result<()> {
    let announcement = Announcement::from_file(&announcement_file("question"))?;
    let encoded = announcement.encoded(Codec::Pcma);
    let expected: Vec<i16> = encoded.payload().iter().map(|byte| g711::decode(Codec::Pcma, *byte)).collect();
    let silent = expected.iter().take_while(|sample| **sample == expected[0]).count();
    ensure!(silent >= 800, "the announcement begins with a tenth of a second of silence");
    let expected = &expected[silent..];
    let times = heard.windows(expected.len()).filter(|window| *window == expected).count();
    ensure!(
        times == 1,
        "the announcement of {} samples was heard {times} times in {} samples",
        expected.len(),
        heard.len()
    );
    Ok(())
}
