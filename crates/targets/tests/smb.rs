//! The SMB target against a real Samba server.

mod content;
mod tap;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use content::{Breaking, bytes, content_of, read, replaced_while_read, unfinished};
use domain::resources::{SmbEncryption, SmbSigning, SmbTarget};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::{
    cable::Cable,
    samba::{PASSWORD, SHARE, Samba},
    small_disk::SmallDisk,
    wait,
};
use targets::{Content, ErrorKind, Kind, Outcome, Smb, Target, TargetError};

fn described(samba: &Samba) -> SmbTarget {
    SmbTarget {
        host: "127.0.0.1".into(),
        port: samba.port(),
        share: SHARE.into(),
        domain: String::new(),
        user: samba.user().unwrap(),
        password: PASSWORD.into(),
        path: String::new(),
        signing: SmbSigning::Required,
        encryption: SmbEncryption::Offered,
        tunnel: None,
    }
}

/// The target with something changed about it.
fn with(mut target: SmbTarget, change: impl FnOnce(&mut SmbTarget)) -> Smb {
    change(&mut target);
    Smb::new(target)
}

async fn server(dir: &Path) -> Samba {
    Samba::start(dir).await.unwrap()
}

async fn refusal(target: &Smb) -> TargetError {
    let error = target.test().await.expect_err("must be refused");
    assert!(!error.to_string().contains(PASSWORD));
    error
}

#[tokio::test]
async fn a_file_is_stored_in_nested_folders_and_reads_back_also_by_another_client() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = with(described(&samba), |target| target.path = "archive/calls".into());
    let content = content_of(5_000_000);
    let put = target.put("2026/Gespräche 📞", "Zoë & Ünal.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    let folder = samba.share().join("archive/calls/2026/Gespräche 📞");
    assert_eq!(fs::read(folder.join("Zoë & Ünal.wav")).unwrap(), bytes(5_000_000));
    target.verify("2026/Gespräche 📞", "Zoë & Ünal.wav", content.size(), content.sha256()).await.unwrap();
    let again = target.put("2026/Gespräche 📞", "Zoë & Ünal.wav", &content).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyThere);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    let copy = dir.path().join("copy");
    let get =
        format!("cd \"archive/calls/2026/Gespräche 📞\"; get \"Zoë & Ünal.wav\" \"{}\"", copy.display());
    samba.smbclient(&get).unwrap();
    assert_eq!(fs::read(copy).unwrap(), bytes(5_000_000));
}

#[tokio::test]
async fn a_file_that_was_changed_or_lost_on_the_server_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let (target, content) = (Smb::new(described(&samba)), content_of(300_000));
    target.put("", "a.wav", &content).await.unwrap();
    let mut changed = bytes(300_000);
    changed[150_000] ^= 1;
    fs::write(samba.share().join("a.wav"), changed).unwrap();
    for name in ["a.wav", "b.wav"] {
        let error = target.verify("", name, content.size(), content.sha256()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn another_file_of_the_name_is_kept_also_when_only_capitals_tell_them_apart() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    fs::write(samba.share().join("A.wav"), "somebody else's").unwrap();
    let put = Smb::new(described(&samba)).put("", "a.wav", &content_of(10)).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a (2).wav", Outcome::StoredAside));
    assert_eq!(fs::read(samba.share().join("A.wav")).unwrap(), b"somebody else's");
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 2);
}

#[tokio::test]
async fn files_of_every_length_around_the_limits_of_a_message_are_stored_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    for length in [0, 1, 65_535, 65_536, 524_288, 524_289, 1 << 20, (1 << 20) + 1, 9_000_001] {
        let content = content_of(length);
        target.put("", &format!("{length}.wav"), &content).await.unwrap();
        target.verify("", &format!("{length}.wav"), content.size(), content.sha256()).await.unwrap();
        assert_eq!(fs::read(samba.share().join(format!("{length}.wav"))).unwrap(), bytes(length));
    }
}

#[tokio::test]
async fn a_server_that_requires_signing_and_one_that_requires_encryption_take_a_recording() {
    let servers: [&[&str]; 4] = [
        &["server signing = mandatory"],
        &["server smb encrypt = required"],
        &["server smb encrypt = required", "server max protocol = SMB3_00"],
        &["server signing = mandatory", "server smb encrypt = required", "server min protocol = SMB3_11"],
    ];
    for settings in servers {
        let dir = tempfile::tempdir().unwrap();
        let samba = Samba::start_with(dir.path(), settings).await.unwrap();
        for encryption in [SmbEncryption::Required, SmbEncryption::Offered, SmbEncryption::Off] {
            let target = with(described(&samba), |target| target.encryption = encryption);
            let name = format!("{encryption:?}.wav");
            let put = target.put("2026", &name, &content_of(3_000_000)).await;
            put.unwrap_or_else(|error| panic!("{settings:?} {encryption:?}: {error}"));
            assert_eq!(fs::read(samba.share().join("2026").join(name)).unwrap(), bytes(3_000_000));
        }
    }
}

#[tokio::test]
async fn a_share_that_requires_encryption_where_the_server_does_not_takes_a_recording() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = server(dir.path()).await;
    samba.stop().unwrap();
    samba.share_settings.push("smb encrypt = required".into());
    samba.start_again().await.unwrap();
    for encryption in [SmbEncryption::Required, SmbEncryption::Offered, SmbEncryption::Off] {
        with(described(&samba), |target| target.encryption = encryption).test().await.unwrap();
    }
}

/// What a client's messages look like on the way, and whether a secret word in the file shows in them.
async fn shows_on_the_way(samba: &Samba, encryption: SmbEncryption) -> bool {
    let tap = tap::Tap::to(samba.port()).await;
    let target = with(described(samba), |target| {
        target.port = tap.port();
        target.encryption = encryption;
    });
    let word = b"the customer's secret word";
    let content = Content::from_bytes(word.repeat(1000));
    target.put("", &format!("{encryption:?}"), &content).await.unwrap();
    target.verify("", &format!("{encryption:?}"), content.size(), content.sha256()).await.unwrap();
    tap.carried(word)
}

#[tokio::test]
async fn encryption_is_used_where_the_server_merely_can_and_left_out_where_it_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    assert!(!shows_on_the_way(&samba, SmbEncryption::Required).await);
    assert!(!shows_on_the_way(&samba, SmbEncryption::Offered).await);
    assert!(shows_on_the_way(&samba, SmbEncryption::Off).await);
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_is_refused_before_the_login_where_encryption_is_required() {
    for settings in ["server smb encrypt = off", "server max protocol = SMB2_10"] {
        let dir = tempfile::tempdir().unwrap();
        let samba = Samba::start_with(dir.path(), &[settings]).await.unwrap();
        let tap = tap::Tap::to(samba.port()).await;
        let required = with(described(&samba), |target| {
            target.port = tap.port();
            target.encryption = SmbEncryption::Required;
        });
        let error = refusal(&required).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.is_permanent() && error.to_string().contains("encryption: required"), "{error}");
        assert!(!tap.carried(b"NTLMSSP"), "a login was sent");
        assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 0);
        Smb::new(described(&samba)).test().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_signed_is_refused_where_signing_is_required() {
    let dir = tempfile::tempdir().unwrap();
    let guests = ["map to guest = bad user", "guest account = root"];
    let mut samba = Samba::start_with(dir.path(), &guests).await.unwrap();
    samba.stop().unwrap();
    samba.share_settings.push("guest ok = yes".into());
    samba.start_again().await.unwrap();
    let guest = |signing| {
        with(described(&samba), |target| {
            target.user = "guest".into();
            target.signing = signing;
        })
    };
    let error = refusal(&guest(SmbSigning::Required)).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("signing: required"), "{error}");
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 0);
    guest(SmbSigning::Offered).test().await.unwrap();

    // Somebody who has a name is never let in as a guest without being told.
    let error = refusal(&with(described(&samba), |target| target.user = "nobody-here".into())).await;
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
    assert!(error.to_string().contains("guest"), "{error}");
}

#[tokio::test]
async fn a_byte_that_is_changed_on_the_way_never_gets_into_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    for encryption in [SmbEncryption::Off, SmbEncryption::Required] {
        let tap = tap::Tap::to(samba.port()).await;
        let target = with(described(&samba), |target| {
            target.port = tap.port();
            target.encryption = encryption;
        });
        target.test().await.unwrap();
        tap.change_a_byte_after(500_000);
        let name = format!("{encryption:?}.wav");
        let error = target.put("", &name, &content_of(4_000_000)).await.unwrap_err();
        assert!(!samba.share().join(&name).exists(), "{error}");
        target.put("", &name, &content_of(4_000_000)).await.unwrap();
        assert_eq!(fs::read(samba.share().join(&name)).unwrap(), bytes(4_000_000));
    }
}

#[tokio::test]
async fn refused_logins_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    for (user, change) in [
        ("daemon", None),
        ("bin", Some(["-c", "[D]"])),
        ("games", Some(["-c", "[L]"])),
        ("mail", Some(["--pwd-must-change-time", "0"])),
        ("news", Some(["--kickoff-time", "1000000"])),
    ] {
        samba.let_in(user, PASSWORD).unwrap();
        if let Some(change) = change {
            samba.change_account(user, &change).unwrap();
        }
    }
    let cases = [
        ("daemon", "wrong", "user name or password is wrong"),
        ("nobody-here", PASSWORD, "user name or password is wrong"),
        ("bin", PASSWORD, "switched off"),
        ("games", PASSWORD, "locked"),
        ("mail", PASSWORD, "must be changed"),
        ("news", PASSWORD, "expired"),
    ];
    for (user, password, why) in cases {
        let target = with(described(&samba), |target| {
            target.user = user.into();
            target.password = password.into();
        });
        let error = refusal(&target).await;
        assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
        assert!(error.is_permanent() && error.to_string().contains(why), "{user}: {error}");
        assert!(!error.to_string().contains(user), "{error}");
    }
    let domain = with(described(&samba), |target| target.domain = "CALLSEAL".into());
    domain.test().await.unwrap();
}

#[tokio::test]
async fn a_server_without_ntlm_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let samba = Samba::start_with(dir.path(), &["ntlm auth = disabled"]).await.unwrap();
    let error = refusal(&Smb::new(described(&samba))).await;
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
}

#[tokio::test]
async fn a_missing_share_and_missing_rights_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = server(dir.path()).await;
    let error = refusal(&with(described(&samba), |target| target.share = "other".into())).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.is_permanent() && error.to_string().contains("no share of this name"), "{error}");

    // A folder that this user may not write to.
    samba.let_in("daemon", PASSWORD).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(samba.share(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = refusal(&with(described(&samba), |target| target.user = "daemon".into())).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("rights of the user"), "{error}");

    // A share that this user may not enter.
    samba.stop().unwrap();
    samba.share_settings.push("invalid users = daemon".into());
    samba.start_again().await.unwrap();
    let error = refusal(&with(described(&samba), |target| target.user = "daemon".into())).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("into the share"), "{error}");
}

#[tokio::test]
async fn a_read_only_share_is_denied() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = server(dir.path()).await;
    samba.stop().unwrap();
    samba.share_settings.push("read only = yes".into());
    samba.start_again().await.unwrap();
    let error = refusal(&Smb::new(described(&samba))).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test]
async fn a_file_that_somebody_else_has_open_is_said_to_be_open_and_taken_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    let content = content_of(2_000_000);
    let hidden = unfinished("a.wav", &content);
    fs::write(samba.share().join(&hidden), &bytes(2_000_000)[..700_000]).unwrap();
    // Another machine holds it, and shares it with nobody.
    let mut other = smb2::connect(&format!("127.0.0.1:{}", samba.port()), &samba.user().unwrap(), PASSWORD)
        .await
        .unwrap();
    let share = other.connect_share(SHARE).await.unwrap();
    let held = other.create_file_writer_at(&share, &hidden, 700_000).await.unwrap();
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(
        !error.is_permanent() && error.to_string().contains("another program has the file open"),
        "{error}"
    );
    held.abort().await.unwrap();
    target.put("", "a.wav", &content).await.unwrap();
    assert_eq!(fs::read(samba.share().join("a.wav")).unwrap(), bytes(2_000_000));
}

#[tokio::test]
async fn a_full_disk_on_the_server_is_called_full_and_takes_the_file_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let disk = SmallDisk::mount(&samba.share().join("disk"), 1 << 20).unwrap();
    let target = with(described(&samba), |target| target.path = "disk".into());
    for length in [3 << 20, (1 << 20) - 1000] {
        let blocking = samba.share().join("disk/blocking");
        fs::write(&blocking, vec![0; 300_000]).unwrap();
        let error = target.put("", "a.wav", &content_of(length)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{length}: {error}");
        fs::remove_file(blocking).unwrap();
        assert_eq!(fs::read_dir(samba.share().join("disk")).unwrap().count(), 0, "{length}");
    }
    disk.resize(8 << 20).unwrap();
    let content = content_of(3 << 20);
    target.put("", "a.wav", &content).await.unwrap();
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_dfs_link_is_said_to_be_unsupported() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = Samba::start_with(dir.path(), &["host msdfs = yes"]).await.unwrap();
    samba.stop().unwrap();
    samba.share_settings.push("msdfs root = yes".into());
    samba.start_again().await.unwrap();
    std::os::unix::fs::symlink(r"msdfs:elsewhere\share", samba.share().join("link")).unwrap();
    // The share itself works, also as the root of a DFS tree.
    let target = Smb::new(described(&samba));
    target.put("calls", "a.wav", &content_of(2_000_000)).await.unwrap();
    target.replace("calls", "b.wav", &content_of(1000)).await.unwrap();
    assert_eq!(fs::read(samba.share().join("calls/a.wav")).unwrap(), bytes(2_000_000));
    let error = target.put("link/2026", "a.wav", &content_of(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.to_string().contains("DFS"), "{error}");
}

#[tokio::test]
async fn a_server_of_smb_1_and_something_that_is_no_smb_server_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ["server min protocol = NT1", "server max protocol = NT1"];
    let samba = Samba::start_with(dir.path(), &settings).await.unwrap();
    let error = refusal(&Smb::new(described(&samba))).await;
    assert!(error.to_string().contains("SMB 1"), "{error}");

    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = web.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = refusal(&with(described(&samba), |target| target.port = port)).await;
    assert!(error.to_string().contains("no SMB server"), "{error}");
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_gone_on_with_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = Arc::new(with(described(&samba), |target| target.port = cable.port()));
    const SIZE: usize = 24 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = samba.share().join("2026").join(unfinished("a.wav", &content));
    for round in 1..=3_u64 {
        cable.slow(Some(8 << 20));
        let (putting, content) = (Arc::clone(&target), content.clone());
        let put = tokio::spawn(async move { putting.put("2026", "a.wav", &content).await });
        wait::until("some MiB more to arrive", Duration::from_secs(60), || async {
            fs::metadata(&hidden).is_ok_and(|file| file.len() > round * (5 << 20)).then_some(())
        })
        .await
        .unwrap();
        samba.stop().unwrap();
        let error = put.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!error.is_permanent() && !error.to_string().contains("a.wav"), "{error}");
        assert!(!samba.share().join("2026/a.wav").exists());
        samba.start_again().await.unwrap();
    }
    cable.slow(None);
    target.put("2026", "a.wav", &content).await.unwrap();
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("2026")).unwrap().count(), 1);
    let opened = opened.lock().unwrap().clone();
    assert!(opened.len() == 4 && opened[0] == 0 && opened.is_sorted() && opened[3] > 15 << 20, "{opened:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_file_is_made_anew_and_the_file_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    const SIZE: usize = 24 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = samba.share().join("2026").join(unfinished("a.wav", &content));
    for after in [8 << 20, 6 << 20] {
        let (hidden, opened) = (hidden.clone(), opened.clone());
        // More than a MiB beyond where this put has begun.
        cable.cut_after(after, move || {
            let begun = opened.lock().unwrap().last().copied().unwrap_or(0);
            fs::metadata(&hidden).is_ok_and(|file| file.len() > begun + (1 << 20))
        });
        let error = target.put("2026", "a.wav", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!samba.share().join("2026/a.wav").exists());
    }
    let put = target.put("2026", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("2026")).unwrap().count(), 1);
    let opened = opened.lock().unwrap().clone();
    assert!(
        opened.len() == 3 && opened[0] == 0 && opened[1] > 1 << 20 && opened[2] > opened[1],
        "{opened:?}"
    );
    assert_eq!(cable.connections(), 3);
}

#[tokio::test]
async fn half_a_small_file_that_was_left_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    let content = content_of(200_000);
    let (right, wrong) = (bytes(200_000)[..70_000].to_vec(), vec![7; 70_000]);
    for (name, left) in [("right.wav", right), ("wrong.wav", wrong), ("empty.wav", vec![])] {
        fs::write(samba.share().join(unfinished(name, &content)), left).unwrap();
        target.put("", name, &content).await.unwrap();
        assert_eq!(fs::read(samba.share().join(name)).unwrap(), bytes(200_000), "{name}");
    }
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_source_that_breaks_leaves_no_file_and_no_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    for length in [200_000, 2_000_000] {
        let (source, _) = Breaking::after(length, 90_000);
        let content = Content::new(length as u64, *content_of(length).sha256(), source);
        assert_eq!(target.put("", "a.wav", &content).await.unwrap_err().kind(), ErrorKind::Source);
        assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 0);
        target.put("", "a.wav", &content).await.unwrap();
        fs::remove_file(samba.share().join("a.wav")).unwrap();
    }
    assert_eq!(cable.connections(), 1);
}

#[tokio::test]
async fn a_folder_that_is_taken_away_between_two_recordings_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    target.put("2026/11", "a.wav", &content_of(1000)).await.unwrap();
    fs::remove_dir_all(samba.share().join("2026")).unwrap();
    let error = target.put("2026/11", "b.wav", &content_of(1000)).await.unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    target.put("2026/11", "b.wav", &content_of(1000)).await.unwrap();
    // A file where a folder has to be is somebody's, and stays.
    fs::write(samba.share().join("2027"), "a file").unwrap();
    let error = target.put("2027/01", "a.wav", &content_of(1000)).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("a file has the name of a folder"), "{error}");
}

#[tokio::test]
async fn a_thousand_small_files_are_brought_and_verified_many_at_a_time_over_one_login() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    let content = content_of(20_000);
    let begun = Instant::now();
    stream::iter(0..1000)
        .map(|number| {
            let (target, content) = (&target, &content);
            async move {
                let (folder, name) = (format!("2026/{}", number % 30), format!("{number}.wav"));
                let put = target.put(&folder, &name, content).await?;
                assert_eq!(put.outcome, Outcome::Stored);
                target.verify(&folder, &name, content.size(), content.sha256()).await
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    println!("1,000 files of 20 kB put and verified in {:?}", begun.elapsed());
    assert_eq!(cable.connections(), 1);
    let folders = fs::read_dir(samba.share().join("2026")).unwrap();
    let files = folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count());
    assert_eq!(files.sum::<usize>(), 1000);
}

#[tokio::test]
async fn what_is_replaced_is_at_no_moment_half_and_another_file_never_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    replaced_while_read(&with(described(&samba), |target| target.port = cable.port())).await;
    assert_eq!(cable.connections(), 1);
    assert_eq!(fs::read_dir(samba.share().join("log/acme")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_is_listed_with_sizes_and_without_what_is_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = with(described(&samba), |target| target.path = "archive".into());
    target.put("calls", "a b+c.wav", &content_of(300)).await.unwrap();
    target.put("calls/2026", "b.wav", &content_of(10)).await.unwrap();
    fs::write(samba.share().join("archive/calls").join(unfinished("c.wav", &content_of(9))), "half").unwrap();
    let mut listed = target.list("calls").await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!(names, ["2026", "a b+c.wav"]);
    assert_eq!(listed[0].kind, Kind::Folder);
    assert!(matches!(listed[1].kind, Kind::File { size: 300, modified: Some(_) }), "{listed:?}");
    assert_eq!(target.list("").await.unwrap().len(), 1);
    assert!(target.list("not/there").await.unwrap().is_empty());
    assert_eq!(read(&target, "calls", "a b+c.wav").await.unwrap(), bytes(300));
    assert_eq!(read(&target, "not/there", "a.wav").await, None);
}
