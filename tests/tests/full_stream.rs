//! The bus is full and nobody empties it: calls go on through the spool, new ones are refused when that
//! is nearly full too, and nothing of it is lost.

mod calls;

use std::time::Duration;

use callseal::load::{Call, CallFailure, SipTransport};
use harness::{recordings, resources, world::World};

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);

/// About four seconds of eight calls fit into the stream, twice that into the spool.
const SMALL: [(&str, &str); 8] = [
    ("rules", "--calls-max-bytes=600000"),
    ("signer", "--calls-max-bytes=600000"),
    ("shipper", "--calls-max-bytes=600000"),
    ("journal", "--calls-max-bytes=600000"),
    ("ingest", "--calls-max-bytes=600000"),
    ("ingest", "--spool-max-bytes=1200000"),
    ("signer", "--lease=2"),
    ("signer", "--flush-every=2"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_sends_calls_to_the_spool_and_a_full_spool_sends_new_ones_elsewhere()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &SMALL).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let mut reports = vec![calls::quiet(&client, Duration::from_secs(1)).await?];
    let archive = dir.path().join("archive");
    recordings::wait_for(&archive, 1, PATIENCE).await.map_err(|e| e.context(world.logs()))?;

    // What nobody reads stays in the stream.
    world.kill("signer")?;
    let meanwhile = async {
        world.wait_for_metric("ingest", "callseal_bus_spool_size_bytes", PATIENCE, |size| size > 0.0).await?;
        world
            .wait_for_metric("ingest", "callseal_bus_spool_size_bytes", PATIENCE, |size| size >= 960e3)
            .await?;
        match Call::invite(&client, calls::two_parties()).await {
            Err(CallFailure::Rejected { status, .. }) => assert_eq!(status, 503),
            Err(other) => anyhow::bail!(other),
            Ok(_) => anyhow::bail!("a call was taken although the spool is nearly full"),
        }
        world.wait_until_not_ready("ingest", "the spool is nearly full").await
    };
    reports.extend(
        calls::several(&client, 8, Duration::from_secs(5), meanwhile)
            .await
            .map_err(|e| e.context(world.logs()))?,
    );

    world.start_service("signer")?;
    let found = recordings::wait_for(&archive, 9, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    world.wait_until_ready("ingest").await?;
    reports.push(calls::quiet(&client, Duration::from_secs(1)).await?);
    let found = recordings::wait_for(&archive, 10, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(world.logs()))?;
    calls::on_one_chain(&archive, &world.installation.path("data/callseal.pem"), 10)
}
