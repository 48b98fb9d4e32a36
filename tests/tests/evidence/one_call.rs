//! What one call leaves behind, and what one leaves that is not to be recorded.

use std::{fs, path::Path, process::Command, time::Duration};

use callseal::load::{Call, CallSpec, PartySpec};
use harness::{command, log_by_hand::value, recordings, resources, wait};

use crate::{
    PATIENCE, calls,
    scene::{Scene, of_kind},
};

/// Only the adviser's calls.
fn advisers_alone(dir: &Path) -> String {
    let people = format!(
        r#"---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {{name: people, namespace: acme}}
spec: {{users: {{adviser: {{identities: ["{}"]}}}}}}
"#,
        calls::CALLEE.0
    );
    resources::record_everything(dir).replace("scope: all", "scope: {users: [adviser]}") + &people
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_lies_in_the_archive_with_all_that_proves_it_and_a_passed_over_one_in_the_log_alone()
-> anyhow::Result<()> {
    let mut scene = Scene::start_with(advisers_alone).await?;
    scene.call().await?;
    let found = scene.settled().await?;
    let recording = &found[0];
    let archive = scene.archive();
    for there in ["verify.sh", "archive.txt", "callseal.pem", "log/acme/checkpoint"] {
        assert!(archive.join(there).is_file(), "{there}");
    }
    assert!(recording.file("_log-proof.txt").is_file());
    assert_eq!(
        fs::read_to_string(archive.join("archive.txt"))?,
        "Callseal archive\nTenant: acme\nTarget: archive\n"
    );
    let kept = scene.path("kept-checkpoint");
    fs::write(&kept, scene.log().checkpoint()?)?;
    let entries = scene.log().entries()?;
    let sealed = of_kind(&entries, "sealed");
    assert_eq!(sealed.len(), 1, "{entries:?}");
    assert_eq!(value(sealed[0], "Recording"), Some(recording.info()?["Recording"].as_str()));
    assert_eq!(value(sealed[0], "Targets"), Some("archive"));

    // The other one: a call that no rule covers.
    let strangers = CallSpec::speech(
        PartySpec::new("+4930999000018", "Somebody"),
        PartySpec::new("+4989999000024", "Else"),
    );
    let mut call = Call::invite(scene.client()?, strangers).await?;
    call.play(Duration::from_secs(1)).await;
    let passed_over = call.bye().await?;
    let entries = wait::until("the log in the archive to tell of it", PATIENCE, || async {
        let entries = scene.log().entries().ok()?;
        let told = |entry: &&str| value(entry, "Outcome") == Some("not-recorded");
        of_kind(&entries, "decided").iter().any(told).then_some(entries)
    })
    .await?;
    assert_eq!(of_kind(&entries, "started").len(), 2, "{entries:?}");
    assert_eq!(of_kind(&entries, "sealed").len(), 1, "{entries:?}");
    for secret in [&passed_over.sip_call_id, "+49", "Somebody", calls::CALLER.1, calls::CALLEE.0] {
        assert!(entries.iter().all(|entry| !entry.contains(secret)), "{secret} is in the log");
    }

    judged_good(&scene, &kept.to_string_lossy()).await?;
    assert_eq!(recordings::find(&archive)?.len(), 1, "what is not recorded is not kept");
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(scene.folder())).await
}

/// By all that an auditor may take: a shell, our own program, what is published over HTTP.
async fn judged_good(scene: &Scene, kept: &str) -> anyhow::Result<()> {
    let (archive, certificate) = (scene.archive(), scene.certificate());
    let mut shell = Command::new("dash");
    shell.arg(archive.join("verify.sh")).arg("-c").arg(&certificate).arg(&archive);
    let said = command::run(&mut shell)?.good()?;
    assert!(said.contains("ok"), "{said}");

    let certificate = certificate.to_string_lossy().into_owned();
    let log = scene.url("/log/acme")?;
    let checkpoint = format!("{log}/checkpoint");
    // It may be ahead of the archive's by a moment.
    wait::until("the archive to continue what is published", PATIENCE, || async {
        let strict = ["--certificate", &certificate, "--grace", "0", "--complete", "--target", "archive"];
        let strict = [&strict[..], &["--checkpoint", kept, "--checkpoint", &checkpoint]].concat();
        let said = scene.verify(&strict).ok()?.good().ok()?;
        said.contains("continues 2 checkpoints that were given").then_some(())
    })
    .await?;
    for place in [scene.log().folder().to_string_lossy().into_owned(), log] {
        let newest = format!("{place}/checkpoint");
        let audit = ["log", "audit", kept, &newest, "--log", &place, "--certificate", &certificate];
        let said = command::callseal([&audit[..], &["--longest-call", "0s"]].concat())?.good()?;
        assert!(said.contains("tells every call and chain to its end: all good"), "{said}");
        assert!(said.contains("chain of class regulated: 1 recordings, positions 1 to 1"), "{said}");
    }
    Ok(())
}
