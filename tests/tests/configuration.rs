//! Somebody edits the configuration of a running installation and makes mistakes.

mod calls;

use std::{fs, time::Duration};

use callseal::load::SipTransport;
use harness::{installation::SERVICES, recordings, resources, world::World};

const PATIENCE: Duration = Duration::from_secs(120);

/// Line 6 names a direction that there is not.
const BAD: &str = "apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: mistaken, namespace: acme}
spec:
  order: 1
  directions: [in, sideways]
  scope: all
  profile: legalDuty
  targets: [archive]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_file_is_told_with_its_place_and_the_rest_stays_in_force() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let good = resources::record_everything(dir.path());
    let world = World::start(dir.path(), &good).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let archive = dir.path().join("archive");

    // A new file that is wrong.
    fs::write(world.installation.path("config/mistaken.yaml"), BAD)?;
    let words = ["mistaken.yaml:6", "RecordingRule mistaken", "spec.directions[1]", "sideways"];
    for service in SERVICES {
        world.wait_until_says(service, &words, PATIENCE).await?;
    }
    let mut reports = vec![calls::quiet(&client, Duration::from_secs(1)).await?];
    let found = recordings::wait_for(&archive, 1, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports)?;

    // A rule that was good becomes wrong: the last good one stays in force.
    world.installation.configure(&good.replace("scope: all", "scope: everybody"))?;
    world
        .wait_until_says("rules", &["resources.yaml", "RecordingRule everything", "spec.scope"], PATIENCE)
        .await?;
    reports.push(calls::quiet(&client, Duration::from_secs(1)).await?);
    let found = recordings::wait_for(&archive, 2, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports)?;
    assert_eq!(found[1].info()?["Rule"], "everything");

    // Not even YAML any more.
    world.installation.configure(&good.replace("spec:\n  order: 10", "spec: {{\n  order: [10"))?;
    world.wait_until_says("rules", &["resources.yaml", "YAML"], PATIENCE).await?;
    reports.push(calls::quiet(&client, Duration::from_secs(1)).await?);
    let found = recordings::wait_for(&archive, 3, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    calls::each_is_complete(&found, &reports)?;

    // Mended, and changed: in force without a restart.
    world.installation.configure(&good.replace("name: everything", "name: renamed"))?;
    fs::remove_file(world.installation.path("config/mistaken.yaml"))?;
    let renamed = async {
        loop {
            reports.push(calls::quiet(&client, Duration::from_secs(1)).await?);
            let found = recordings::wait_for(&archive, reports.len(), PATIENCE).await?;
            if calls::recording_of(&found, &reports[reports.len() - 1])?.info()?["Rule"] == "renamed" {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, renamed).await??;
    calls::on_one_chain(&archive, &world.installation.path("data/callseal.pem"), reports.len())
}
