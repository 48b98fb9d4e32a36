//! Signing and encryption, as the server and as the target wants it.

use std::fs;

use domain::resources::{SmbEncryption, SmbSigning};
use harness::samba::Samba;
use targets::{Content, ErrorKind, Smb, Target};

use crate::{
    content::{bytes, content_of},
    described, refusal, server,
    tap::Tap,
    with,
};

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
    let tap = Tap::to(samba.port()).await;
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
        let tap = Tap::to(samba.port()).await;
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
        let tap = Tap::to(samba.port()).await;
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
