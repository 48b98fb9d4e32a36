//! NATS away during a call: the spool carries it.

mod calls;

use std::time::Duration;

use callseal::load::{Call, SipTransport};
use domain::Side;
use harness::{recordings, resources, world::World};

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nats_away_for_thirty_seconds_of_a_call_costs_not_one_packet() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = World::start(dir.path(), &resources::record_everything(dir.path())).await?;
    let client = calls::client(&world, SipTransport::Tcp).await?;
    let mut call = Call::invite(&client, calls::two_parties()).await?;
    call.play(Duration::from_secs(4)).await;
    world.kill("nats")?;
    call.play(Duration::from_secs(30)).await;
    world.start_nats().await?;
    call.play(Duration::from_secs(4)).await;
    let report = call.bye().await?;

    let found = recordings::wait_for(&dir.path().join("archive"), 1, PATIENCE).await;
    let found = found.map_err(|e| e.context(world.logs()))?;
    calls::is_complete(&found[0], &report).map_err(|e| e.context(world.logs()))?;
    let info = found[0].info()?;
    assert_eq!((info["Interrupted"].as_str(), info["PacketsLost"].as_str()), ("no", "0,0"));
    assert_eq!(calls::times_recorded(&found[0], &report)?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spooled_by_a_killed_ingest_is_sealed_after_both_are_back() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let extra = [("signer", "--interrupted-after=3600")];
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &extra).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let mut call = Call::invite(&client, calls::two_parties()).await?;
    call.play(Duration::from_secs(4)).await;
    world.kill("nats")?;
    call.play(Duration::from_secs(6)).await;
    world.kill("ingest")?;
    let report = call.abandon();
    world.start_nats().await?;
    world.start_service("ingest")?;

    let found = recordings::wait_for(&dir.path().join("archive"), 1, PATIENCE).await;
    let found = found.map_err(|e| e.context(world.logs()))?;
    assert_ne!(found[0].info()?["Interrupted"], "no");
    // A machine that holds up the sender holds up what follows it as well.
    let late = (client.worst_pacing_delay() * 2).min(Duration::from_secs(2));
    for side in [Side::Caller, Side::Callee] {
        let kept = calls::beginning_of(&found[0], &report, side)?;
        assert!(kept + late >= Duration::from_secs(9), "of 10 s only {kept:?} were kept, {late:?} late");
    }
    calls::verified(&dir.path().join("archive"), &world.installation.path("data/callseal.pem"))?;
    Ok(())
}
