//! An authority that is not ours says when log and recordings existed (RFC 3161).

use std::{fs, sync::Arc};

use anyhow::ensure;
use harness::{
    command, resources,
    time_stamp_authority::{KeyKind, TimeStampAuthority},
    wait,
};

use crate::{
    PATIENCE,
    scene::{Scene, with_evidence},
};

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_and_recordings_are_stamped_and_openssl_and_verify_believe_it() -> anyhow::Result<()> {
    let authority = Arc::new(TimeStampAuthority::new(KeyKind::Rsa)?);
    let answering = authority.serve()?;
    // In double quotes YAML reads it as JSON does.
    let root = authority.root_pem()?.replace('\n', "\\n");
    let wanted = format!(
        "{{timeStamps: {{url: '{}', authorities: \"{root}\", stamp: recordings, every: 1s}}}}",
        answering.url()
    );
    let mut scene =
        Scene::start_with(|dir| with_evidence(&resources::record_everything(dir), &wanted)).await?;
    scene.call().await?;
    scene.call().await?;
    let found = scene.settled().await?;
    for recording in &found {
        let stamp = recording.file("_hash.tsr");
        let token = wait::until("the stamp", PATIENCE, || async { fs::read(&stamp).ok() }).await?;
        authority.verified_by_openssl(&token, &sha256_of(&recording.file("_hash.txt"))?)?;
    }

    let root = authority.folder().join("root.pem").to_string_lossy().into_owned();
    let said = wait::until("a stamped checkpoint in the archive", PATIENCE, || async {
        let said = scene.verify(&["--tsa-ca", &root]).ok()?.good().ok()?;
        said.contains(" time stamps of it verified; its first ").then_some(said)
    })
    .await
    .map_err(|error| error.context(scene.output()))?;
    assert!(said.contains("2 time stamps of recordings verified"), "{said}");
    let mut stamped = 0;
    for entry in fs::read_dir(scene.log().folder().join("checkpoints"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "tsr") {
            authority.verified_by_openssl(&fs::read(&path)?, &sha256_of(&path.with_extension(""))?)?;
            stamped += 1;
        }
    }
    ensure!(stamped > 0, "{said}");

    // Somebody else's authority is none.
    let other = TimeStampAuthority::new(KeyKind::P256)?;
    let other = other.folder().join("root.pem").to_string_lossy().into_owned();
    scene.verify(&["--tsa-ca", &other])?.wrong(&["time stamp"]).map(drop)
}

fn sha256_of(file: &std::path::Path) -> anyhow::Result<String> {
    let said = command::run(std::process::Command::new("sha256sum").arg(file))?.good()?;
    Ok(said.chars().take_while(char::is_ascii_hexdigit).collect())
}
