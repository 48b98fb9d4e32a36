//! Content flows from its source block by block, held against size and hash on the way.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncReadExt as _, sync::mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::{Content, Digest, Reader, TargetError, content::BLOCK};

/// Content longer than this is read and hashed by a task of its own, ahead of whoever sends it.
const LONG: u64 = 1 << 20;
/// How many blocks that task is ahead.
const AHEAD: usize = 4;

/// Content block by block. A short or long source is a fault of the source, and so is a wrong hash where all of it
/// was seen (offset 0).
pub(crate) struct Blocks(Way);

enum Way {
    Here(Checked),
    /// What the task has read: blocks, then `None`, or what was wrong. It ends when this is dropped.
    Ahead {
        read: mpsc::Receiver<Result<Option<Bytes>, TargetError>>,
        _reading: AbortOnDropHandle<()>,
    },
}

impl Blocks {
    /// From `offset` (bytes) to the end.
    pub(crate) async fn open(content: &Content, offset: u64) -> Result<Self, TargetError> {
        let mut checked = Checked::open(content, offset).await?;
        if content.size().saturating_sub(offset) <= LONG {
            return Ok(Self(Way::Here(checked)));
        }
        let (into, read) = mpsc::channel(AHEAD);
        let reading = tokio::spawn(async move {
            loop {
                let next = checked.next().await;
                let over = !matches!(next, Ok(Some(_)));
                if into.send(next).await.is_err() || over {
                    return;
                }
            }
        });
        Ok(Self(Way::Ahead { read, _reading: AbortOnDropHandle::new(reading) }))
    }

    /// The next block, never empty; `None` at the end, if all of it was as it should be.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TargetError> {
        match &mut self.0 {
            Way::Here(checked) => checked.next().await,
            // A task that is gone without a last word has not read all of it.
            Way::Ahead { read, .. } => read.recv().await.unwrap_or_else(|| {
                Err(TargetError::source_unreadable(io::Error::other("reading it was broken off")))
            }),
        }
    }
}

/// An opened source with what has been seen of it.
struct Checked {
    from: Reader,
    size: u64,
    sha256: Digest,
    hash: Sha256,
    offset: u64,
    position: u64,
}

impl Checked {
    async fn open(content: &Content, offset: u64) -> Result<Self, TargetError> {
        let from = content.open(offset).await.map_err(TargetError::source_unreadable)?;
        let (size, sha256) = (content.size(), *content.sha256());
        Ok(Self { from, size, sha256, hash: Sha256::new(), offset, position: offset })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, TargetError> {
        let left = self.size.saturating_sub(self.position);
        // One byte more than there should be, to see whether there is.
        let room = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK - 1) + 1;
        let mut block = BytesMut::with_capacity(room).limit(room);
        let read = self.from.read_buf(&mut block).await.map_err(TargetError::source_unreadable)?;
        let block = block.into_inner();
        self.position += read as u64;
        if self.position > self.size {
            return Err(TargetError::source_changed());
        }
        if read > 0 {
            self.hash.update(&block);
            return Ok(Some(block.freeze()));
        }
        let hash = <[u8; 32]>::from(std::mem::take(&mut self.hash).finalize());
        let whole = self.offset > 0 || hash == self.sha256;
        if self.position == self.size && whole { Ok(None) } else { Err(TargetError::source_changed()) }
    }
}
