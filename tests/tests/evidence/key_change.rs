//! The signing key changes while calls come in: by both keys, and when the old one is lost for good.

use std::{fs, path::PathBuf};

use harness::{log_by_hand::value, recordings::Recording};

use crate::scene::{Scene, of_kind};

/// The certificate that the signer published of the key that a recording was signed by.
fn certificate(scene: &Scene, recording: &Recording) -> anyhow::Result<PathBuf> {
    Ok(scene.path(&format!("data/staging/certificates/{}.pem", recording.info()?["KeyId"])))
}

fn key_of(recording: &Recording) -> anyhow::Result<String> {
    Ok(recording.info()?["KeyId"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_and_then_lost_and_replaced_under_one_chain_that_tells_of_both() -> anyhow::Result<()>
{
    let mut scene = Scene::start().await?;
    scene.call().await?;
    scene.settled().await?;
    let rotate = ["key", "rotate", "--new-key", "second", "--reason", "a new year"];
    let said = scene.callseal(&rotate)?.good()?;
    assert!(said.contains("from now on the key 'second' signs"), "{said}");
    scene.call().await?;
    let found = scene.settled().await?;
    let (first, second) = (key_of(&found[0])?, key_of(&found[1])?);
    assert_ne!(first, second);
    found[0].check_with_plain_tools(&certificate(&scene, &found[0])?)?;
    found[1].check_with_plain_tools(&certificate(&scene, &found[1])?)?;
    let said = scene.verify(&["--grace", "0"])?.good()?;
    assert!(said.contains("acme/regulated: 2 recordings, chain complete from 1 "), "{said}");
    assert!(said.contains("a new year"), "a change of key is told: {said}");

    // Not moved away as for a repair: gone.
    fs::remove_dir_all(scene.path("data/keys/tokens"))?;
    scene.call().await?;
    scene.wait_for_readyz(503, &["key: "]).await?;
    scene.wait_for_metric("callseal_signer_seal_queue", 1).await?;
    let old = certificate(&scene, &found[1])?.to_string_lossy().into_owned();
    let replace = ["key", "replace", "--new-key", "third", "--reason", "the token burned"];
    let said = scene.callseal(&[&replace[..], &["--old-certificate", &old]].concat())?.good()?;
    assert!(said.contains("from now on the key 'third' signs"), "{said}");
    let found = scene.settled().await?;
    let third = key_of(&found[2])?;
    assert!(third != first && third != second);
    scene.wait_for_readyz(200, &[]).await?;

    // The next start finds its key by what is in force, not by its first label.
    scene.stop().await?;
    scene.start_again().await?;
    scene.call().await?;
    let found = scene.settled().await?;
    assert_eq!(key_of(&found[3])?, third);
    let said = scene.verify(&["--grace", "0", "--complete"])?.good()?;
    assert!(said.contains("acme/regulated: 4 recordings, chain complete from 1 "), "{said}");
    assert!(said.contains("the token burned"), "{said}");
    for (recordings, key) in [(1, &found[0]), (1, &found[1]), (2, &found[2])] {
        key.check_with_plain_tools(&certificate(&scene, key)?)?;
        assert!(said.contains(&format!(", {recordings} recordings, SHA-256 fingerprint ")), "{said}");
    }
    let entries = scene.log().entries()?;
    let changes: Vec<_> =
        of_kind(&entries, "key").iter().filter_map(|entry| value(entry, "Change")).collect();
    assert_eq!(changes, ["first", "rotated", "replaced"]);
    Ok(())
}
