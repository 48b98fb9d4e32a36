//! Content to be stored, and sources that break.

use std::{
    io,
    sync::{Arc, Mutex},
};

use sha2::{Digest as _, Sha256};
use targets::{Content, Kind, Reader, Source, Target};
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

/// Replaces a file many times while it is read: each reader sees one of the contents, whole.
pub async fn replaced_while_read(target: &impl Target) {
    let content = |number: u8| Content::from_bytes(vec![number; 100_000]);
    target.replace("log/acme", "checkpoint", &content(0)).await.unwrap();
    let replacing = async {
        for number in 1..=20 {
            target.replace("log/acme", "checkpoint", &content(number)).await.unwrap();
        }
    };
    let mut seen = 0;
    let reading = async {
        loop {
            let read = read(target, "log/acme", "checkpoint").await.expect("it is missing for a moment");
            assert!(read.len() == 100_000 && read.iter().all(|byte| *byte == read[0]) && read[0] >= seen);
            seen = read[0];
            if seen == 20 {
                return;
            }
        }
    };
    tokio::join!(replacing, reading);
    let again = content(20);
    target.replace("log/acme", "checkpoint", &again).await.unwrap();
    target.verify("log/acme", "checkpoint", again.size(), again.sha256()).await.unwrap();
}

/// All of a file; `None` if there is none.
pub async fn read(target: &impl Target, folder: &str, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    target.open(folder, name).await.unwrap()?.read_to_end(&mut bytes).await.unwrap();
    Some(bytes)
}

/// Lists `calls`, in which lie `a b+c.wav` of 300 bytes, a link to it, a folder, a link to a folder, and
/// something unfinished.
pub async fn listed(target: &impl Target) {
    let mut listed = target.list("calls").await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!(names, ["2026", "a b+c.wav", "link.wav"]);
    assert_eq!(listed[0].kind, Kind::Folder);
    for listed in &listed[1..] {
        assert!(matches!(listed.kind, Kind::File { size: 300, modified: Some(_) }), "{listed:?}");
    }
    assert_eq!(target.list("").await.unwrap().len(), 1);
    assert!(target.list("not/there").await.unwrap().is_empty());
    assert_eq!(read(target, "calls", "a b+c.wav").await.unwrap(), bytes(300));
    assert_eq!(read(target, "calls", "not there.wav").await, None);
    assert_eq!(read(target, "not/there", "a.wav").await, None);
}
