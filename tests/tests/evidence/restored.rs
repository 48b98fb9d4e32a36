//! Somebody restores an old backup of the signer's database: what was published must not be unsaid.

use std::{
    fs,
    path::{Path, PathBuf},
};

use harness::recordings;

use crate::scene::{Scene, copy, of_kind};

/// The signer's database in a folder; its write-ahead log belongs to it.
fn database(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("signer.sqlite") {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Puts the database of `kept`, a copy of the state folder, in the place of the one there.
fn restore(scene: &Scene, kept: &Path) -> anyhow::Result<()> {
    let state = scene.path("data/state");
    database(&state)?.into_iter().try_for_each(fs::remove_file)?;
    for file in database(kept)? {
        fs::copy(&file, state.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_seals_nothing_and_the_newer_one_seals_what_waited() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.call().await?;
    scene.settled().await?;
    scene.stop().await?;
    let (older, newer) = (scene.path("older"), scene.path("newer"));
    copy(&scene.path("data/state"), &older)?;
    scene.start_again().await?;
    scene.call().await?;
    scene.settled().await?;
    scene.stop().await?;
    copy(&scene.path("data/state"), &newer)?;
    let published = scene.published().checkpoint()?;

    restore(&scene, &older)?;
    scene.start_again().await?;
    let said =
        scene.wait_for_readyz(503, &["log: acme: an older copy of the state database was restored"]).await?;
    assert!(said.contains("Restore the newest copy"), "{said}");
    scene.callseal(&["log", "state"])?.wrong(&["acme: ", "HALTED: an older copy of the state database"])?;
    scene.call().await?;
    scene.wait_for_metric("callseal_signer_log_halted", 1).await?;
    scene.wait_for_metric("callseal_signer_seal_queue", 1).await?;
    scene.wait_until_says("the log is halted: this tenant's recordings wait unsealed").await?;
    assert_eq!(recordings::find(&scene.archive())?.len(), 2, "nothing is sealed");
    assert_eq!(scene.published().checkpoint()?, published, "nothing is signed");
    scene.stop().await?;

    restore(&scene, &newer)?;
    scene.start_again().await?;
    scene.settled().await?;
    scene.wait_for_readyz(200, &[]).await?;
    scene.callseal(&["log", "state"])?.good()?;
    let said = scene.verify(&["--grace", "0", "--complete"])?.good()?;
    assert!(said.contains("acme/regulated: 3 recordings, chain complete from 1 "), "{said}");
    let entries = scene.log().entries()?;
    assert_eq!(of_kind(&entries, "started").len(), 3, "each call once: {entries:?}");
    assert_eq!(of_kind(&entries, "sealed").len(), 3, "{entries:?}");
    Ok(())
}
