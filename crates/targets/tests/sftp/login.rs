//! Host keys and logins.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use domain::resources::SshAuth;
use harness::{account::Account, cable::Cable, sshd::HOST_KEYS, wait};
use targets::{ErrorKind, Sftp, Target};

use crate::{described, server, with};

#[tokio::test]
async fn every_kind_of_host_key_can_be_pinned_as_line_or_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    for kind in HOST_KEYS {
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
async fn without_a_pinned_key_nothing_is_sent_and_the_way_out_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    let target = with(described(&sshd, ""), |server| {
        server.host_keys.clear();
        server.port = cable.port();
    });
    let error = target.test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(
        error.is_permanent() && error.to_string().contains("callseal test-target --config DIR NAME"),
        "{error}"
    );
    assert_eq!(cable.connections(), 0);
}

#[tokio::test]
async fn private_keys_of_every_kind_and_form_log_in_with_and_without_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    // ssh-keygen writes ed25519 in its own form only; of what it writes with a passphrase, PEM of
    // ECDSA is the one that nobody needs: it is PKCS#8 or OpenSSH's own everywhere else.
    let forms = [
        (
            "RFC4716",
            &["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"][..],
            &["", "open sesame"][..],
        ),
        ("PKCS8", &["ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"], &["", "open sesame"]),
        ("PEM", &["rsa-2048"], &["", "open sesame"]),
        ("PEM", &["ecdsa-256", "ecdsa-384", "ecdsa-521"], &[""]),
    ];
    for (form, kinds, passphrases) in forms {
        for (kind, passphrase) in kinds.iter().flat_map(|kind| passphrases.iter().map(move |p| (kind, *p))) {
            let what = format!("{form} {kind} {passphrase:?}");
            let name = format!("further-{form}-{kind}-{}", passphrase.len());
            let private_key = sshd.let_in_new_key_in(&name, kind, form, passphrase).unwrap();
            let by = |passphrase: Option<&str>| {
                let passphrase = passphrase.map(Into::into);
                let auth = SshAuth::Key { private_key: private_key.clone().into(), passphrase };
                with(described(&sshd, ""), |server| server.auth = auth)
            };
            let right = (!passphrase.is_empty()).then_some(passphrase);
            by(right).test().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            for wrong in [Some("wrong"), None].into_iter().filter(|_| right.is_some()) {
                let error = by(wrong).test().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::LoginRefused, "{what}: {error}");
                assert!(error.to_string().contains("passphrase"), "{what}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_whose_number_begins_with_zeros_logs_in() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    for (zeros, passphrase) in [(1, ""), (2, ""), (1, "open sesame")] {
        let what = format!("{zeros} {passphrase:?}");
        let name = format!("short-{zeros}-{}", passphrase.len());
        let private_key = sshd.let_in_key_that_begins_with_zeros(&name, zeros, passphrase).unwrap();
        let by = |passphrase: &str| {
            let passphrase = (!passphrase.is_empty()).then(|| passphrase.into());
            let auth = SshAuth::Key { private_key: private_key.clone().into(), passphrase };
            with(described(&sshd, ""), |server| server.auth = auth)
        };
        by(passphrase).test().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        if !passphrase.is_empty() {
            let error = by("wrong").test().await.unwrap_err();
            assert!(error.to_string().contains("its passphrase is wrong"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_passphrase_that_the_key_does_not_need_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    for (form, kind) in [("RFC4716", "ed25519"), ("PKCS8", "ecdsa-256"), ("PEM", "rsa-2048")] {
        let private_key = sshd.let_in_new_key_in(&format!("open-{form}"), kind, form, "").unwrap().into();
        let auth = SshAuth::Key { private_key, passphrase: Some("not needed".into()) };
        let target = with(described(&sshd, ""), |server| server.auth = auth);
        target.test().await.unwrap_or_else(|error| panic!("{form}: {error}"));
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
