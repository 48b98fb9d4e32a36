//! Somebody on the way who reads along, and who may change what passes by.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct Heard {
    /// All that clients have sent, one connection after the other.
    bytes: Vec<u8>,
    /// After how many further bytes one is changed.
    change_after: Option<usize>,
}

/// Forwards TCP connections of a free port of loopback to another one.
pub struct Tap {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

impl Tap {
    /// One that only listens.
    pub async fn to(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Heard>>::default();
        let noting = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&noting)));
            }
        });
        Self { port, heard }
    }

    /// Where to connect, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether clients have sent these bytes.
    pub fn carried(&self, bytes: &[u8]) -> bool {
        self.heard.lock().unwrap().bytes.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Changes one byte, when so many more have passed.
    pub fn change_a_byte_after(&self, bytes: usize) {
        self.heard.lock().unwrap().change_after = Some(bytes);
    }
}

async fn carry(client: TcpStream, server: TcpStream, heard: Arc<Mutex<Heard>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut block = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut block).await {
            heard.lock().unwrap().pass(&mut block[..read]);
            if to_server.write_all(&block[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

impl Heard {
    fn pass(&mut self, block: &mut [u8]) {
        self.bytes.extend_from_slice(block);
        if let Some(after) = self.change_after {
            self.change_after = match after.checked_sub(block.len()) {
                Some(rest) => Some(rest),
                None => {
                    block[after] ^= 1;
                    None
                }
            };
        }
    }
}
