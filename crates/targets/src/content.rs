//! What is to be stored: size, hash, and a source that can be opened again and again.

use std::{io, pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

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
}

/// A file's content on its way to a target.
#[derive(Clone)]
pub struct Content {
    size: u64,
    sha256: Digest,
    source: Arc<dyn Source>,
}

impl Content {
    /// Content of `size` bytes with this SHA-256; what `source` yields is held against both.
    pub fn new(size: u64, sha256: Digest, source: Arc<dyn Source>) -> Self {
        Self { size, sha256, source }
    }

    /// Content that is in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (size, sha256) = (bytes.len() as u64, Sha256::digest(&bytes).into());
        Self { size, sha256, source: Arc::new(InMemory(bytes)) }
    }

    /// Size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of all of it.
    pub const fn sha256(&self) -> &Digest {
        &self.sha256
    }

    /// Opens the source at `offset`.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(&self, offset: u64) -> io::Result<Reader> {
        self.source.open(offset).await
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
pub(crate) async fn measure(mut reader: Reader) -> io::Result<(u64, Digest)> {
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
