//! Content flows from its source into an opened file, held against size and hash on the way.

use std::io;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{
    Content, TargetError,
    content::{BLOCK, Reader},
};

/// A source that is held against size and hash while it is read. A short or long source is a fault
/// of the source, and so is a wrong hash where all of it was seen (`offset` 0).
pub(crate) struct Checked<'a> {
    content: &'a Content,
    from: Reader,
    /// `None`: the beginning was not seen.
    hash: Option<Sha256>,
    position: u64,
    block: Vec<u8>,
}

impl<'a> Checked<'a> {
    /// Opens the source at `offset`, in bytes.
    pub(crate) async fn open(content: &'a Content, offset: u64) -> Result<Self, TargetError> {
        let from = content.open(offset).await.map_err(TargetError::source_unreadable)?;
        let hash = (offset == 0).then(Sha256::new);
        Ok(Self { content, from, hash, position: offset, block: vec![0; BLOCK] })
    }

    /// The bytes that come next; `None` once all of them were right.
    pub(crate) async fn next(&mut self) -> Result<Option<&[u8]>, TargetError> {
        let read = self.from.read(&mut self.block).await.map_err(TargetError::source_unreadable)?;
        self.position += read as u64;
        if self.position > self.content.size() {
            return Err(TargetError::source_changed());
        }
        if read > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&self.block[..read]);
            }
            return Ok(Some(&self.block[..read]));
        }
        let found = self.hash.take().map(|hash| <[u8; 32]>::from(hash.finalize()));
        let right = found.is_none_or(|found| found == *self.content.sha256());
        if self.position == self.content.size() && right {
            Ok(None)
        } else {
            Err(TargetError::source_changed())
        }
    }
}

/// Writes `content` from `offset` to its end, see [`Checked`]. `failed` says a write fault in the
/// words of the target.
pub(crate) async fn pump<W: AsyncWrite + Unpin + Send>(
    content: &Content,
    offset: u64,
    into: &mut W,
    failed: impl Fn(io::Error) -> TargetError,
) -> Result<(), TargetError> {
    let mut source = Checked::open(content, offset).await?;
    while let Some(block) = source.next().await? {
        into.write_all(block).await.map_err(&failed)?;
    }
    Ok(())
}
