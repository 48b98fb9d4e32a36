//! Content flows from its source into an opened file, held against size and hash on the way.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Content, Reader, TargetError, content::BLOCK};

/// Writes `content` from `offset` to its end. A short or long source is a fault of the source, and
/// so is a wrong hash where all of it was seen (`offset` 0). `failed` says a write fault in the
/// words of the target.
pub(crate) async fn pump<W: AsyncWrite + Unpin + Send>(
    content: &Content,
    offset: u64,
    into: &mut W,
    failed: impl Fn(io::Error) -> TargetError,
) -> Result<(), TargetError> {
    let mut blocks = Blocks::open(content, offset).await?;
    while let Some(block) = blocks.next().await? {
        into.write_all(&block).await.map_err(&failed)?;
    }
    Ok(())
}

/// Content block by block, held against size and hash as by [`pump`].
pub(crate) struct Blocks<'a> {
    content: &'a Content,
    from: Reader,
    hash: Sha256,
    offset: u64,
    position: u64,
}

impl<'a> Blocks<'a> {
    /// From `offset` (bytes) to the end.
    pub(crate) async fn open(content: &'a Content, offset: u64) -> Result<Self, TargetError> {
        let from = content.open(offset).await.map_err(TargetError::source_unreadable)?;
        Ok(Self { content, from, hash: Sha256::new(), offset, position: offset })
    }

    /// The next block, never empty; `None` at the end, if all of it was as it should be.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TargetError> {
        let left = self.content.size().saturating_sub(self.position);
        // One byte more than there should be, to see whether there is.
        let room = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK - 1) + 1;
        let mut block = BytesMut::with_capacity(room).limit(room);
        let read = self.from.read_buf(&mut block).await.map_err(TargetError::source_unreadable)?;
        let block = block.into_inner();
        self.position += read as u64;
        if self.position > self.content.size() {
            return Err(TargetError::source_changed());
        }
        if read > 0 {
            self.hash.update(&block);
            return Ok(Some(block.freeze()));
        }
        let hash = <[u8; 32]>::from(std::mem::take(&mut self.hash).finalize());
        let whole = self.offset > 0 || hash == *self.content.sha256();
        if self.position == self.content.size() && whole {
            Ok(None)
        } else {
            Err(TargetError::source_changed())
        }
    }
}
