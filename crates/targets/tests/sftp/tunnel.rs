//! An SFTP server behind others.

use std::{fs, sync::Arc, time::Duration};

use domain::resources::{SftpTarget, SshAuth, SshServer, SshTunnel};
use harness::{account::Account, cable::Cable, sshd::Sshd, wait};
use targets::{Content, ErrorKind, Outcome, Sftp, Target};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    content::{Breaking, bytes, content_of, unfinished},
    described, server,
};

/// The target, reached through `hops`.
fn behind(sshd: &Sshd, hops: Vec<SshServer>) -> SftpTarget {
    SftpTarget { tunnel: Some(SshTunnel { hops }), ..described(sshd, "archive") }
}

fn hop(sshd: &Sshd) -> SshServer {
    described(sshd, "").server
}

#[tokio::test]
async fn files_go_through_three_servers_with_keys_and_a_password_and_each_of_them_is_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let account = Account::with_password("correct horse").unwrap();
    let last = server(&dir.path().join("last")).await;
    let first = server(&dir.path().join("first")).await;
    let second = server(&dir.path().join("second")).await;
    let mut third = server(&dir.path().join("third")).await;
    third.stop().unwrap();
    third.settings.push("PasswordAuthentication yes".into());
    third.start_again().await.unwrap();
    let protected = second.let_in_new_key("protected", "ecdsa-384", "open sesame").unwrap();
    let hops = vec![
        hop(&first),
        SshServer {
            auth: SshAuth::Key { private_key: protected.into(), passphrase: Some("open sesame".into()) },
            ..hop(&second)
        },
        SshServer {
            user: account.name().into(),
            auth: SshAuth::Password("correct horse".into()),
            ..hop(&third)
        },
    ];
    let target = Sftp::new(behind(&last, hops.clone()));
    let content = content_of(5_000_000);
    assert_eq!(target.put("2026", "a.wav", &content).await.unwrap().outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read(last.home().join("archive/2026/a.wav")).unwrap(), bytes(5_000_000));

    for number in 0..hops.len() {
        let mut hops = hops.clone();
        hops[number].host_keys = vec![last.host_key("ed25519").unwrap()];
        let error = Sftp::new(behind(&last, hops.clone())).test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostKeyChanged);
        assert!(error.to_string().contains(&format!("server {} of the SSH tunnel", number + 1)), "{error}");
        hops[number].host_keys.clear();
        let error = Sftp::new(behind(&last, hops)).test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
    }
    let mut unpinned = behind(&last, hops);
    unpinned.server.host_keys.clear();
    let error = Sftp::new(unpinned).test().await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Incomplete && error.to_string().contains("the SFTP server"),
        "{error}"
    );
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_when_the_jump_host_was_killed_and_is_back() {
    const SIZE: usize = 16 << 20;
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(&dir.path().join("last")).await;
    let mut jump = server(&dir.path().join("jump")).await;
    let cable = Cable::to(jump.port()).await.unwrap();
    let hops = vec![SshServer { port: cable.port(), ..hop(&jump) }];
    let target = Arc::new(Sftp::new(behind(&sshd, hops)));
    target.test().await.unwrap();

    // Slow enough to be killed in the middle.
    cable.slow(Some(4 << 20));
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = sshd.home().join("archive").join(unfinished("a.wav", &content));
    let putting = tokio::spawn({
        let (target, content) = (Arc::clone(&target), content.clone());
        async move { target.put("", "a.wav", &content).await }
    });
    wait::until("a part to arrive", Duration::from_secs(60), || async {
        fs::metadata(&hidden).is_ok_and(|file| file.len() > 1 << 20).then_some(())
    })
    .await
    .unwrap();
    jump.stop().unwrap();
    let error = putting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.is_permanent());
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert!(error.to_string().contains("server 1 of the SSH tunnel"), "{error}");

    jump.start_again().await.unwrap();
    cable.slow(None);
    assert_eq!(target.put("", "a.wav", &content).await.unwrap().outcome, Outcome::Stored);
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
    let opened = opened.lock().unwrap().clone();
    assert!(opened.len() == 2 && opened[0] == 0 && opened[1] > 1 << 20, "{opened:?}");
    assert_eq!(fs::read_dir(sshd.home().join("archive")).unwrap().count(), 1);
}

#[tokio::test]
async fn many_uploads_that_wait_for_one_window_hear_at_once_that_the_jump_host_was_killed() {
    const SIZE: usize = 64 << 20;
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(&dir.path().join("last")).await;
    let mut jump = server(&dir.path().join("jump")).await;
    let cable = Cable::to(jump.port()).await.unwrap();
    let target = Arc::new(Sftp::new(behind(&sshd, vec![SshServer { port: cable.port(), ..hop(&jump) }])));
    target.test().await.unwrap();

    // Each has 4 MiB under way, and together they may send 2 before they are asked for more.
    cable.slow(Some(1 << 20));
    let content = content_of(SIZE);
    let name = |number: u32| format!("{number}.wav");
    let mut putting = JoinSet::new();
    for number in 0..4 {
        let (target, content) = (Arc::clone(&target), content.clone());
        putting.spawn(async move { target.put("", &name(number), &content).await });
    }
    wait::until("a part of each to arrive", Duration::from_secs(120), || async {
        (0..4)
            .all(|number| {
                let hidden = sshd.home().join("archive").join(unfinished(&name(number), &content));
                fs::metadata(hidden).is_ok_and(|file| file.len() > 0)
            })
            .then_some(())
    })
    .await
    .unwrap();
    jump.stop().unwrap();
    let told = async {
        while let Some(put) = putting.join_next().await {
            let error = put.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        }
    };
    // Far below the time of a request, 300 s.
    timeout(Duration::from_secs(60), told).await.expect("each upload hears of it");
}

#[tokio::test]
async fn a_jump_host_that_may_not_connect_further_says_how_to_allow_it() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(&dir.path().join("last")).await;
    let mut jump = server(&dir.path().join("jump")).await;
    jump.stop().unwrap();
    jump.settings.push("AllowTcpForwarding no".into());
    jump.start_again().await.unwrap();
    let error = Sftp::new(behind(&sshd, vec![hop(&jump)])).test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.is_permanent() && error.to_string().contains("AllowTcpForwarding"), "{error}");
}
