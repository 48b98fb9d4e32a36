//! Somebody with the run of the archive takes the newest recordings away.

use std::{fs, path::Path};

use harness::{command, log_by_hand::LogByHand, recordings::Recording, wait};

use crate::{
    PATIENCE,
    scene::{Scene, copy},
};

/// Nothing is on its way.
const AT_ONCE: [&str; 2] = ["--grace", "0"];

/// Removes every file of a recording.
fn remove(recording: &Recording) -> anyhow::Result<()> {
    for entry in fs::read_dir(&recording.folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&recording.base)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Puts an older copy of its log into an archive.
fn roll_back(archive: &Path, older: &Path) -> anyhow::Result<()> {
    fs::remove_dir_all(archive.join("log"))?;
    copy(older, &archive.join("log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_recordings_that_were_removed_are_missed_even_when_the_log_was_rolled_back_with_them()
-> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.call().await?;
    scene.settled().await?;
    let older = scene.path("older-log");
    copy(&scene.archive().join("log"), &older)?;
    scene.call().await?;
    scene.call().await?;
    let found = scene.settled().await?;
    let verify = |archive: &Path, further: &[&str]| {
        let archive = archive.to_string_lossy().into_owned();
        command::callseal([&["verify", &archive], further].concat())
    };
    verify(&scene.archive(), &AT_ONCE)?.good()?;

    // What the log tells is missed.
    found[1..].iter().try_for_each(remove)?;
    let said = verify(&scene.archive(), &AT_ONCE)?.wrong(&["is MISSING"])?;
    assert_eq!(said.matches("is MISSING").count(), 2, "{said}");
    let said = verify(&scene.archive(), &[])?.good()?;
    assert!(said.contains("2 were sealed just before this log ends"), "{said}");

    // In a copy nobody mends the log. Nothing in it betrays the thief; a checkpoint from elsewhere does.
    let copied = scene.path("copied-archive");
    copy(&scene.archive(), &copied)?;
    roll_back(&copied, &older)?;
    let behind = LogByHand::at(&copied, "acme").size()?;
    verify(&copied, &AT_ONCE)?.good()?;
    let checkpoint = scene.url("/log/acme/checkpoint")?;
    verify(&copied, &[&AT_ONCE[..], &["--checkpoint", &checkpoint]].concat())?
        .wrong(&[&format!("{behind}")])?;

    // In the archive itself the next recording brings the log along, and with it what is missing.
    roll_back(&scene.archive(), &older)?;
    let newest = scene.published().size()?;
    scene.call().await?;
    let said = wait::until("the log in the archive to be brought up to date", PATIENCE, || async {
        (scene.log().size().ok()? > newest).then_some(())?;
        verify(&scene.archive(), &AT_ONCE).ok()?.wrong(&["is MISSING"]).ok()
    })
    .await
    .map_err(|error| error.context(scene.output()))?;
    assert_eq!(said.matches("is MISSING").count(), 2, "{said}");
    Ok(())
}
