//! What is to be stored: size, hash, and a source that can be opened again and again.

use std::{io, pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::pace::{self, Pace};

/// A SHA-256, 32 bytes.
pub type Digest = [u8; 32];

/// An opened source.
pub type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// Where content comes from. It is opened once for each attempt.
#[async_trait]
pub trait Source: Send + Sync {
    /// Opens it at `offset` (bytes from the beginning).
    ///
    /// # Errors
    /// It cannot be read.
    async fn open(&self, offset: u64) -> io::Result<Reader>;

    /// Opens it at `offset` to be read on this machine alone, for its hashes: no pace holds that.
    ///
    /// # Errors
    /// It cannot be read.
    async fn look(&self, offset: u64) -> io::Result<Reader> {
        self.open(offset).await
    }
}

/// What an unfinished put needs to go on after a restart, kept durably by whoever puts: an upload
/// URL, the id of a multipart upload. It may be a credential: it is stored like one and shown nowhere.
#[async_trait]
pub trait Bookmark: Send + Sync {
    /// What was kept last; `None`: nothing, or it was forgotten.
    async fn load(&self) -> Option<String>;

    /// Keeps `text`, or forgets what was kept. What cannot be kept costs an upload from the start.
    async fn keep(&self, text: Option<&str>);
}

/// No memory: an interrupted put starts over, as far as the target itself does not remember.
struct Forgetful;

#[async_trait]
impl Bookmark for Forgetful {
    async fn load(&self) -> Option<String> {
        None
    }

    async fn keep(&self, _text: Option<&str>) {}
}

/// A file's content on its way to a target.
#[derive(Clone)]
pub struct Content {
    size: u64,
    sha256: Digest,
    source: Arc<dyn Source>,
    bookmark: Arc<dyn Bookmark>,
    kept_until: Option<Timestamp>,
}

impl Content {
    /// Content of `size` bytes with this SHA-256; what `source` yields is held against both.
    pub fn new(size: u64, sha256: Digest, source: Arc<dyn Source>) -> Self {
        Self { size, sha256, source, bookmark: Arc::new(Forgetful), kept_until: None }
    }

    /// The same content, whose put goes on after a restart where `bookmark` says.
    #[must_use]
    pub fn with_bookmark(self, bookmark: Arc<dyn Bookmark>) -> Self {
        Self { bookmark, ..self }
    }

    /// The same content, which a storage with locks keeps from being removed until then.
    #[must_use]
    pub fn keep_until(self, until: Timestamp) -> Self {
        Self { kept_until: Some(until), ..self }
    }

    /// The same content, read at this pace.
    #[must_use]
    pub fn paced(self, pace: Arc<Pace>) -> Self {
        Self { source: Arc::new(Held { source: self.source, pace }), ..self }
    }

    /// Content that is in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (size, sha256) = (bytes.len() as u64, Sha256::digest(&bytes).into());
        Self::new(size, sha256, Arc::new(InMemory(bytes)))
    }

    /// Size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of all of it.
    pub const fn sha256(&self) -> &Digest {
        &self.sha256
    }

    /// Until when a storage with locks keeps it from being removed; `None`: as it does by itself.
    pub const fn kept_until(&self) -> Option<Timestamp> {
        self.kept_until
    }

    /// Where a put of it left off.
    pub fn bookmark(&self) -> &dyn Bookmark {
        &*self.bookmark
    }

    /// Opens the source at `offset`.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(&self, offset: u64) -> io::Result<Reader> {
        self.source.open(offset).await
    }

    /// Opens the source at `offset` for its hashes; see [`Source::look`].
    pub(crate) async fn look(&self, offset: u64) -> io::Result<Reader> {
        self.source.look(offset).await
    }
}

/// A source that is read at a pace.
struct Held {
    source: Arc<dyn Source>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Source for Held {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        Ok(self.pace.hold(self.source.open(offset).await?))
    }

    async fn look(&self, offset: u64) -> io::Result<Reader> {
        self.source.look(offset).await
    }
}

struct InMemory(Bytes);

#[async_trait]
impl Source for InMemory {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        Ok(Box::pin(io::Cursor::new(self.0.slice(from..))))
    }
}

/// Bytes read or written at once.
pub(crate) const BLOCK: usize = 256 * 1024;

/// Size and SHA-256 of everything that `reader` yields.
pub(crate) async fn measure(reader: Reader) -> io::Result<(u64, Digest)> {
    let mut reader = pace::reading_back(reader);
    let (mut hash, mut size, mut block) = (Sha256::new(), 0, vec![0; BLOCK]);
    loop {
        let read = reader.read(&mut block).await?;
        if read == 0 {
            return Ok((size, hash.finalize().into()));
        }
        hash.update(&block[..read]);
        size += read as u64;
    }
}
