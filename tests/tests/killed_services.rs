//! `kill -9` of each service in mid-call, then a restart: the recording is complete, the chain has no
//! fork and no hole, nothing is shipped or journalled twice.

mod calls;

use std::time::Duration;

use callseal::load::SipTransport;
use domain::Side;
use harness::{recordings, resources, world::World};

const THIRD: Duration = Duration::from_secs(4);
/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tuned so that leases and silences end within a test, not within minutes.
const QUICK: &[(&str, &str)] =
    &[("signer", "--lease=2"), ("signer", "--flush-every=2"), ("signer", "--interrupted-after=8")];

async fn survives_a_kill_of(service: &'static str) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), QUICK).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let before = calls::quiet(&client, Duration::from_secs(1)).await?;
    let during = calls::disturbed(&client, THIRD, async {
        world.kill(service)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.start_service(service)
    })
    .await?;
    let after = calls::quiet(&client, Duration::from_secs(1)).await?;

    let archive = dir.path().join("archive");
    let found = recordings::wait_for(&archive, 3, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    assert_eq!(found.len(), 3, "{}", world.logs());
    for (recording, report) in found.iter().zip([&before, &during, &after]) {
        calls::is_complete(recording, report).map_err(|e| e.context(world.logs()))?;
        assert_eq!(recording.info()?["Interrupted"], "no");
    }
    let said = calls::verified(&archive, &world.installation.path("data/callseal.pem"))?;
    assert!(said.contains("acme/regulated"), "{said}");
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_rules_changes_nothing_in_a_running_call() -> anyhow::Result<()> {
    survives_a_kill_of("rules").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_signer_goes_on_from_its_mark() -> anyhow::Result<()> {
    survives_a_kill_of("signer").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shipper_ships_once() -> anyhow::Result<()> {
    survives_a_kill_of("shipper").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_journal_writes_each_row_once() -> anyhow::Result<()> {
    survives_a_kill_of("journal").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_ingest_had_received_is_sealed_and_marked_interrupted() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), QUICK).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let mut call = callseal::load::Call::invite(&client, calls::two_parties()).await?;
    call.play(Duration::from_secs(5)).await;
    world.kill("ingest")?;
    let report = call.abandon();
    world.start_service("ingest")?;
    world.wait_until_ready("ingest").await?;

    let archive = dir.path().join("archive");
    let found = recordings::wait_for(&archive, 1, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    assert_ne!(found[0].info()?["Interrupted"], "no");
    // A machine that holds up the sender holds up what follows it as well.
    let late = (client.worst_pacing_delay() * 2).min(Duration::from_secs(2));
    for side in [Side::Caller, Side::Callee] {
        let kept = calls::beginning_of(&found[0], &report, side)?;
        assert!(kept + late >= Duration::from_secs(4), "of 5 s only {kept:?} were kept, {late:?} late");
    }
    calls::verified(&archive, &world.installation.path("data/callseal.pem"))?;
    // The next call is recorded as if nothing had been.
    let next = calls::quiet(&client, Duration::from_secs(1)).await?;
    let found = recordings::wait_for(&archive, 2, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::is_complete(&found[1], &next)?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await
}
