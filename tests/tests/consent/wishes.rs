//! What the PBX and people wish at run time: overrides, memberships, the record button (F-08, F-16, F-17).

use std::path::Path;

use anyhow::{Context, ensure};

use super::{
    audio,
    leg::{Dialled, Speech},
    scene::Scene,
    tap::Pieces,
    tenant,
};

fn resources(dir: &Path) -> String {
    let spec = "  whenUndecided: record\n  forcedCallsRule: forced";
    tenant::acme(dir, spec, &[("pia", "27"), ("nils", "28"), ("max", "26")])
        + &tenant::rule(
            "duty",
            "order: 1, profile: legalDuty, scope: {users: [max]}, directions: [in], targets: [archive]",
        )
        + &tenant::rule(
            "desk",
            "order: 2, profile: legalDuty, scope: {groups: [desk]}, directions: [out], targets: [archive]",
        )
        + &tenant::rule(
            "by-hand",
            "order: 3, profile: legalDuty, scope: {users: [pia]}, directions: [internal], targets: [archive], \
             manualRecording: {targets: [private], journals: []}",
        )
        + &tenant::rule(
            "forced",
            "order: 4, profile: legalDuty, scope: {groups: [desk]}, directions: [internal], targets: [archive]",
        )
}

/// A whole call; whether it was recorded, and under which rule or why not.
async fn placed(scene: &Scene, call: &Dialled) -> anyhow::Result<(bool, String, [Speech; 2])> {
    let mut leg = call.begin(scene.srs()).await?;
    let decided = scene.events.decided(&call.call_id).await?;
    let said = leg.speak(30).await?;
    leg.end().await?;
    scene.over([call.call_id.as_str()]).await?;
    let why = if decided.recorded { decided.rule } else { decided.reason };
    Ok((decided.recorded, why, said))
}

const OVERRIDE: &str = "X-Callseal-Override";

#[tokio::test(flavor = "multi_thread")]
async fn f16_an_override_decides_by_header_and_by_api_before_a_call_and_during_it() -> anyhow::Result<()> {
    let scene = Scene::start(resources).await?;
    let done = async {
        override_of_a_new_call(&scene).await.context("a new call")?;
        override_of_a_live_call(&scene).await.context("a live call")
    };
    done.await.with_context(|| scene.world.logs())
}

/// User, header, what the API was told before; recorded or not, and the rule or a word of the reason.
const WISHES: [(&str, &str, &str, bool, &str); 9] = [
    ("26", "", "", true, "duty"),
    ("28", "", "", false, "no rule"),
    ("26", "deny", "", false, "deny"),
    ("28", "force", "", true, "forced"),
    ("26", "manual", "", false, "manual"),
    ("26", "", "deny", false, "deny"),
    ("28", "", "force", true, "forced"),
    ("26", "force", "deny", false, "deny"),
    ("26", "deny", "auto", false, "deny"),
];

async fn override_of_a_new_call(scene: &Scene) -> anyhow::Result<()> {
    let (mut private, mut expected) = (Vec::new(), Vec::new());
    for (number, (callee, header, api, is_recorded, why)) in WISHES.into_iter().enumerate() {
        let id = format!("wish-{number}");
        if !api.is_empty() {
            let kept =
                scene.api.put(&format!("calls/{id}/override"), &format!(r#"{{"override": "{api}"}}"#))?;
            ensure!(kept.json()?["override"] == api, "{kept:?}");
        }
        let mut call = Dialled::inbound(callee, &id);
        if !header.is_empty() {
            call = call.with(OVERRIDE, header);
        }
        let (recorded, said_why, said) = placed(scene, &call).await.with_context(|| id.clone())?;
        ensure!(recorded == is_recorded && said_why.contains(why), "{id}: {recorded}: {said_why}");
        if recorded {
            let recording = scene.recording("archive", &id).await?;
            audio::holds_exactly(&recording, &[&said])?;
            expected.push(id);
        } else {
            private.extend(said);
        }
    }
    let mut archived = scene.call_ids("archive")?;
    archived.sort();
    ensure!(archived == expected, "{archived:?}");
    let found = Pieces::of(private.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

async fn override_of_a_live_call(scene: &Scene) -> anyhow::Result<()> {
    // Not recorded, until the PBX wants it to be.
    let mut leg = Dialled::inbound("28", "late-force").begin(scene.srs()).await?;
    ensure!(!scene.events.decided("late-force").await?.recorded);
    let before = leg.speak(30).await?;
    scene.api.put("calls/late-force/override", r#"{"override": "force"}"#)?.json()?;
    let recorded = |what| match what {
        wire::event_v1::event::What::Decided(decided) if decided.recorded => Some(()),
        _ => None,
    };
    scene.events.until("late-force", recorded).await?;
    let after = leg.speak(30).await?;
    leg.end().await?;
    let recording = scene.recording("archive", "late-force").await?;
    audio::holds_exactly(&recording, &[&after])?;
    let found = Pieces::of(before.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "{found:?}");

    // What is being recorded goes on: it can be stopped, not unmade.
    let mut leg = Dialled::inbound("26", "late-deny").begin(scene.srs()).await?;
    ensure!(scene.events.decided("late-deny").await?.recorded);
    let before = leg.speak(30).await?;
    scene.api.put("calls/late-deny/override", r#"{"override": "deny"}"#)?.json()?;
    let after = leg.speak(30).await?;
    leg.end().await?;
    let recording = scene.recording("archive", "late-deny").await?;
    audio::holds_exactly(&recording, &[&before, &after])
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_who_logs_off_is_not_recorded_from_the_next_call_on_and_wishes_outlive_killed_servers()
-> anyhow::Result<()> {
    let mut scene = Scene::start(resources).await?;
    let member = "groups/desk/members/dora";
    let call = |number: u32| Dialled::outbound("20", &format!("member-{number}"));
    ensure!(placed(&scene, &call(0)).await?.0, "a member of the group");

    scene.api.put(member, r#"{"active": false}"#)?.json()?;
    let (recorded, why, private) = placed(&scene, &call(1)).await?;
    ensure!(!recorded && why.contains("no rule"), "{why}");
    for (number, killed) in [(2, "rules"), (3, "nats")] {
        let wished = format!("wished before {killed} was killed").replace(' ', "-");
        scene.api.put(&format!("calls/{wished}/override"), r#"{"override": "deny"}"#)?.json()?;
        let answer = r#"{"outcome": "granted", "key": "1", "mode": "optIn"}"#;
        let answered = scene.api.put(&format!("calls/{wished}/consent"), answer)?.json()?;
        scene.kill_and_restart(killed).await?;
        let kept = listed(&scene).await.with_context(|| scene.world.logs())?;
        ensure!(kept["active"] == false, "after {killed} was killed: {kept}");
        let (recorded, why, _) = placed(&scene, &call(number)).await.with_context(|| scene.world.logs())?;
        ensure!(!recorded, "after {killed} was killed: {why}");
        let denied = placed(&scene, &Dialled::inbound("26", &wished)).await?;
        ensure!(!denied.0 && denied.1.contains("deny"), "after {killed} was killed: {}", denied.1);
        let kept = scene.api.get(&format!("calls/{wished}/consent"))?.json()?;
        ensure!(kept == answered, "after {killed} was killed: {kept}");
    }
    scene.api.put(member, r#"{"active": true}"#)?.json()?;
    let (recorded, rule, said) = placed(&scene, &call(4)).await?;
    ensure!(recorded && rule == "desk", "{rule}");
    let recording = scene.recording("archive", "member-4").await.with_context(|| scene.world.logs())?;
    audio::holds_exactly(&recording, &[&said])?;
    let found = Pieces::of(private.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

/// How the API shows Dora's membership, as soon as it answers again.
async fn listed(scene: &Scene) -> anyhow::Result<serde_json::Value> {
    harness::wait::until("the members", super::PATIENCE, async || {
        let listed = scene.api.get("groups/desk/members").ok()?.json().ok()?;
        listed["members"].as_array()?.iter().find(|member| member["user"] == "dora").cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_record_button_begins_and_ends_recordings_that_lie_apart_from_the_regulated_ones()
-> anyhow::Result<()> {
    let scene = Scene::start(resources).await?;
    button(&scene).await.with_context(|| scene.world.logs())
}

async fn button(scene: &Scene) -> anyhow::Result<()> {
    let (_, _, duty) = placed(scene, &Dialled::inbound("26", "duty")).await?;
    audio::holds_exactly(&scene.recording("archive", "duty").await?, &[&duty])?;

    let mut leg = Dialled::inbound("27", "button").begin(scene.srs()).await?;
    ensure!(!scene.events.decided("button").await?.recorded);
    let press = |expected: &str| {
        let pressed = scene.api.press_button("button", "pia")?;
        ensure!(pressed.status == 200 && pressed.body.contains(expected), "{pressed:?}");
        anyhow::Ok(())
    };
    let mut private = leg.speak(30).await?.to_vec();
    // Who is no party of the call, and who may not record, have buttons as well.
    for (user, status) in [("nils", 409), ("nobody", 404)] {
        let refused = scene.api.press_button("button", user)?;
        ensure!(refused.status == status, "{user}: {refused:?}");
    }
    press("recording")?;
    let first = leg.speak(30).await?;
    press("stopped")?;
    private.extend(leg.speak(30).await?);
    press("recording")?;
    let second = leg.speak(30).await?;
    leg.end().await?;

    let recordings = scene.recordings("private", "button", 2).await?;
    for (recording, said) in recordings.iter().zip([&first, &second]) {
        audio::holds_exactly(recording, &[said])?;
        let info = recording.info()?;
        ensure!((info["Class"].as_str(), info["Rule"].as_str()) == ("manual", "by-hand"), "{info:#?}");
    }
    let info = recordings[0].info()?;
    ensure!(info["Stopped"].ends_with(" by phone button") && info["StoppedBy"] == "pia", "{info:#?}");
    let found = Pieces::of(private.iter().map(Vec::as_slice)).files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "{found:?}");

    // By legal duty: the button leaves it as it is.
    let mut leg = Dialled::inbound("26", "duty-button").begin(scene.srs()).await?;
    ensure!(scene.events.decided("duty-button").await?.recorded);
    let before = leg.speak(20).await?;
    let pressed = scene.api.press_button("duty-button", "max")?;
    ensure!(pressed.status == 409 && pressed.body.contains("legal duty"), "{pressed:?}");
    let after = leg.speak(20).await?;
    leg.end().await?;
    audio::holds_exactly(&scene.recording("archive", "duty-button").await?, &[&before, &after])?;

    // Two lanes, two archives.
    for (archive, lane, other) in [
        ("archive", "acme/regulated: 2 recordings, chain complete", "acme/manual: no recording here"),
        ("private", "acme/manual: 2 recordings, chain complete", "acme/regulated: no recording here"),
    ] {
        let said = scene.verified(archive)?;
        ensure!(said.contains(lane) && said.contains(other), "{archive}: {said}");
    }
    Ok(())
}
