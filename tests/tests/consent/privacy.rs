//! F-18: what may not be recorded is nowhere: not on the bus, not in any file of any service, and no
//! longer in the memory of the process that heard it.

use std::path::Path;

use anyhow::{Context, ensure};

use super::{
    PATIENCE,
    audio::wav,
    leg::{Dialled, Speech},
    scene::Scene,
    tap::{Pieces, Tap},
    tenant,
};

fn resources(dir: &Path) -> String {
    let question = |mode, asked_by| format!("mode: {mode}, askedBy: {asked_by}, key: \"1\", seconds: 1");
    let in_call = |mode| format!("mode: {mode}, askedBy: recordedCall, key: \"1\", seconds: 60");
    let users = [("ina", "31"), ("otto", "32"), ("irma", "33"), ("oskar", "34"), ("petra", "35")];
    tenant::acme(dir, "  whenUndecided: discard", &users)
        + &tenant::announcement(dir, "question", &wav(700, 300.0))
        + &tenant::rule(
            "duty",
            "profile: legalDuty, scope: {users: [dora]}, directions: [in], targets: [archive]",
        )
        + &tenant::asking("opt-in", "ina", "question", &question("optIn", "consentCall"))
        + &tenant::asking("opt-out", "otto", "question", &question("optOut", "consentCall"))
        + &tenant::asking("in-call-opt-in", "irma", "question", &in_call("optIn"))
        + &tenant::asking("in-call-opt-out", "oskar", "question", &in_call("optOut"))
}

/// All that was said in calls that may not be recorded.
struct Private {
    said: Vec<Speech>,
    calls: Vec<&'static str>,
}

impl Private {
    fn add(&mut self, said: [Speech; 2]) {
        self.said.extend(said);
    }

    /// A call about which the answer is known before it begins.
    async fn answered_before(&mut self, scene: &Scene, callee: &str, id: &'static str) -> anyhow::Result<()> {
        let mut leg = self.begin(scene, callee, id).await?;
        self.add(leg.speak(60).await?);
        leg.end().await
    }

    async fn begin(
        &mut self,
        scene: &Scene,
        callee: &str,
        id: &'static str,
    ) -> anyhow::Result<super::leg::Leg> {
        self.calls.push(id);
        Dialled::inbound(callee, id).begin(scene.srs()).await
    }
}

/// A recorded call; waits until nothing more is to be done about it.
async fn recorded(scene: &Scene, id: &str) -> anyhow::Result<[Speech; 2]> {
    let mut leg = Dialled::inbound("20", id).begin(scene.srs()).await?;
    let said = leg.speak(60).await?;
    leg.end().await?;
    scene.recording("archive", id).await?;
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_without_consent_is_on_no_disk_and_was_never_on_the_bus() -> anyhow::Result<()> {
    let scene = Scene::start(resources).await?;
    let tap = Tap::on(scene.world.installation.ports.nats).await?;

    // The search finds what is there: a recorded call on the bus and in the archive.
    let said = recorded(&scene, "duty").await?;
    for speech in &said {
        let pieces = Pieces::of([speech.as_slice()]);
        ensure!(tap.overheard(&pieces).await?, "the tap does not hear what is recorded");
        let found = pieces.files_below(&scene.path(""))?;
        ensure!(found.iter().any(|file| file.starts_with(scene.path("archive"))), "{found:?}");
    }

    let mut private = Private { said: Vec::new(), calls: Vec::new() };
    private_calls(&scene, &mut private).await.with_context(|| scene.world.logs())?;
    scene.over(private.calls.iter().copied()).await?;
    for call in &private.calls {
        let decided = scene.events.decided(call).await?;
        ensure!(!decided.recorded, "{call}: {decided:?}");
    }
    // Whatever had been on its way when this call began has arrived when it is sealed.
    recorded(&scene, "afterwards").await?;

    let pieces = Pieces::of(private.said.iter().map(Vec::as_slice));
    ensure!(!tap.overheard(&pieces).await?, "audio without consent was on the bus");
    let found = pieces.files_below(&scene.path(""))?;
    ensure!(found.is_empty(), "audio without consent is in {found:?}");
    let ingest = scene.world.process("ingest")?.id();
    ensure!(!pieces.are_in_memory_of(ingest)?, "audio without consent is still in the memory of ingest");
    let mut archived = scene.call_ids("archive")?;
    archived.sort();
    ensure!(archived == ["afterwards", "duty"], "{archived:?}");
    no_core_dump_can_be_written(&scene)
}

async fn private_calls(scene: &Scene, private: &mut Private) -> anyhow::Result<()> {
    let answer = |id: &str, body: &str| scene.api.put(&format!("calls/{id}/consent"), body)?.json();
    // Nobody's rule.
    private.answered_before(scene, "35", "no-rule").await?;

    // Asked before, and refused or not answered.
    answer("denied-before", r#"{"outcome": "denied", "key": "1", "mode": "optOut"}"#)?;
    private.answered_before(scene, "32", "denied-before").await?;
    answer("silent-before", r#"{"outcome": "no-answer", "mode": "optIn"}"#)?;
    private.answered_before(scene, "31", "silent-before").await?;

    // The session is there first, and its audio waits in memory; then the answer comes.
    let mut leg = private.begin(scene, "32", "denied-meanwhile").await?;
    private.add(leg.speak(60).await?);
    answer("denied-meanwhile", r#"{"outcome": "denied", "mode": "optOut"}"#)?;
    private.add(leg.speak(20).await?);
    leg.end().await?;

    // Nobody ever answers.
    let mut leg = private.begin(scene, "31", "never-answered").await?;
    private.add(leg.speak(60).await?);
    // The search finds what waits.
    let waiting = Pieces::of(private.said.iter().rev().take(2).map(Vec::as_slice));
    let ingest = scene.world.process("ingest")?.id();
    harness::wait::until("audio to wait in memory", PATIENCE, async || {
        waiting.are_in_memory_of(ingest).ok()?.then_some(())
    })
    .await?;
    leg.end().await?;

    // Asked in the recorded call: hung up, the wrong key, and refused.
    let mut leg = private.begin(scene, "33", "hung-up").await?;
    private.add(leg.speak(60).await?);
    leg.caller.press('2').await?;
    // The right key, by somebody else.
    leg.callee.press('1').await?;
    private.add(leg.speak(20).await?);
    leg.end().await?;
    let mut leg = private.begin(scene, "34", "refused").await?;
    private.add(leg.speak(60).await?);
    leg.caller.press('1').await?;
    private.add(leg.speak(30).await?);
    leg.end().await
}

/// Ingest's limit for core dumps is 0, soft and hard: nobody can raise it again.
fn no_core_dump_can_be_written(scene: &Scene) -> anyhow::Result<()> {
    let id = scene.world.process("ingest")?.id();
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no limit")?;
    let columns: Vec<&str> = core.split_whitespace().collect();
    ensure!(columns[4..6] == ["0", "0"], "{core}");
    Ok(())
}
