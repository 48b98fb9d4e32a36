//! Consent that is asked for in the recorded call itself: the recording begins at the key.

use std::path::Path;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use wire::event_v1::event::What;

use super::{
    audio::{self, wav},
    leg::Dialled,
    scene::{Scene, journal},
    tap::Pieces,
    tenant,
};

fn question() -> Vec<u8> {
    wav(700, 300.0)
}

fn resources(dir: &Path) -> String {
    let consent =
        |mode, seconds| format!("mode: {mode}, askedBy: recordedCall, key: \"1\", seconds: {seconds}");
    tenant::acme(dir, "  whenUndecided: discard", &[("irma", "33"), ("oskar", "34")])
        + &tenant::announcement(dir, "question", &question())
        + &tenant::asking("opt-in", "irma", "question", &consent("optIn", 60))
        + &tenant::asking("opt-out", "oskar", "question", &consent("optOut", 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_recorded_call_begins_the_recording_and_nothing_from_before_it_is_kept()
-> anyhow::Result<()> {
    let scene = Scene::start(resources).await?;
    opt_in(&scene).await.with_context(|| scene.world.logs())?;
    opt_out(&scene).await.with_context(|| scene.world.logs())
}

async fn opt_in(scene: &Scene) -> anyhow::Result<()> {
    let mut leg = Dialled::inbound("33", "opt-in").begin(scene.srs()).await?;
    let asking = |what| match what {
        What::Decided(decided) if decided.asks_consent => Some(()),
        _ => None,
    };
    scene.events.until("opt-in", asking).await?;
    // The announcement, and a while after it; then a key of the wrong side, and then the right one.
    let before = leg.speak(60).await?;
    leg.callee.press('1').await?;
    let between = leg.speak(20).await?;
    leg.caller.press('1').await?;
    let after = leg.speak(60).await?;
    leg.end().await?;

    let recording = scene.recording("archive", "opt-in").await?;
    audio::holds_exactly(&recording, &[&after])?;
    let info = recording.info()?;
    let hash = hex::encode(Sha256::digest(question()));
    let (beginning, end) =
        ("granted; optIn; key 1; ", format!("; announcement question; sha256 {hash}; recorded call"));
    let proof = &info["Consent"];
    ensure!(proof.starts_with(beginning) && proof.ends_with(&end), "{proof}");
    ensure!(proof[beginning.len()..] <= *format!("{}{end}", info["Datetime"]), "{info:#?}");
    ensure!(journal(&recording)?["consent"]["source"] == "recorded call");
    let erased = Pieces::of(before.iter().chain(&between).map(Vec::as_slice));
    let found = erased.files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "audio from before consent is in {found:?}");

    // Another leg of the same call asks nobody again.
    let mut leg = Dialled::inbound("33", "opt-in").begin(scene.srs()).await?;
    let whole = leg.speak(40).await?;
    leg.end().await?;
    let mut legs = scene.recordings("archive", "opt-in", 2).await?;
    let second = legs.pop().context("no second leg")?;
    audio::holds_exactly(&second, &[&whole])?;
    ensure!(second.info()?["Consent"] == *proof, "{:#?}", second.info()?);
    Ok(())
}

async fn opt_out(scene: &Scene) -> anyhow::Result<()> {
    let mut leg = Dialled::inbound("34", "opt-out").begin(scene.srs()).await?;
    let before = leg.speak(20).await?;
    // The time for a refusal is over.
    let answered = |what| if let What::ConsentAnswered(answered) = what { Some(answered) } else { None };
    let answered = scene.events.until("opt-out", answered).await?;
    ensure!((answered.outcome.as_str(), answered.key.as_str()) == ("no-answer", ""), "{answered:?}");
    let after = leg.speak(40).await?;
    leg.end().await?;
    let recording = scene.recording("archive", "opt-out").await?;
    audio::holds_exactly(&recording, &[&after])?;
    let proof = &recording.info()?["Consent"];
    ensure!(proof.starts_with("no-answer; optOut; ") && proof.ends_with("; recorded call"), "{proof}");
    let found = Pieces::of(before.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "audio from before consent is in {found:?}");
    Ok(())
}
