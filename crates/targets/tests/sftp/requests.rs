//! Which requests go over the line, seen by a tap between sshd and its own sftp-server.

use std::{fs, path::Path};

use harness::{programs, sshd::Sshd};
use targets::{Sftp, Target};

use crate::{content::content_of, described, server};

/// Once so many writes are answered, answers are kept back until 64 are under way. To begin with there are 16,
/// and one more with each answer.
const THEN: usize = 60;

async fn tapped(dir: &Path) -> (Sshd, std::path::PathBuf) {
    let mut sshd = server(dir).await;
    let (tap, log) = (programs::workspace().join("tests/sshd/tap.py"), dir.join("tap.log"));
    let (tap, home) = (tap.display(), sshd.home());
    sshd.subsystem = Some(format!("/usr/bin/python3 {tap} {} {THEN} {}", log.display(), home.display()));
    sshd.stop().unwrap();
    sshd.start_again().await.unwrap();
    (sshd, log)
}

#[tokio::test]
async fn sixty_four_writes_are_under_way_at_once_and_the_file_is_synced_before_it_gets_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (sshd, log) = tapped(dir.path()).await;
    let (target, content) = (Sftp::new(described(&sshd, "archive")), content_of(40_000_000));
    target.put("calls", "a.wav", &content).await.unwrap();
    target.verify("calls", "a.wav", content.size(), content.sha256()).await.unwrap();
    let log = fs::read_to_string(log).unwrap();
    let most = log.lines().filter_map(|line| line.strip_prefix("under-way ")?.parse::<u32>().ok()).max();
    assert_eq!(most, Some(64), "{log}");
    let at = |request: &str| log.lines().position(|line| line == request);
    let writes: Vec<usize> =
        log.lines().enumerate().filter(|(_, line)| *line == "write").map(|(at, _)| at).collect();
    let synced = at("fsync@openssh.com").expect("the file is never synced");
    // Its name is taken from nobody: a plain rename fails where one has it.
    let named =
        ["rename", "hardlink@openssh.com", "posix-rename@openssh.com"].into_iter().filter_map(at).min();
    assert!(writes.iter().all(|write| *write < synced) && synced < named.expect("it gets no name"), "{log}");
}

#[tokio::test]
async fn a_file_that_takes_the_place_of_another_is_synced_before_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let (sshd, log) = tapped(dir.path()).await;
    let target = Sftp::new(described(&sshd, "archive"));
    target.replace("log/acme", "checkpoint", &content_of(300)).await.unwrap();
    let log = fs::read_to_string(log).unwrap();
    let at = |request: &str| {
        log.lines().position(|line| line == request).unwrap_or_else(|| panic!("{request}: {log}"))
    };
    assert!(at("fsync@openssh.com") < at("posix-rename@openssh.com"), "{log}");
}
