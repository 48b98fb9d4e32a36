//! Who waits until more may be sent, and what it waits for is gone.

use std::{
    io,
    time::{Duration, Instant},
};

use domain::resources::SshTunnel;
use harness::cable::Cable;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tunnel::{Stream, Tunnel};

use crate::{described, echo, servers, through, ways::comes_back};

/// Far less than any other limit that might end the wait.
const SOON: Duration = Duration::from_secs(60);

/// A server that takes connections and reads nothing from them.
struct Deaf {
    port: u16,
    listener: TcpListener,
}

impl Deaf {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { port: listener.local_addr().unwrap().port(), listener }
    }

    /// A connection to it whose window is used up, as far as can be told, and that goes on sending;
    /// and its far end.
    async fn waiting(&self, tunnel: &Tunnel) -> (JoinHandle<io::Error>, TcpStream) {
        let mut near: Stream = tunnel.connect("127.0.0.1", self.port).await.unwrap();
        let (far, _) = self.listener.accept().await.unwrap();
        let block = vec![7; 1 << 16];
        let mut sent = 0;
        loop {
            match timeout(Duration::from_millis(300), near.write(&block)).await {
                Ok(written) => sent += written.unwrap(),
                Err(_) if sent > 2 << 20 => break,
                Err(_) => {}
            }
        }
        let writing = tokio::spawn(async move {
            loop {
                if let Err(error) = near.write_all(&block).await {
                    return error;
                }
            }
        });
        (writing, far)
    }
}

#[tokio::test]
async fn every_connection_that_waits_for_a_window_hears_at_once_that_a_server_of_the_tunnel_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut hops = servers(dir.path(), 2).await;
    let deaf = Deaf::start().await;
    for killed in [0, 1] {
        let tunnel = through(&hops.iter().map(described).collect::<Vec<_>>());
        let (one, _far) = deaf.waiting(&tunnel).await;
        let (other, _its_far) = deaf.waiting(&tunnel).await;
        hops[killed].stop().unwrap();
        for waiting in [one, other] {
            timeout(SOON, waiting).await.expect("nobody says that the tunnel is gone").unwrap();
        }
        hops[killed].start_again().await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_waits_for_a_window_hears_that_its_far_end_is_gone_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let hops = servers(dir.path(), 2).await;
    let tunnel = through(&hops.iter().map(described).collect::<Vec<_>>());
    let deaf = Deaf::start().await;
    let (waiting, far) = deaf.waiting(&tunnel).await;
    // With much unread, so that it is reset.
    drop(far);
    timeout(SOON, waiting).await.expect("nobody says that the far end is gone").unwrap();
    comes_back(tunnel.connect("127.0.0.1", echo().await).await.unwrap(), 1 << 20).await;
    assert_eq!(hops[1].log().matches("Accepted publickey").count(), 1, "it is the same tunnel still");
}

#[tokio::test]
async fn a_server_of_the_tunnel_that_falls_silent_is_taken_for_dead_by_who_sends_through_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut hops = servers(dir.path(), 2).await;
    let deaf = Deaf::start().await;
    for silent in [0, 1] {
        let described = SshTunnel { hops: hops.iter().map(described).collect() };
        let tunnel = Tunnel::with_silence(described, Duration::from_secs(6));
        // One whose window is used up already, and one that has its window before it.
        let (waiting, _far) = deaf.waiting(&tunnel).await;
        let mut fresh = tunnel.connect("127.0.0.1", deaf.port).await.unwrap();
        hops[silent].freeze().unwrap();
        let block = vec![7; 1 << 20];
        let sending = async { while fresh.write_all(&block).await.is_ok() {} };
        timeout(SOON, sending).await.expect("the silence goes unnoticed");
        timeout(SOON, waiting).await.expect("the silence goes unnoticed by who waits").unwrap();
        hops[silent].stop().unwrap();
        hops[silent].start_again().await.unwrap();
        let again = tunnel.connect("127.0.0.1", echo().await).await.unwrap();
        comes_back(again, 1 << 20).await;
    }
}

/// The port of a server that takes in what comes and says how much it was when nothing more comes.
async fn counting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                client.read_to_end(&mut all).await?;
                client.write_u64(all.len() as u64).await
            });
        }
    });
    port
}

#[tokio::test]
async fn a_slow_line_that_is_full_for_longer_than_a_silence_is_not_taken_for_a_dead_one() {
    // With the silence of every day these would be 20 kB/s.
    const SILENCE: Duration = Duration::from_secs(4);
    const RATE: u32 = 150_000;
    const EACH: usize = 400_000;
    let dir = tempfile::tempdir().unwrap();
    let servers = servers(dir.path(), 2).await;
    let sink = counting().await;
    // Before the first server, and between the two.
    let cables = [Cable::to(servers[0].port()).await.unwrap(), Cable::to(servers[1].port()).await.unwrap()];
    let mut hops: Vec<_> = servers.iter().map(described).collect();
    for (hop, cable) in hops.iter_mut().zip(&cables) {
        hop.port = cable.port();
    }
    let tunnel = Tunnel::with_silence(SshTunnel { hops }, SILENCE);
    let mut near = Vec::new();
    for _ in 0..4 {
        near.push(tunnel.connect("127.0.0.1", sink).await.unwrap());
    }
    cables.iter().for_each(|cable| cable.slow(Some(RATE)));
    let begun = Instant::now();
    let sending: JoinSet<io::Result<u64>> = near
        .into_iter()
        .map(|mut near| async move {
            near.write_all(&vec![7; EACH]).await?;
            near.shutdown().await?;
            near.read_u64().await
        })
        .collect();
    for arrived in sending.join_all().await {
        assert_eq!(arrived.expect("taken for dead"), EACH as u64);
    }
    assert!(begun.elapsed() > SILENCE * 2, "the line was full for {:?} only", begun.elapsed());
    assert!(cables.iter().all(|cable| cable.connections() == 1));
}
