//! Files that come and go while all is well.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use harness::cable::Cable;
use targets::{ErrorKind, Outcome, Sftp, Target};

use crate::{
    content::{bytes, content_of, listed, read, replaced_while_read, unfinished},
    described, server, with,
};

#[tokio::test]
async fn a_file_is_stored_in_nested_folders_below_the_home_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, "~/archive"));
    let content = content_of(5_000_000);
    let put = target.put("2026/Gespräche", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    assert_eq!(fs::read(sshd.home().join("archive/2026/Gespräche/a.wav")).unwrap(), bytes(5_000_000));
    target.verify("2026/Gespräche", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(target.put("2026/Gespräche", "a.wav", &content).await.unwrap().outcome, Outcome::AlreadyThere);
    assert_eq!(fs::read_dir(sshd.home().join("archive/2026/Gespräche")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_that_was_changed_or_lost_on_the_server_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let (target, content) = (Sftp::new(described(&sshd, "")), content_of(300_000));
    target.put("", "a.wav", &content).await.unwrap();
    let mut changed = bytes(300_000);
    changed[150_000] ^= 1;
    fs::write(sshd.home().join("a.wav"), changed).unwrap();
    for name in ["a.wav", "b.wav"] {
        let error = target.verify("", name, content.size(), content.sha256()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn another_file_of_the_name_is_kept_and_the_new_one_stands_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    fs::write(sshd.home().join("a.wav"), "somebody else's").unwrap();
    let put = Sftp::new(described(&sshd, "")).put("", "a.wav", &content_of(10)).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a (2).wav", Outcome::StoredAside));
    assert_eq!(fs::read(sshd.home().join("a.wav")).unwrap(), b"somebody else's");
}

#[tokio::test]
async fn a_hundred_recordings_are_brought_and_verified_over_one_login() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    let target = with(described(&sshd, "archive"), |server| server.port = cable.port());
    // A call of a minute, stereo G.711, and the texts beside it.
    let files =
        [(".wav", 960_000), ("_info.txt", 900), ("_journal.json", 800), ("_hash.txt", 400), (".sig", 513)];
    let files = files.map(|(ending, size)| (ending, content_of(size)));
    let begun = std::time::Instant::now();
    for number in 0..100 {
        for (ending, content) in &files {
            let name = format!("{number}{ending}");
            assert_eq!(target.put("2026/11", &name, content).await.unwrap().outcome, Outcome::Stored);
            target.verify("2026/11", &name, content.size(), content.sha256()).await.unwrap();
        }
    }
    println!("100 recordings of 5 files put and verified in {:?}", begun.elapsed());
    assert_eq!(cable.connections(), 1);
    assert_eq!(fs::read_dir(sshd.home().join("archive/2026/11")).unwrap().count(), 500);
}

#[tokio::test]
async fn what_is_replaced_is_at_no_moment_missing_or_half() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    replaced_while_read(&with(described(&sshd, "archive"), |server| server.port = cable.port())).await;
    assert_eq!(cable.connections(), 1);
    assert_eq!(fs::read_dir(sshd.home().join("archive/log/acme")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_rename_over_a_file_replaces_it_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    sshd.stop().unwrap();
    let program = format!("ForceCommand internal-sftp -d {} -P posix-rename", sshd.home().display());
    sshd.settings.push(program);
    sshd.start_again().await.unwrap();
    let target = Sftp::new(described(&sshd, ""));
    for number in 1..=3 {
        target.replace("log", "checkpoint", &content_of(number * 1000)).await.unwrap();
        assert_eq!(read(&target, "log", "checkpoint").await.unwrap(), bytes(number * 1000));
    }
    assert_eq!(fs::read_dir(sshd.home().join("log")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_is_listed_with_sizes_and_without_what_is_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, "archive"));
    target.put("calls", "a b+c.wav", &content_of(300)).await.unwrap();
    target.put("calls/2026", "b.wav", &content_of(10)).await.unwrap();
    let calls = sshd.home().join("archive/calls");
    fs::write(calls.join(unfinished("c.wav", &content_of(9))), "half").unwrap();
    std::os::unix::fs::symlink(sshd.home(), calls.join("round")).unwrap();
    std::os::unix::fs::symlink("a b+c.wav", calls.join("link.wav")).unwrap();
    listed(&target).await;
}

#[tokio::test]
async fn many_files_at_once_share_one_login_and_as_many_channels_as_the_server_allows() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    for (allowed, round) in [("10", "a"), ("2", "b"), ("1", "c")] {
        sshd.stop().unwrap();
        sshd.settings = vec![format!("MaxSessions {allowed}")];
        sshd.start_again().await.unwrap();
        let before = sshd.log().matches("Accepted publickey").count();
        let target = Arc::new(Sftp::new(described(&sshd, "archive")));
        let puts = (0..64).map(|number| {
            let target = Arc::clone(&target);
            tokio::spawn(async move {
                // Folders that nobody has made yet, asked for by many at once.
                let (folder, name) = (format!("{round}/{}/deep", number % 4), format!("{number}.wav"));
                let content = content_of(100_000 + number);
                assert_eq!(target.put(&folder, &name, &content).await.unwrap().outcome, Outcome::Stored);
                target.verify(&folder, &name, content.size(), content.sha256()).await.unwrap();
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        assert_eq!(sshd.log().matches("Accepted publickey").count(), before + 1);
        for folder in 0..4 {
            let deep = sshd.home().join(format!("archive/{round}/{folder}/deep"));
            assert_eq!(fs::read_dir(deep).unwrap().count(), 16);
        }
    }
}

#[tokio::test]
async fn files_of_all_lengths_around_a_request_come_back_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    let edges = [31 << 10, 32 << 10, 255 << 10, 256 << 10, 2 * (255 << 10), 2 << 20];
    for length in [0, 1].into_iter().chain(edges.into_iter().flat_map(|edge| [edge - 1, edge, edge + 1])) {
        let (name, content) = (format!("{length}.wav"), content_of(length));
        target.put("", &name, &content).await.unwrap();
        target.verify("", &name, content.size(), content.sha256()).await.unwrap();
        assert_eq!(read(&target, "", &name).await.unwrap(), bytes(length));
    }
}

#[tokio::test]
async fn a_small_file_needs_few_round_trips() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    let target = with(described(&sshd, "archive"), |server| server.port = cable.port());
    let content = content_of(200_000);
    target.put("2026", "first.wav", &content).await.unwrap();
    const ROUND_TRIP: Duration = Duration::from_millis(400);
    cable.delay(ROUND_TRIP);
    // To look, open, write, sync, rename; to open and to read: seven. Twice of that would be too much, unless
    // it is the machine that takes its time.
    let mut tries = Vec::new();
    while tries.iter().all(|took| *took >= 14 * ROUND_TRIP) {
        assert!(tries.len() < 4, "{tries:?}");
        let (name, begun) = (format!("{}.wav", tries.len()), Instant::now());
        target.put("2026", &name, &content).await.unwrap();
        target.verify("2026", &name, content.size(), content.sha256()).await.unwrap();
        tries.push(begun.elapsed());
    }
}
