//! Tunnels through real OpenSSH servers.

mod waiting;
mod ways;

use std::path::Path;

use domain::resources::{SshServer, SshTunnel};
use harness::sshd::Sshd;
use tokio::net::TcpListener;
use tunnel::Tunnel;

fn described(sshd: &Sshd) -> SshServer {
    sshd.described().unwrap()
}

async fn servers(dir: &Path, number: usize) -> Vec<Sshd> {
    let mut servers = Vec::new();
    for number in 0..number {
        servers.push(Sshd::start(&dir.join(number.to_string())).await.unwrap());
    }
    servers
}

fn through(hops: &[SshServer]) -> Tunnel {
    Tunnel::new(SshTunnel { hops: hops.to_vec() })
}

/// The port of a server that sends back what it gets.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                let _ended = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}
