//! The signer dies in the middle of its work on a recording, in the whole system: the recording is
//! there once, and so is what the shipper and the journal make of it.

mod calls;

use std::time::Duration;

use callseal::load::{Call, SipTransport};
use harness::{recordings, resources, wait, world::World};

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between the signature and the announcement, where a second start has most to repeat. The signer's
/// own tests go through every step.
const STEPS: [&str; 4] = ["flush-segments-written", "seal-signed", "seal-committed", "outbox-published"];

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_dies_in_mid_sealing_leaves_one_recording_one_chain_and_one_row() -> anyhow::Result<()>
{
    let dir = tempfile::tempdir()?;
    let quick = [("signer", "--lease=2"), ("signer", "--flush-every=1")];
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &quick).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let archive = dir.path().join("archive");
    let mut reports = Vec::new();
    for (done, step) in STEPS.iter().enumerate() {
        world.kill("signer")?;
        world.start_replica("signer", "signer", &[format!("--fail-at={step}")])?;
        let mut call = Call::invite(&client, calls::distinct(done)).await?;
        call.play(Duration::from_secs(3)).await;
        reports.push(call.bye().await?);
        let ended = world.wait_until_ended("signer", PATIENCE).await.map_err(|e| e.context(*step))?;
        assert!(!ended.success(), "{step}: {ended}");
        world.start_service("signer")?;
        let found = recordings::wait_for(&archive, done + 1, PATIENCE).await;
        found.map_err(|e| e.context(world.logs()).context(*step))?;
    }
    let found = recordings::find(&archive)?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    calls::on_one_chain(&archive, &world.installation.path("data/callseal.pem"), STEPS.len())?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await?;
    for service in ["shipper", "journal"] {
        let verb = if service == "shipper" { "shipped" } else { "journalled" };
        let told = || -> anyhow::Result<usize> {
            let output = world.process(service)?.output();
            Ok(output.lines().filter(|line| line.contains(&format!("\"message\":\"{verb}\""))).count())
        };
        // It tells a moment after the file or the row is there.
        wait::until(&format!("{service} to tell of each"), PATIENCE, async || {
            told().ok().filter(|told| *told >= STEPS.len())
        })
        .await?;
        assert_eq!(told()?, STEPS.len(), "{service}: {}", world.process(service)?.output());
    }
    Ok(())
}
