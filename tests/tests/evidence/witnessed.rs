//! A witness cosigns what the signer publishes; when it is away, recordings do not wait for it.

use harness::{ports, resources, wait, witness::Witness};

use crate::{
    PATIENCE,
    scene::{Scene, with_evidence},
};

const NAME: &str = "audit.example/callseal";

/// How `callseal log state` says that the newest checkpoint of `acme` is cosigned, or not.
async fn wait_until_cosigned(scene: &Scene, expected: bool) -> anyhow::Result<()> {
    wait::until(&format!("a cosignature: {expected}"), PATIENCE, || async {
        let said = scene.callseal(&["log", "state", "--tenant", "acme"]).ok()?.good().ok()?;
        (said.contains(&format!("cosigned by {NAME}")) == expected).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_and_recordings_go_on_marked_while_it_is_away() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.call().await?;
    scene.settled().await?;
    let (data, port) = (scene.path("witness"), ports::claim()?);
    std::fs::create_dir(&data)?;
    let key = Witness::key(&data, NAME)?;
    let logs = scene.log().keys()?;
    let witness = Witness::start_at(port, &data, NAME, &logs)?;
    let wanted = format!(
        "{{witnesses: {{quorum: 1, members: [{{name: auditor, url: '{}', key: '{key}'}}]}}}}",
        witness.url
    );
    let resources = resources::record_everything(scene.folder());
    scene.configure(&with_evidence(&resources, &wanted))?;
    scene.call().await?;
    scene.settled().await?;
    wait_until_cosigned(&scene, true).await?;
    verified_with(&scene, &key, true).await?;
    // An auditor who knows of two is content with one, or is not.
    let elsewhere = scene.path("another-witness");
    std::fs::create_dir(&elsewhere)?;
    let another = Witness::key(&elsewhere, "another.example/callseal")?;
    let of_two = ["--witness", &key, "--witness", &another, "--witness-quorum"];
    scene.verify(&[&of_two[..], &["1"]].concat())?.good()?;
    scene
        .verify(&[&of_two[..], &["2"]].concat())?
        .wrong(&["1 of the 2 witnesses", "another.example/callseal"])?;

    witness.kill_hard()?;
    scene.call().await?;
    let found = scene.settled().await?;
    assert_eq!(found.len(), 3, "delivered all the same");
    scene.wait_for_readyz(200, &["log: acme: 0 of 1 witnesses cosigned"]).await?;
    scene.wait_for_metric("callseal_signer_log_unwitnessed", 1).await?;
    wait_until_cosigned(&scene, false).await?;
    verified_with(&scene, &key, false).await?;

    let witness = Witness::start_at(port, &data, NAME, &logs)?;
    // A checkpoint is cosigned when it is made, so the log has to grow; the witness is left alone for a
    // while after it failed.
    wait::until("the witness to cosign again", PATIENCE, || async {
        scene.callseal(&NOTE).ok()?.good().ok()?;
        let cosigned = wait::until("a cosignature", std::time::Duration::from_secs(10), || async {
            let said = scene.callseal(&["log", "state"]).ok()?.good().ok()?;
            said.contains(&format!("cosigned by {NAME}")).then_some(())
        });
        cosigned.await.ok()
    })
    .await
    .map_err(|error| error.context(witness.output()))?;
    scene.wait_for_metric("callseal_signer_log_unwitnessed", 0).await?;
    verified_with(&scene, &key, true).await
}

/// Something for the log to tell, as often as it is asked for.
const NOTE: [&str; 7] = [
    "log",
    "note",
    "--tenant=acme",
    "--recording=0f0e0d0c-0b0a-7908-8706-050403020100",
    "--played",
    "--by",
    "auditor",
];

/// Waits until the archive's own copy of the newest checkpoint says so to an auditor who insists.
async fn verified_with(scene: &Scene, key: &str, cosigned: bool) -> anyhow::Result<()> {
    wait::until(&format!("the archive's checkpoint to be cosigned: {cosigned}"), PATIENCE, || async {
        let said = scene.verify(&["--witness", key]).ok()?;
        match cosigned {
            true => said.good().ok()?.contains(&format!("cosigned by the witness {NAME}")).then_some(()),
            false => said.wrong(&[NAME]).ok().map(drop),
        }
    })
    .await
}
