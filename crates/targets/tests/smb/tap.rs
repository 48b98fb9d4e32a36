//! Somebody on the way who reads along, and who may change what passes by.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct Heard {
    /// All that clients have sent, one connection after the other.
    bytes: Vec<u8>,
    /// After how many further bytes one is changed.
    change_after: Option<usize>,
    /// Each answer of the server comes twice.
    twice: bool,
    /// Answers that came twice.
    repeated: usize,
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

    /// From now on each answer of the server comes twice, or no longer does.
    pub fn repeat_answers(&self, twice: bool) {
        self.heard.lock().unwrap().twice = twice;
    }

    /// How many answers have come twice.
    pub fn repeated(&self) -> usize {
        self.heard.lock().unwrap().repeated
    }
}

async fn carry(client: TcpStream, server: TcpStream, heard: Arc<Mutex<Heard>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
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
        _ = answer(from_server, &mut to_client, &heard) => {}
    }
}

/// Passes on what the server says, one message after the other: each has its length in front of it
/// ([MS-SMB2] 2.1).
async fn answer(
    from: impl AsyncRead,
    to: &mut (impl AsyncWrite + Unpin),
    heard: &Mutex<Heard>,
) -> io::Result<()> {
    let mut from = pin!(from);
    loop {
        let length = from.read_u32().await?;
        let mut message = length.to_be_bytes().to_vec();
        message.resize(4 + (length & 0x00FF_FFFF) as usize, 0);
        from.read_exact(&mut message[4..]).await?;
        let times = {
            let mut heard = heard.lock().unwrap();
            heard.repeated += usize::from(heard.twice);
            1 + usize::from(heard.twice)
        };
        to.write_all(&message.repeat(times)).await?;
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
