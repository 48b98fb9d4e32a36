//! F-32: who may stop a recording, what remains of it, and what may be started anew.

use std::path::Path;

use anyhow::{Context, ensure};
use wire::event_v1::event::What;

use super::{audio, leg::Dialled, scene::Scene, tap::Pieces, tenant};

fn resources(dir: &Path) -> String {
    tenant::acme(dir, "  whenUndecided: discard", &[("karl", "25"), ("max", "26")])
        + &tenant::rule(
            "duty",
            "profile: legalDuty, scope: {users: [dora, max]}, directions: [in, out], targets: [archive]",
        )
        + &tenant::rule(
            "told",
            "profile: consent, scope: {users: [karl]}, directions: [in], targets: [archive], \
             consent: {mode: optIn, askedBy: pbx}",
        )
}

fn stopped(what: What) -> Option<String> {
    if let What::Stopped(stopped) = what { Some(stopped.way) } else { None }
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_an_own_user_stops_a_recording_and_nobody_else_does() -> anyhow::Result<()> {
    let scene = Scene::start(resources).await?;
    let done = async {
        by_keys(&scene).await.context("by keys")?;
        by_an_outsider(&scene).await.context("by an outsider")?;
        a_duty_is_not_resumed(&scene).await.context("legal duty")?;
        a_duty_does_not_begin_late(&scene).await.context("a late start")?;
        consent_is_started_anew(&scene).await.context("consent")?;
        verified(&scene)
    };
    done.await.with_context(|| scene.world.logs())
}

/// `*1` on the own user's phone, of either side.
async fn by_keys(scene: &Scene) -> anyhow::Result<()> {
    for (call, way) in [
        (Dialled::inbound("20", "stopped in"), "keys on the callee's phone"),
        (Dialled::outbound("20", "stopped out"), "keys on the caller's phone"),
    ] {
        let id = call.call_id.clone();
        let mut leg = call.begin(scene.srs()).await?;
        let before = leg.speak(50).await?;
        let own = if way.contains("callee") { &mut leg.callee } else { &mut leg.caller };
        own.press('*').await?;
        own.press('1').await?;
        let after = leg.speak(50).await?;
        ensure!(scene.events.until(&id, stopped).await? == way);
        leg.end().await?;
        let recording = scene.recording("archive", &id).await?;
        audio::holds_exactly(&recording, &[&before])?;
        let info = recording.info()?;
        ensure!(info["Stopped"].ends_with(&format!(" by {way}")), "{info:#?}");
        ensure!((info["Class"].as_str(), info["Interrupted"].as_str()) == ("regulated", "no"), "{info:#?}");
        let found = Pieces::of(after.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
        ensure!(found.is_empty(), "what was said after the stop is in {found:?}");
    }
    Ok(())
}

/// `*1` by the outside party is a key like any other.
async fn by_an_outsider(scene: &Scene) -> anyhow::Result<()> {
    let mut leg = Dialled::inbound("20", "outsider").begin(scene.srs()).await?;
    let before = leg.speak(40).await?;
    leg.caller.press('*').await?;
    leg.caller.press('1').await?;
    // One key each makes no code.
    leg.callee.press('*').await?;
    leg.caller.press('1').await?;
    let after = leg.speak(40).await?;
    leg.end().await?;
    let recording = scene.recording("archive", "outsider").await?;
    audio::holds_exactly(&recording, &[&before, &after])?;
    ensure!(!recording.info()?.contains_key("Stopped"), "{:#?}", recording.info()?);
    Ok(())
}

/// F-18: stopped by the API, signed with the user's name; then nothing begins again.
async fn a_duty_is_not_resumed(scene: &Scene) -> anyhow::Result<()> {
    let mut leg = Dialled::inbound("26", "duty").begin(scene.srs()).await?;
    let before = leg.speak(50).await?;
    let stop = r#"{"user": "max"}"#;
    let other = scene.api.post("calls/duty/recording:stop", r#"{"user": "karl"}"#)?;
    ensure!(other.status == 409 && other.error()?.contains("not a party"), "{other:?}");
    let done = scene.api.post("calls/duty/recording:stop", stop)?.json()?;
    ensure!(done["legs"][0]["standing"] == "stopped", "{done}");
    let after = leg.speak(30).await?;
    for resumed in
        [scene.api.post("calls/duty/recording:start", stop)?, scene.api.press_button("duty", "max")?]
    {
        ensure!(resumed.status == 409 && resumed.body.contains("legal duty"), "{resumed:?}");
    }
    // A new look of rules at the call does not resume it either.
    scene.api.put("calls/duty/override", r#"{"override": "force"}"#)?.json()?;
    let later = leg.speak(30).await?;
    leg.end().await?;
    scene.over(["duty"]).await?;

    let recording = scene.recording("archive", "duty").await?;
    audio::holds_exactly(&recording, &[&before])?;
    let info = recording.info()?;
    ensure!(info["Stopped"].ends_with(" by API") && info["StoppedBy"] == "max", "{info:#?}");
    let gone = after.iter().chain(&later).map(Vec::as_slice);
    let found = Pieces::of(gone).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "what was said after the stop is in {found:?}");
    Ok(())
}

/// F-18: nobody begins late what the law would have had from the beginning.
async fn a_duty_does_not_begin_late(scene: &Scene) -> anyhow::Result<()> {
    let by_hand = Dialled::inbound("26", "late").with("X-Callseal-Override", "manual");
    let mut leg = by_hand.begin(scene.srs()).await?;
    ensure!(!scene.events.decided("late").await?.recorded);
    let before = leg.speak(20).await?;
    let late = scene.api.post("calls/late/recording:start", r#"{"user": "max"}"#)?;
    ensure!(late.status == 409 && late.error()?.contains("manualRecording"), "{late:?}");
    let after = leg.speak(20).await?;
    leg.end().await?;
    scene.over(["late"]).await?;
    let found = Pieces::of(before.iter().chain(&after).map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "what was not recorded is in {found:?}");
    Ok(())
}

/// A recording with consent goes on as another one of the same call.
async fn consent_is_started_anew(scene: &Scene) -> anyhow::Result<()> {
    let granted = r#"{"outcome": "granted", "mode": "optIn", "key": "5"}"#;
    scene.api.put("calls/anew/consent", granted)?.json()?;
    let mut leg = Dialled::inbound("25", "anew").begin(scene.srs()).await?;
    let first = leg.speak(50).await?;
    leg.callee.press('*').await?;
    leg.callee.press('1').await?;
    scene.events.until("anew", stopped).await?;
    let between = leg.speak(20).await?;
    let started = scene.api.post("calls/anew/recording:start", r#"{"user": "karl"}"#)?.json()?;
    ensure!(started["legs"][0]["standing"] == "recorded", "{started}");
    let second = leg.speak(50).await?;
    leg.end().await?;

    let recordings = scene.recordings("archive", "anew", 2).await?;
    for (recording, said) in recordings.iter().zip([&first, &second]) {
        audio::holds_exactly(recording, &[said])?;
        let info = recording.info()?;
        ensure!(info["Consent"].starts_with("granted; optIn; key 5; "), "{info:#?}");
        ensure!((info["Class"].as_str(), info["Rule"].as_str()) == ("consent", "told"), "{info:#?}");
    }
    ensure!(recordings[0].info()?["Recording"] != recordings[1].info()?["Recording"]);
    let found = Pieces::of(between.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "what was said between the recordings is in {found:?}");
    Ok(())
}

fn verified(scene: &Scene) -> anyhow::Result<()> {
    let said = scene.verified("archive")?;
    for lane in ["acme/regulated: 4 recordings, chain complete", "acme/consent: 2 recordings, chain complete"]
    {
        ensure!(said.contains(lane), "{said}");
    }
    Ok(())
}
