//! Ways through real OpenSSH servers.

use std::time::Duration;

use domain::resources::SshServer;
use harness::{cable::Cable, sshd::Sshd};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tunnel::{ErrorKind, HostKey, Place, Session, SshError, Stream, dial, shown_keys};

use crate::{described, echo, servers, through};

/// Sends so many bytes and gets them back at the same time.
pub(crate) async fn comes_back(stream: Stream, bytes: usize) {
    let (mut from, mut to) = tokio::io::split(stream);
    let sent: Vec<u8> = (0..bytes).map(|n| ((n * 31) >> 3) as u8).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await.unwrap();
    sending.await.unwrap();
    assert!(answer == expected, "{} bytes of {bytes}", answer.len());
}

fn refused(outcome: Result<Stream, SshError>) -> SshError {
    outcome.expect_err("there must be no way")
}

#[tokio::test]
async fn many_connections_carry_much_both_ways_through_three_servers_and_one_login_each() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 3).await;
    let tunnel = through(&hops.iter().map(described).collect::<Vec<_>>());
    let port = echo().await;
    let streams = (0..8).map(|_| {
        let tunnel = tunnel.clone();
        tokio::spawn(async move {
            comes_back(dial(Some(&tunnel), "127.0.0.1", port).await.unwrap(), 8 << 20).await;
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        stream.await.unwrap();
    }
    for hop in &hops {
        assert_eq!(hop.log().matches("Accepted publickey").count(), 1);
    }
}

#[tokio::test]
async fn a_connection_outlives_the_tunnel_it_was_made_by() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 1).await;
    let tunnel = through(&[described(&hops[0])]);
    let stream = tunnel.connect("127.0.0.1", echo().await).await.unwrap();
    drop(tunnel);
    comes_back(stream, 1 << 20).await;
}

#[tokio::test]
async fn a_hop_that_shows_another_key_is_named_and_gets_no_login() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 2).await;
    let mut described: Vec<_> = hops.iter().map(described).collect();
    described[1].host_keys = vec![hops[0].host_key("ed25519").unwrap()];
    let error = refused(through(&described).connect("127.0.0.1", 1).await);
    assert_eq!(error.kind(), ErrorKind::HostKeyChanged);
    let text = error.to_string();
    assert!(text.contains("server 2 of the SSH tunnel"), "{text}");
    assert!(text.contains(&hops[1].fingerprint("ed25519").unwrap()), "{text}");
    assert!(!hops[1].log().contains("publickey"), "{}", hops[1].log());
}

#[tokio::test]
async fn a_hop_without_a_pin_is_not_even_contacted() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 1).await;
    let cable = Cable::to(hops[0].port()).await.unwrap();
    let unpinned = SshServer { host_keys: vec![], port: cable.port(), ..described(&hops[0]) };
    let error = refused(through(&[unpinned]).connect("127.0.0.1", 1).await);
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("callseal test-target"), "{error}");
    assert_eq!(cable.connections(), 0);
}

#[tokio::test]
async fn a_server_that_forbids_forwarding_is_told_from_one_that_finds_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut hops = servers(dir.path(), 1).await;
    let tunnel = through(&[described(&hops[0])]);
    let nobody = harness::ports::claim().unwrap();
    let error = refused(tunnel.connect("127.0.0.1", nobody).await);
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&format!("cannot reach 127.0.0.1:{nobody}")), "{error}");
    assert_eq!(hops[0].log().matches("Accepted publickey").count(), 1, "a no is no reason to log in again");

    hops[0].stop().unwrap();
    hops[0].settings.push("AllowTcpForwarding no".into());
    hops[0].start_again().await.unwrap();
    let error = refused(through(&[described(&hops[0])]).connect("127.0.0.1", nobody).await);
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("AllowTcpForwarding"), "{error}");
}

#[tokio::test]
async fn a_login_that_is_refused_says_at_which_hop() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 2).await;
    let mut described: Vec<_> = hops.iter().map(described).collect();
    described[1].auth = described[0].auth.clone();
    let error = refused(through(&described).connect("127.0.0.1", 1).await);
    assert_eq!(error.kind(), ErrorKind::LoginRefused);
    assert!(error.to_string().contains("server 2 of the SSH tunnel"), "{error}");
}

#[tokio::test]
async fn a_tunnel_is_made_anew_when_one_of_its_servers_was_killed_and_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut hops = servers(dir.path(), 3).await;
    let tunnel = through(&hops.iter().map(described).collect::<Vec<_>>());
    let port = echo().await;
    for killed in [0, 1, 2] {
        comes_back(tunnel.connect("127.0.0.1", port).await.unwrap(), 1000).await;
        hops[killed].stop().unwrap();
        let error = refused(tunnel.connect("127.0.0.1", port).await);
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        hops[killed].start_again().await.unwrap();
        comes_back(tunnel.connect("127.0.0.1", port).await.unwrap(), 1000).await;
    }
}

#[tokio::test]
async fn a_connection_that_was_reset_is_made_anew_at_the_next_use() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 1).await;
    let cable = Cable::to(hops[0].port()).await.unwrap();
    let tunnel = through(&[SshServer { port: cable.port(), ..described(&hops[0]) }]);
    let port = echo().await;
    let mut broken = tunnel.connect("127.0.0.1", port).await.unwrap();
    cable.reset();
    // Whoever is using it hears of it.
    let heard = timeout(Duration::from_secs(60), broken.read_u8()).await;
    assert!(heard.expect("the break is felt").is_err());
    comes_back(tunnel.connect("127.0.0.1", port).await.unwrap(), 1000).await;
    assert_eq!(cable.connections(), 2);
}

#[tokio::test]
async fn the_keys_that_a_server_shows_are_all_of_its_own_and_nobody_logs_in_to_see_them() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 2).await;
    let expected = |sshd: &Sshd| -> Vec<String> {
        harness::sshd::HOST_KEYS.iter().map(|kind| sshd.fingerprint(kind).unwrap()).collect()
    };
    let fingerprints =
        |keys: &[HostKey]| -> Vec<String> { keys.iter().map(|key| key.fingerprint.clone()).collect() };
    let unpinned = SshServer { host_keys: vec![], ..described(&hops[1]) };
    let place = Place::server("SFTP", &unpinned.host, unpinned.port);

    let directly = shown_keys(&unpinned, &place, &[]).await.unwrap();
    assert_eq!(fingerprints(&directly), expected(&hops[1]));
    let behind = shown_keys(&unpinned, &place, &[described(&hops[0])]).await.unwrap();
    assert_eq!(behind, directly);
    assert!(!hops[1].log().contains("Accepted") && !hops[1].log().contains("Failed"));

    // Each line is a pin.
    for key in directly {
        let pinned = SshServer { host_keys: vec![key.line], ..described(&hops[1]) };
        Session::connect(&pinned, &place, None).await.unwrap();
    }
    let error =
        shown_keys(&unpinned, &place, &[SshServer { host_keys: vec![], ..described(&hops[0]) }]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Incomplete);
}

#[tokio::test]
async fn what_is_no_ssh_server_is_called_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 1).await;
    let mut other = described(&hops[0]);
    other.port = echo().await;
    let error = refused(through(&[other]).connect("127.0.0.1", 1).await);
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
