//! A share behind an SSH server.

use std::fs;

use domain::resources::{SmbEncryption, SshServer, SshTunnel};
use harness::sshd::Sshd;
use targets::{ErrorKind, Outcome, Smb, Target};

use crate::{
    content::{bytes, content_of},
    described, refusal, server, with,
};

fn hop(sshd: &Sshd) -> SshServer {
    sshd.described().unwrap()
}

#[tokio::test]
async fn files_go_through_two_ssh_servers_and_go_on_when_one_of_them_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(&dir.path().join("samba")).await;
    let first = Sshd::start(&dir.path().join("first")).await.unwrap();
    let mut second = Sshd::start(&dir.path().join("second")).await.unwrap();
    let target = with(described(&samba), |target| {
        target.tunnel = Some(SshTunnel { hops: vec![hop(&first), hop(&second)] });
        target.encryption = SmbEncryption::Off;
    });
    let content = content_of(5_000_000);
    assert_eq!(target.put("2026", "a.wav", &content).await.unwrap().outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read(samba.share().join("2026/a.wav")).unwrap(), bytes(5_000_000));

    second.stop().unwrap();
    let error = target.put("2026", "b.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    second.start_again().await.unwrap();
    target.put("2026", "b.wav", &content).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_through_a_tunnel_whose_host_key_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(&dir.path().join("samba")).await;
    let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    let other = Sshd::start(&dir.path().join("other")).await.unwrap();
    let through = |host_keys| {
        with(described(&samba), |target| {
            target.tunnel = Some(SshTunnel { hops: vec![SshServer { host_keys, ..hop(&sshd) }] });
        })
    };
    let error = refusal(&through(vec![other.host_key("ed25519").unwrap()])).await;
    assert_eq!(error.kind(), ErrorKind::HostKeyChanged, "{error}");
    let error = refusal(&through(vec![])).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 0);
    let target: Smb = through(vec![sshd.host_key("ed25519").unwrap()]);
    target.test().await.unwrap();
}
