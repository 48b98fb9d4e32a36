//! A cable between client and server that breaks after so many bytes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

/// When a connection breaks.
struct Break {
    after: u64,
    /// Whether enough of what was sent has arrived behind the server.
    arrived: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Forwards TCP connections of a free port of loopback to `to`.
pub struct Cable {
    port: u16,
    breaks: Arc<Mutex<Option<Break>>>,
    connections: Arc<Mutex<u32>>,
}

impl Cable {
    /// One that holds.
    pub async fn to(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cable = Self {
            port: listener.local_addr().unwrap().port(),
            breaks: Arc::default(),
            connections: Arc::default(),
        };
        let (breaks, connections) = (Arc::clone(&cable.breaks), Arc::clone(&cable.connections));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                let cut = breaks.lock().unwrap().take();
                tokio::spawn(async move {
                    let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    carry(client, server, cut).await;
                });
            }
        });
        cable
    }

    /// Where to connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection is cut when the client has sent so many bytes and the server has taken in
    /// as much of them as `arrived` wants.
    pub fn cut_after(&self, bytes: u64, arrived: impl Fn() -> bool + Send + Sync + 'static) {
        *self.breaks.lock().unwrap() = Some(Break { after: bytes, arrived: Box::new(arrived) });
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u32 {
        *self.connections.lock().unwrap()
    }
}

/// Both directions, until one ends or the cable breaks; then neither side hears a farewell from the
/// other.
async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Option<Break>) {
    let after = cut.as_ref().map_or(u64::MAX, |cut| cut.after);
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let (mut sent, mut block) = (0, vec![0; 16 * 1024]);
        while sent < after {
            let Ok(read @ 1..) = from_client.read(&mut block).await else { return };
            if to_server.write_all(&block[..read]).await.is_err() {
                return;
            }
            sent += read as u64;
        }
        // What is on its way reaches the server's disk, so that there is something to resume. A server
        // that hears of the break first throws away what it has not read.
        while cut.as_ref().is_some_and(|cut| !(cut.arrived)()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = up => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
