//! Rules is away: a tenant by legal duty records, one that asks for consent keeps nothing.

use std::path::Path;

use anyhow::{Context, ensure};
use wire::event_v1::event::What;

use super::{
    audio,
    leg::Dialled,
    scene::Scene,
    tap::{Pieces, Tap},
    tenant,
};

fn resources(dir: &Path) -> String {
    let duty = tenant::acme(dir, "  whenUndecided: record\n  sip: {domains: [duty.example]}", &[])
        + &tenant::rule("duty", "profile: legalDuty, scope: all, targets: [archive]");
    // Everything once more, for somebody else.
    let asking = "---\n".to_owned()
        + &duty
            .replace("acme", "globex")
            .replace("whenUndecided: record", "whenUndecided: discard")
            .replace("duty.example", "asking.example")
            .replace(
                "profile: legalDuty, scope: all",
                "profile: consent, scope: all, consent: {mode: noChoice, askedBy: pbx}",
            );
    duty + &asking
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_the_tenant_by_duty_records_and_the_asking_one_keeps_nothing() -> anyhow::Result<()> {
    let mut scene = Scene::start_with(resources, &[("ingest", "--decision-timeout=2")]).await?;
    let tap = Tap::on(scene.world.installation.ports.nats).await?;
    scene.world.kill("rules")?;
    let done = async {
        let duty = Dialled::inbound("20", "by duty").at("duty.example");
        let asking = Dialled::inbound("20", "asking").at("asking.example");
        let (mut duty, mut asking) = (duty.begin(scene.srs()).await?, asking.begin(scene.srs()).await?);
        let (recorded, private) = tokio::try_join!(duty.speak(150), asking.speak(150))?;
        for id in ["by duty", "asking"] {
            let fault = |what| if let What::Fault(fault) = what { Some(fault.problem) } else { None };
            let problem = scene.events.until(id, fault).await?;
            ensure!(problem.contains("no decision from rules"), "{id}: {problem}");
        }
        duty.end().await?;
        asking.end().await?;
        scene.over(["by duty", "asking"]).await?;

        let decided = scene.events.decided("by duty").await?;
        ensure!(decided.recorded && decided.rule == "when-undecided", "{decided:?}");
        let recording = scene.recording("archive", "by duty").await?;
        audio::holds_exactly(&recording, &[&recorded])?;
        let info = recording.info()?;
        ensure!((info["Tenant"].as_str(), info["Class"].as_str()) == ("acme", "regulated"), "{info:#?}");

        let decided = scene.events.decided("asking").await?;
        ensure!(!decided.recorded && decided.reason.contains("whenUndecided is discard"), "{decided:?}");
        let kept = Pieces::of(recorded.iter().map(Vec::as_slice));
        ensure!(tap.overheard(&kept).await? && !kept.files_below(&scene.path(""))?.is_empty());
        let pieces = Pieces::of(private.iter().map(Vec::as_slice));
        ensure!(!tap.overheard(&pieces).await?, "discarded audio was on the bus");
        let found = pieces.files_below(&scene.path(""))?;
        ensure!(found.is_empty(), "discarded audio is in {found:?}");
        Ok(())
    };
    done.await.with_context(|| scene.world.logs())
}
