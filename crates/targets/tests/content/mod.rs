//! Content to be stored, and sources that break.

use std::{
    io,
    sync::{Arc, Mutex},
};

use sha2::{Digest as _, Sha256};
use targets::{Content, Reader, Source};
use tokio::io::AsyncReadExt as _;

/// Bytes that repeat nowhere near.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// That many bytes as content.
pub fn content_of(length: usize) -> Content {
    Content::from_bytes(bytes(length))
}

/// A source that breaks off after so many bytes, the first time it is opened.
pub struct Breaking {
    length: usize,
    breaks_after: Mutex<Option<u64>>,
    opened: Arc<Mutex<Vec<u64>>>,
}

impl Breaking {
    /// The source, and the offsets it was opened at.
    pub fn after(length: usize, breaks_after: u64) -> (Arc<Self>, Arc<Mutex<Vec<u64>>>) {
        Self::new(length, Some(breaks_after))
    }

    /// One that does not break.
    #[allow(dead_code, reason = "not every test file needs one")]
    pub fn never(length: usize) -> (Arc<Self>, Arc<Mutex<Vec<u64>>>) {
        Self::new(length, None)
    }

    fn new(length: usize, breaks_after: Option<u64>) -> (Arc<Self>, Arc<Mutex<Vec<u64>>>) {
        let opened = Arc::default();
        (
            Arc::new(Self { length, breaks_after: Mutex::new(breaks_after), opened: Arc::clone(&opened) }),
            opened,
        )
    }
}

#[async_trait::async_trait]
impl Source for Breaking {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        self.opened.lock().unwrap().push(offset);
        let rest = io::Cursor::new(bytes(self.length).split_off(offset as usize));
        Ok(match self.breaks_after.lock().unwrap().take() {
            Some(after) => Box::pin(rest.take(after).chain(Broken)),
            None => Box::pin(rest),
        })
    }
}

struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::Error::other("the disk of staging is broken")))
    }
}

/// The hidden name under which a put of `content` as `name` lies until it is complete.
pub fn unfinished(name: &str, content: &Content) -> String {
    let both = Sha256::new().chain_update(content.sha256()).chain_update(name).finalize();
    format!(".callseal-{}.part", hex::encode(&both[..12]))
}
