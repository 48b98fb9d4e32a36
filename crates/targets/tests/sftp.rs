//! The SFTP target against a real OpenSSH server.

mod content;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use content::{Breaking, bytes, content_of, listed, read, replaced_while_read, unfinished};
use domain::resources::{SftpTarget, SshAuth, SshServer};
use harness::{account::Account, cable::Cable, small_disk::SmallDisk, sshd::Sshd, wait};
use targets::{Content, ErrorKind, Outcome, Sftp, Target};

fn described(sshd: &Sshd, path: &str) -> SftpTarget {
    let server = SshServer {
        host: "127.0.0.1".into(),
        port: sshd.port(),
        user: sshd.user().unwrap(),
        auth: SshAuth::Key { private_key: sshd.client_key().unwrap().into(), passphrase: None },
        host_keys: vec![sshd.host_key("ed25519").unwrap()],
    };
    SftpTarget { server, tunnel: None, path: path.into() }
}

/// The target with something changed about its server.
fn with(mut target: SftpTarget, change: impl FnOnce(&mut SshServer)) -> Sftp {
    change(&mut target.server);
    Sftp::new(target)
}

async fn server(dir: &Path) -> Sshd {
    Sshd::start(dir).await.unwrap()
}

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
async fn every_kind_of_host_key_can_be_pinned_as_line_or_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    for kind in harness::sshd::HOST_KEYS {
        for pin in [sshd.host_key(kind).unwrap(), sshd.fingerprint(kind).unwrap()] {
            let target = with(described(&sshd, ""), |server| server.host_keys = vec![pin.clone()]);
            target.test().await.unwrap_or_else(|error| panic!("{pin}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_changed_host_key_is_refused_with_both_fingerprints_and_before_the_login() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    target.test().await.unwrap();
    let before = sshd.fingerprint("ed25519").unwrap();
    sshd.stop().unwrap();
    sshd.new_host_keys().unwrap();
    sshd.start_again().await.unwrap();
    let logins = sshd.log().matches("Accepted publickey").count();
    let error = wait::until("the broken connection to be noticed", Duration::from_secs(60), || async {
        let error = target.test().await.expect_err("a changed key must never be accepted");
        (error.kind() != ErrorKind::Unreachable).then_some(error)
    });
    let error = error.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::HostKeyChanged);
    assert!(error.is_permanent());
    for fingerprint in [before, sshd.fingerprint("ed25519").unwrap()] {
        assert!(error.to_string().contains(&fingerprint), "{error}");
    }
    assert_eq!(sshd.log().matches("Accepted publickey").count(), logins);
}

#[tokio::test]
async fn keys_with_a_passphrase_of_both_common_kinds_log_in() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    for kind in ["rsa", "ed25519"] {
        let private_key = sshd.let_in_new_key(&format!("further-{kind}"), kind, "open sesame").unwrap();
        let by = |passphrase: Option<&str>| {
            let passphrase = passphrase.map(Into::into);
            let auth = SshAuth::Key { private_key: private_key.clone().into(), passphrase };
            with(described(&sshd, ""), |server| server.auth = auth)
        };
        by(Some("open sesame")).test().await.unwrap();
        for wrong in [Some("wrong"), None] {
            let error = by(wrong).test().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
            assert!(error.to_string().contains("passphrase"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_let_in_and_a_password_that_is_not_taken_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let stranger = sshd.let_in_new_key("stranger", "ed25519", "").unwrap();
    fs::copy(dir.path().join("client.pub"), dir.path().join("authorized_keys")).unwrap();
    let auths = [
        (SshAuth::Key { private_key: stranger.into(), passphrase: None }, "private key"),
        (SshAuth::Password("hunter2".into()), "password"),
    ];
    for (auth, method) in auths {
        let error = with(described(&sshd, ""), |server| server.auth = auth).test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRefused);
        assert!(error.is_permanent() && error.to_string().contains(method), "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_gone_on_with_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    target.test().await.unwrap();
    sshd.stop().unwrap();
    let content = content_of(4_000_000);
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.is_permanent());

    // What the server had received before it died is kept and not sent again.
    let hidden = unfinished("a.wav", &content);
    fs::write(sshd.home().join(hidden), &bytes(4_000_000)[..2_500_000]).unwrap();
    sshd.start_again().await.unwrap();
    let (source, opened) = Breaking::never(4_000_000);
    let content = Content::new(4_000_000, *content.sha256(), source);
    wait::until("the put to succeed again", Duration::from_secs(60), || async {
        target.put("", "a.wav", &content).await.ok()
    })
    .await
    .unwrap();
    assert_eq!(*opened.lock().unwrap(), [2_500_000]);
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_source_that_breaks_leaves_no_file_and_no_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    let (source, _) = Breaking::after(2_000_000, 900_000);
    let content = Content::new(2_000_000, *content_of(2_000_000).sha256(), source);
    assert_eq!(target.put("", "a.wav", &content).await.unwrap_err().kind(), ErrorKind::Source);
    assert_eq!(fs::read_dir(sshd.home()).unwrap().count(), 0);
    target.put("", "a.wav", &content).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_on_the_server_is_called_full_and_takes_the_file_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let disk = SmallDisk::mount(&sshd.home().join("disk"), 1 << 20).unwrap();
    let target = Sftp::new(described(&sshd, "disk"));
    let content = content_of(3 << 20);
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(fs::read_dir(sshd.home().join("disk")).unwrap().count(), 0);
    disk.resize(8 << 20).unwrap();
    target.put("", "a.wav", &content).await.unwrap();
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_server_without_sftp_and_one_that_is_none_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    sshd.stop().unwrap();
    let error = Sftp::new(described(&sshd, "")).test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("check that it runs"), "{error}");
    sshd.settings.push("MaxSessions 0".into());
    sshd.start_again().await.unwrap();
    let error = Sftp::new(described(&sshd, "")).test().await.unwrap_err();
    assert!(error.to_string().contains("does not offer SFTP"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_file_is_made_anew_and_the_file_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    let target = with(described(&sshd, ""), |server| server.port = cable.port());
    const SIZE: usize = 8 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = sshd.home().join("2026").join(unfinished("a.wav", &content));
    for after in [3 << 20, 2 << 20] {
        let (hidden, opened) = (hidden.clone(), opened.clone());
        // More than a MiB beyond where this put has begun.
        cable.cut_after(after, move || {
            let begun = opened.lock().unwrap().last().copied().unwrap_or(0);
            fs::metadata(&hidden).is_ok_and(|file| file.len() > begun + (1 << 20))
        });
        let error = target.put("2026", "a.wav", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!error.is_permanent() && !error.to_string().contains("a.wav"), "{error}");
        assert!(!sshd.home().join("2026/a.wav").exists());
    }
    let put = target.put("2026", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(sshd.home().join("2026")).unwrap().count(), 1);
    // From the beginning, then twice from where the last one came to.
    let opened = opened.lock().unwrap().clone();
    assert!(
        opened.len() == 3 && opened[0] == 0 && opened[1] > 1 << 20 && opened[2] > opened[1],
        "{opened:?}"
    );
    assert_eq!(cable.connections(), 3);
}

#[tokio::test]
async fn a_password_logs_in() {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::with_password("correct horse").unwrap();
    let mut sshd = server(dir.path()).await;
    sshd.stop().unwrap();
    sshd.settings.push("PasswordAuthentication yes".into());
    sshd.start_again().await.unwrap();
    // The account is somebody else than who made the folder.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(sshd.home(), fs::Permissions::from_mode(0o777)).unwrap();
    let with = |password: &str| {
        let auth = SshAuth::Password(password.into());
        with(described(&sshd, ""), |server| {
            server.user = account.name().into();
            server.auth = auth;
        })
    };
    with("correct horse").test().await.unwrap();
    let error = with("battery staple").test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
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
