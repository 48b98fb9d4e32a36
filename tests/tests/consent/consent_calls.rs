//! F-20 … F-24 by real telephones: SIPp and PJSIP go through the question, and then the PBX's recording
//! session comes with the same call id.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use harness::sipp::{
    Deed, Sipp,
    Transport::{self, Tcp, Udp},
};
use sha2::{Digest, Sha256};
use wire::event_v1::event::What;

use super::{
    audio::{self, tone_of, wav},
    leg::{Dialled, Speech},
    pjsip,
    scene::{Scene, journal},
    tenant,
};

/// What somebody did who was asked, and what must come of it.
pub struct Asked {
    /// How it went, in words; also the id of the call.
    pub what: &'static str,
    /// The rule that asks.
    pub rule: &'static str,
    pub by: By,
    /// What the BYE said; nothing where the caller hung up.
    pub bye: Option<&'static str>,
    /// What is kept.
    pub outcome: &'static str,
    /// The key that answered.
    pub key: Option<char>,
    /// Whether the call is recorded.
    pub is_recorded: bool,
}

/// Who calls.
pub enum By {
    Sipp(Transport, Deed),
    Pjsip(Transport, harness::pjsua::Deed),
}

/// Users, each with a rule of the same name.
const USERS: [(&str, &str); 7] = [
    ("opt-in", "31"),
    ("opt-in-brief", "32"),
    ("opt-in-story", "33"),
    ("opt-out", "34"),
    ("opt-out-brief", "35"),
    ("opt-out-story", "36"),
    ("no-choice", "37"),
];

/// The announcements: what is asked, two ways of saying the outcome, and one that nobody hears to its end.
const ANNOUNCEMENTS: [(&str, u32, f64); 4] =
    [("question", 700, 300.0), ("thanks", 500, 500.0), ("pity", 500, 700.0), ("story", 3_000, 900.0)];

pub fn announcement_file(name: &str) -> Vec<u8> {
    let (_, duration_ms, hertz) =
        ANNOUNCEMENTS.into_iter().find(|(known, ..)| *known == name).expect("an announcement of these tests");
    wav(duration_ms, hertz)
}

fn resources(dir: &Path) -> String {
    // Whoever is to press a key in time has a minute; who is not to, a second.
    let (long, brief) = ("key: \"1\", seconds: 60", "key: \"1\", seconds: 1");
    let told = "announcements: {granted: thanks, denied: pity}";
    let rules = [
        ("opt-in", "question", format!("mode: optIn, {long}, {told}")),
        ("opt-in-brief", "question", format!("mode: optIn, {brief}")),
        ("opt-in-story", "story", format!("mode: optIn, {brief}")),
        ("opt-out", "question", format!("mode: optOut, {long}, {told}")),
        ("opt-out-brief", "question", format!("mode: optOut, {brief}")),
        ("opt-out-story", "story", format!("mode: optOut, {long}")),
        ("no-choice", "question", "mode: noChoice".to_owned()),
    ];
    let rules = rules.map(|(name, announcement, consent)| tenant::asking(name, name, announcement, &consent));
    let announcements = ANNOUNCEMENTS.map(|(name, ..)| {
        let file = announcement_file(name);
        tenant::announcement(dir, name, &file)
    });
    tenant::acme(dir, "  whenUndecided: discard", &USERS) + &announcements.concat() + &rules.concat()
}

fn by_sipp() -> Vec<Asked> {
    // Long after the announcement, or in the middle of it, on the slowest machine.
    let (answering, in_the_middle) = (Duration::from_secs(3), Duration::from_millis(500));
    let asked = |what, rule, transport, deed: Deed, outcome, key, is_recorded| {
        let bye = (!matches!(deed, Deed::HangUp(_))).then_some(outcome);
        Asked { what, rule, by: By::Sipp(transport, deed), bye, outcome, key, is_recorded }
    };
    let one = Some('1');
    let event = |key, after| Deed::Event(key, after);
    let tone = Deed::Tone { audio: tone_of('1'), after: answering };
    let wrong = event('2', Duration::from_millis(1_100));
    let hang_up = || Deed::HangUp(in_the_middle);
    vec![
        asked("opt-in, key", "opt-in", Udp, event('1', answering), "granted", one, true),
        asked("opt-in, key as tone", "opt-in", Tcp, tone, "granted", one, true),
        asked("opt-in, no key", "opt-in-brief", Tcp, Deed::Listen, "no-answer", None, false),
        asked("opt-in, wrong key", "opt-in-brief", Udp, wrong.clone(), "no-answer", None, false),
        asked("opt-in, late key", "opt-in-brief", Udp, Deed::TooLate('1'), "no-answer", None, false),
        asked(
            "opt-in, key before the end",
            "opt-in-story",
            Udp,
            event('1', in_the_middle),
            "no-answer",
            None,
            false,
        ),
        asked("opt-in, hung up in the middle", "opt-in-story", Tcp, hang_up(), "no-answer", None, false),
        asked("opt-out, key", "opt-out", Tcp, event('1', answering), "denied", one, false),
        asked(
            "opt-out, key in the middle",
            "opt-out-story",
            Udp,
            event('1', in_the_middle),
            "denied",
            one,
            false,
        ),
        asked("opt-out, no key", "opt-out-brief", Udp, Deed::Listen, "no-answer", None, true),
        asked("opt-out, wrong key", "opt-out-brief", Udp, wrong, "no-answer", None, true),
        asked("opt-out, late key", "opt-out-brief", Tcp, Deed::TooLate('1'), "no-answer", None, true),
        asked("opt-out, hung up in the middle", "opt-out-story", Udp, hang_up(), "denied", None, false),
        asked("no choice", "no-choice", Udp, Deed::Listen, "no-answer", None, true),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_to_f24_what_somebody_answers_to_sipp_decides_on_the_call_that_follows() -> anyhow::Result<()> {
    each_call_goes_by_its_answer(by_sipp()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_to_f24_what_somebody_answers_on_pjsip_decides_on_the_call_that_follows() -> anyhow::Result<()> {
    each_call_goes_by_its_answer(pjsip::calls()).await
}

async fn each_call_goes_by_its_answer(asked: Vec<Asked>) -> anyhow::Result<()> {
    let scene = Arc::new(Scene::start(resources).await?);
    let spoken = try_join_all(asked.iter().map(|asked| asked.go_through(&scene)));
    let spoken = spoken.await.with_context(|| scene.world.logs())?;
    scene.over(asked.iter().map(|asked| asked.what)).await?;
    for (asked, said) in asked.iter().zip(&spoken) {
        asked.fate_is_right(&scene, said).await.with_context(|| asked.what)?;
    }
    let mut recorded = scene.call_ids("archive")?;
    recorded.sort();
    let mut expected: Vec<&str> = asked.iter().filter(|a| a.is_recorded).map(|a| a.what).collect();
    expected.sort_unstable();
    assert_eq!(recorded, expected);
    Ok(())
}

impl Asked {
    /// The question, and then the call. Returns what was said in the call.
    async fn go_through(&self, scene: &Scene) -> anyhow::Result<[Speech; 2]> {
        let dir = scene.path(self.what);
        let said_by_bye = match &self.by {
            By::Sipp(transport, deed) => {
                let mut sipp = Sipp::consent_call(scene.srs(), *transport, &dir, self.rule, self.what, deed)?;
                sipp.succeeded().await.with_context(|| self.what)?;
                match deed {
                    Deed::HangUp(_) => None,
                    _ => Some(sipp.logged("consent").await?),
                }
            }
            By::Pjsip(transport, deed) => pjsip::call(scene, self, *transport, *deed, &dir).await?,
        };
        ensure!(said_by_bye.as_deref() == self.bye, "{}: the BYE said {said_by_bye:?}", self.what);
        let answer = self.stored(scene).await?;
        ensure!(answer["outcome"] == self.outcome, "{}: {answer}", self.what);

        let (_, number) = USERS.iter().find(|(name, _)| *name == self.rule).context("no such user")?;
        let mut leg = Dialled::inbound(number, self.what).begin(scene.srs()).await?;
        let said = leg.speak(50).await?;
        leg.end().await?;
        Ok(said)
    }

    /// What the API says of the answer.
    async fn stored(&self, scene: &Scene) -> anyhow::Result<serde_json::Value> {
        let path = format!("calls/{}/consent", escaped(self.what));
        if self.bye.is_some() {
            // What a BYE says is kept already.
            return scene.api.get(&path)?.json();
        }
        harness::wait::until("the answer of who hung up", super::PATIENCE, async || {
            scene.api.get(&path).ok()?.json().ok()
        })
        .await
    }

    async fn fate_is_right(&self, scene: &Scene, said: &[Speech; 2]) -> anyhow::Result<()> {
        let mode = self.mode();
        let announcement = if self.rule.ends_with("story") { "story" } else { "question" };
        let hash = hex::encode(Sha256::digest(announcement_file(announcement)));
        let answered = |what| if let What::ConsentAnswered(answered) = what { Some(answered) } else { None };
        let event = scene.events.until(self.what, answered).await?;
        let key = self.key.map(String::from).unwrap_or_default();
        let told = (event.mode.as_str(), event.outcome.as_str(), &event.key, event.source.as_str());
        ensure!(told == (mode, self.outcome, &key, "consent call"), "{event:?}");
        ensure!(event.rule == self.rule, "the event names the rule that asked: {}", event.rule);
        ensure!(
            (event.announcement.as_str(), &event.announcement_sha256) == (announcement, &hash),
            "{event:?}"
        );
        let proof = &scene.api.get(&format!("calls/{}/consent", escaped(self.what)))?.json()?["proof"];
        let shown = (&proof["announcementSha256"], &proof["key"], &proof["mode"]);
        ensure!(shown == (&hash.clone().into(), &key.clone().into(), &mode.into()), "{proof}");

        let decided = scene.events.decided(self.what).await?;
        ensure!(decided.recorded == self.is_recorded, "{decided:?}");
        if !self.is_recorded {
            let why =
                if self.outcome == "denied" { "consent was denied" } else { "no answer was given in time" };
            ensure!(decided.reason.contains(why), "{decided:?}");
            return Ok(());
        }
        let recording = scene.recording("archive", self.what).await?;
        audio::holds_exactly(&recording, &[said])?;
        let info = recording.info()?;
        ensure!((info["Class"].as_str(), info["Rule"].as_str()) == ("consent", self.rule), "{info:#?}");
        let mut parts: Vec<&str> = info["Consent"].split("; ").collect();
        let pressed = self.key.map(|key| format!("key {key}"));
        let mut expected = vec![self.outcome, mode];
        expected.extend(pressed.as_deref());
        // The time stands between key and announcement.
        let at = parts.remove(expected.len());
        let (name, sum) = (format!("announcement {announcement}"), format!("sha256 {hash}"));
        expected.extend([name.as_str(), &sum, "consent call"]);
        ensure!(parts == expected, "{}", info["Consent"]);
        ensure!(at <= info["Datetime"].as_str(), "consent came at {at}: {info:#?}");

        let json = &journal(&recording)?["consent"];
        ensure!(json["outcome"] == self.outcome && json["mode"] == mode && json["at"] == at, "{json}");
        ensure!(json["key"].as_str() == self.key.map(String::from).as_deref(), "{json}");
        ensure!(
            json["announcement"] == announcement && json["announcementSha256"] == hash.as_str(),
            "{json}"
        );
        Ok(())
    }

    fn mode(&self) -> &'static str {
        match self.rule {
            "no-choice" => "noChoice",
            rule if rule.starts_with("opt-in") => "optIn",
            _ => "optOut",
        }
    }
}

/// As a part of a URL.
pub fn escaped(text: &str) -> String {
    text.replace(' ', "%20").replace(',', "%2C")
}
