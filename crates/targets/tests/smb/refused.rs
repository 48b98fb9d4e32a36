//! Servers that refuse, and what is said about it.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use harness::{
    samba::{PASSWORD, Samba},
    wait,
};
use targets::{ErrorKind, Smb, Target};

use crate::{
    content::{bytes, content_of},
    described, refusal, server, with,
};

#[tokio::test]
async fn refused_logins_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    for (user, change) in [
        ("daemon", None),
        ("bin", Some(["-c", "[D]"])),
        ("games", Some(["-c", "[L]"])),
        ("news", Some(["-K", "1000000"])),
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
        ("news", PASSWORD, "the account has expired"),
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

    // From now on a password is good for a second.
    samba.account_policy("maximum password age", 1).unwrap();
    let expired = wait::until("the password to expire", Duration::from_secs(60), || async {
        Smb::new(described(&samba)).test().await.err()
    });
    let error = expired.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
    assert!(error.to_string().contains("the password has expired"), "{error}");
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
