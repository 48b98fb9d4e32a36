//! Debian's rclone, made for the original, as an independent client of the Graph that the harness plays,
//! and as a second opinion on the hash.

use std::{fs, path::Path, process::Command};

use harness::graph::{CLIENT, USER_DRIVE};
use targets::{Content, Method, Outcome, Target};

use crate::{
    content::bytes,
    world::{LARGE, World},
};

/// Runs rclone with the remote `graph:`.
async fn rclone(world: &World, args: &[&str]) -> String {
    let token = serde_json::json!({
        "access_token": world.graph.app_token(), "token_type": "Bearer",
        "refresh_token": world.graph.login("ann@contoso.example"), "expiry": "2099-01-01T00:00:00Z",
    });
    let config = world.data().join("rclone.conf");
    let text = format!(
        "[graph]\ntype = onedrive\nclient_id = {CLIENT}\ndrive_id = {USER_DRIVE}\ndrive_type = business\ntoken = {token}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("rclone");
    command.arg("--config").arg(&config).arg("--ca-cert").arg(world.graph.ca());
    command.args(["--retries", "1", "--low-level-retries", "2"]).args(args);
    command.env("HTTPS_PROXY", world.graph.proxy()).env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("rclone is missing: apt-get install rclone");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn rclone_uploads_and_reads_back_small_and_large_files_and_finds_ours_whole() {
    let world = World::start().await;
    // rclone 1.60 sends its token along with the ranges.
    world.graph.lenient(true);
    let (theirs, back) = (world.data().join("theirs"), world.data().join("back"));
    fs::create_dir(&theirs).unwrap();
    for (name, length) in [("small.txt", 70_000), ("Große Datei.wav", LARGE)] {
        fs::write(theirs.join(name), bytes(length)).unwrap();
    }
    rclone(&world, &["copy", text(&theirs), "graph:Recordings/theirs"]).await;
    rclone(&world, &["copy", "graph:Recordings/theirs", text(&back)]).await;
    let target = world.recordings();
    for (name, length) in [("small.txt", 70_000), ("Große Datei.wav", LARGE)] {
        assert!(fs::read(back.join(name)).unwrap() == bytes(length), "{name}");
        let put = target.put("theirs", name, &Content::from_bytes(bytes(length))).await.unwrap();
        assert_eq!(put.outcome, Outcome::AlreadyThere, "{name}");
    }

    let ours = world.data().join("ours");
    fs::create_dir(&ours).unwrap();
    for (name, length) in [("a_b.wav", LARGE + 1), ("a_b_info.txt", 1_234), ("empty", 0)] {
        let content = Content::from_bytes(bytes(length));
        target.put("ours", name, &content).await.unwrap();
        let verified = target.verify("ours", name, content.size(), content.sha256()).await.unwrap();
        assert_eq!(verified.method, Method::ServerHash("quickXorHash"));
        fs::write(ours.join(name), bytes(length)).unwrap();
    }
    // Compares sizes and hashes, the local ones by rclone's own QuickXorHash.
    rclone(&world, &["check", text(&ours), "graph:Recordings/ours"]).await;
    let hashes = rclone(&world, &["hashsum", "quickxor", text(&ours), "--base64"]).await;
    for line in hashes.lines() {
        let (hash, name) = line.split_once("  ").unwrap();
        let stored = world.graph.file(USER_DRIVE, &format!("Recordings/ours/{name}")).unwrap();
        // rclone writes base64 as in addresses.
        assert_eq!(stored.hash, hash.replace('-', "+").replace('_', "/"), "{name}");
    }
    assert_eq!(hashes.lines().count(), 3);
}
