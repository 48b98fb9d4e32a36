//! A proxy that brings requests twice, as one does that has not heard the first answer in time; the client
//! hears one of the two answers. HTTP/1.1 without TLS: inside of TLS, SSH and signed SMB nobody can repeat
//! anything without being noticed by the protocol itself.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Which answer the client hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// That to the first of the two; the other one is a duplicate that nobody waits for.
    First,
    /// That to the second: what it asks for is done already.
    Second,
}

/// Forwards HTTP from a free port of loopback to another one, repeating what changes something. Ends when it
/// is dropped.
pub struct Repeater {
    port: u16,
    repeated: Arc<AtomicU32>,
    listening: AbortHandle,
}

impl Repeater {
    /// One to this port of 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(to: u16, heard: Heard) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let repeated = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&repeated);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                // A client that goes away in the middle is not the proxy's fault.
                tokio::spawn(async move { carry(client, to, heard, &counted).await.ok() });
            }
        });
        Ok(Self { port, repeated, listening: listening.abort_handle() })
    }

    /// Where to connect, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many requests were brought twice.
    pub fn repeated(&self) -> u32 {
        self.repeated.load(Ordering::SeqCst)
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One request of a connection; the answer ends it.
async fn carry(client: TcpStream, to: u16, heard: Heard, counted: &AtomicU32) -> anyhow::Result<()> {
    let mut client = BufReader::new(client);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let begun = head.len();
        client.read_until(b'\n', &mut head).await?;
        let line = String::from_utf8_lossy(&head[begun..]).to_ascii_lowercase();
        match line.trim_end().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().context("Content-Length")?,
            // The server ends the connection behind its answer, and by that the answer.
            Some(("connection", _)) => head.truncate(begun),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    let first = ask(to, &head, &body).await?;
    let changes = [&b"PUT "[..], b"POST ", b"DELETE "].iter().any(|method| head.starts_with(method));
    let answer = if changes {
        counted.fetch_add(1, Ordering::SeqCst);
        let second = ask(to, &head, &body).await?;
        if heard == Heard::First { first } else { second }
    } else {
        first
    };
    client.get_mut().write_all(&answer).await?;
    Ok(client.get_mut().shutdown().await?)
}

async fn ask(to: u16, head: &[u8], body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
    server.write_all(head).await?;
    server.write_all(body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}
