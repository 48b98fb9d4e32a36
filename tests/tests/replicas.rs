//! Two signers over one PostgreSQL: they share the partitions, keep one chain, and take over from each
//! other.

mod calls;

use std::time::Duration;

use callseal::load::SipTransport;
use harness::{postgres::Postgres, recordings, resources, world::World};
use nix::sys::signal::Signal;

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: &str = "callseal_signer_partitions";

#[tokio::test(flavor = "multi_thread")]
async fn two_signers_keep_one_chain_and_one_takes_over_when_the_other_is_killed_in_mid_call()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let postgres = Postgres::start().await?;
    let state = format!("--state={}?schema=signer", postgres.url());
    let extra = [("signer", state.as_str()), ("signer", "--lease=2"), ("signer", "--flush-every=2")];
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &extra).await?;
    world.start_replica("signer", "second", &["--replica=second".to_owned()])?;
    for replica in ["signer", "second"] {
        world.wait_for_metric(replica, PARTITIONS, PATIENCE, |share| share == 8.0).await?;
    }
    let client = calls::client(&world, SipTransport::Tcp).await?;
    let mut reports = calls::several(&client, 8, Duration::from_secs(1), async { Ok(()) }).await?;
    // The first one is the one that seals.
    reports.extend(calls::several(&client, 8, Duration::from_secs(4), async { world.kill("signer") }).await?);

    let (archive, certificate) = (dir.path().join("archive"), world.installation.path("data/callseal.pem"));
    let found = recordings::wait_for(&archive, 16, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    calls::on_one_chain(&archive, &certificate, 16)?;
    world.wait_for_metric("second", PARTITIONS, PATIENCE, |share| share == 16.0).await?;

    // Back again it gets its share, and nothing that lay about is sealed a second time.
    world.start_service("signer")?;
    for replica in ["signer", "second"] {
        world.wait_for_metric(replica, PARTITIONS, PATIENCE, |share| share == 8.0).await?;
    }
    reports.push(calls::quiet(&client, Duration::from_secs(1)).await?);
    let found = recordings::wait_for(&archive, 17, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    calls::on_one_chain(&archive, &certificate, 17)?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_wakes_up_after_its_lease_and_a_state_database_that_crashes_change_nothing()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut postgres = Postgres::start().await?;
    let state = format!("--state={}?schema=signer", postgres.url());
    let extra = [("signer", state.as_str()), ("signer", "--lease=2"), ("signer", "--flush-every=1")];
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &extra).await?;
    world.start_replica("signer", "second", &["--replica=second".to_owned()])?;
    for replica in ["signer", "second"] {
        world.wait_for_metric(replica, PARTITIONS, PATIENCE, |share| share == 8.0).await?;
    }
    let client = calls::client(&world, SipTransport::Udp).await?;

    // The first one seals. It believes in its leases until it looks.
    let frozen = async {
        world.process("signer")?.signal(Signal::SIGSTOP)?;
        world.wait_for_metric("second", PARTITIONS, PATIENCE, |share| share == 16.0).await?;
        world.process("signer")?.signal(Signal::SIGCONT)
    };
    let mut reports = calls::several(&client, 8, Duration::from_secs(3), frozen).await?;
    let crash = async {
        postgres.crash()?;
        postgres.start_again().await
    };
    reports.extend(calls::several(&client, 8, Duration::from_secs(2), crash).await?);

    let (archive, certificate) = (dir.path().join("archive"), world.installation.path("data/callseal.pem"));
    let found = recordings::wait_for(&archive, 16, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    calls::on_one_chain(&archive, &certificate, 16)?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await?;
    for replica in ["signer", "second"] {
        world.wait_for_metric(replica, PARTITIONS, PATIENCE, |share| share == 8.0).await?;
        world.wait_until_ready(replica).await?;
    }
    Ok(())
}
