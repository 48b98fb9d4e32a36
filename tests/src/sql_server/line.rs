//! A connection of TDS as its server sees it: packets (MS-TDS 2.2.3), and TLS around them or inside of them.

use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

use rustls::{ServerConfig, ServerConnection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Bytes of a packet's header, and of a whole packet as every client takes it.
const HEADER: usize = 8;
const PACKET: usize = 4096;

/// Kinds of packets (2.2.3.1.1).
pub mod kind {
    pub const BATCH: u8 = 1;
    pub const RPC: u8 = 3;
    pub const ANSWER: u8 = 4;
    pub const ATTENTION: u8 = 6;
    pub const TRANSACTION: u8 = 14;
    pub const LOGIN: u8 = 16;
    pub const SSPI: u8 = 17;
    pub const PRELOGIN: u8 = 18;
}

/// The status of a message's last packet.
const END: u8 = 1;

/// A client's connection.
pub struct Line {
    tcp: TcpStream,
    tls: Option<ServerConnection>,
    /// What has come in the clear, or was decrypted, and nobody has read yet.
    incoming: Vec<u8>,
}

/// A fault of the client's.
pub fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Line {
    pub const fn new(tcp: TcpStream) -> Self {
        Self { tcp, tls: None, incoming: Vec::new() }
    }

    /// Whether what the client says first is the beginning of a handshake.
    pub async fn begins_with_tls(&self) -> io::Result<bool> {
        let mut first = [0];
        Ok(self.tcp.peek(&mut first).await? == 1 && first == [0x16])
    }

    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// TDS 8.0: TLS comes first, and says that TDS is inside.
    pub async fn secure_first(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        self.tls = Some(ServerConnection::new(config).map_err(io::Error::other)?);
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.fill().await?;
            self.flush().await?;
        }
        match self.tls.as_ref().and_then(|tls| tls.alpn_protocol()) {
            Some(b"tds/8.0") => Ok(()),
            _ => Err(broken("TLS without the protocol tds/8.0")),
        }
    }

    /// TLS after PRELOGIN: the messages of the handshake are bodies of packets of that kind (2.2.6.5).
    pub async fn secure_inside(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            let (kind, _, body) = self.packet().await?;
            if kind != kind::PRELOGIN {
                return Err(broken("a packet of another kind amid the handshake"));
            }
            let mut rest = &body[..];
            let mut done = Ok(());
            while !rest.is_empty() && done.is_ok() {
                tls.read_tls(&mut rest)?;
                done = tls.process_new_packets().map(drop).map_err(io::Error::other);
            }
            let mut said = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut said)?;
            }
            if !said.is_empty() {
                self.send(kind::PRELOGIN, &said).await?;
            }
            done?;
        }
        self.tls = Some(tls);
        let early = std::mem::take(&mut self.incoming);
        self.take_in(&early)
    }

    /// What follows goes in the clear again: only the login was to be encrypted.
    pub fn unsecure(&mut self) {
        self.tls = None;
    }

    /// The next message: its kind, and the bodies of its packets.
    pub async fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut message = Vec::new();
        loop {
            let (kind, status, body) = self.packet().await?;
            message.extend(body);
            if status & END == END {
                return Ok((kind, message));
            }
        }
    }

    async fn packet(&mut self) -> io::Result<(u8, u8, Vec<u8>)> {
        while self.incoming.len() < HEADER {
            self.fill().await?;
        }
        let (kind, status) = (self.incoming[0], self.incoming[1]);
        let length = usize::from(u16::from_be_bytes([self.incoming[2], self.incoming[3]]));
        if !(HEADER..=PACKET).contains(&length) {
            return Err(broken("a packet of another length than was agreed on"));
        }
        while self.incoming.len() < length {
            self.fill().await?;
        }
        let packet: Vec<u8> = self.incoming.drain(..length).collect();
        Ok((kind, status, packet[HEADER..].to_vec()))
    }

    /// Sends a message.
    pub async fn send(&mut self, kind: u8, message: &[u8]) -> io::Result<()> {
        let parts = message.chunks(PACKET - HEADER);
        let (count, mut packets) = (parts.len(), Vec::new());
        for (number, part) in parts.enumerate() {
            let status = if number + 1 == count { END } else { 0 };
            let [high, low] = ((HEADER + part.len()) as u16).to_be_bytes();
            packets.extend([kind, status, high, low, 0, 51, (number + 1) as u8, 0]);
            packets.extend(part);
        }
        match &mut self.tls {
            None => self.tcp.write_all(&packets).await,
            Some(tls) => {
                tls.set_buffer_limit(None);
                tls.writer().write_all(&packets)?;
                self.flush().await
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let mut block = vec![0; 16 * 1024];
        let read = self.tcp.read(&mut block).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = self.take_in(&block[..read]);
        if taken.is_err() {
            // What TLS thinks of it.
            self.flush().await?;
        }
        taken
    }

    fn take_in(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            self.incoming.extend(bytes);
            return Ok(());
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut plain)?;
            self.incoming.extend(plain);
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut said = Vec::new();
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut said)?;
            }
        }
        self.tcp.write_all(&said).await
    }
}
