//! Content flows from its source into an opened file, held against size and hash on the way.

use std::io;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Content, TargetError, content::BLOCK};

/// Writes `content` from `offset` to its end. A short or long source is a fault of the source, and
/// so is a wrong hash where all of it was seen (`offset` 0). `failed` says a write fault in the
/// words of the target.
pub(crate) async fn pump<W: AsyncWrite + Unpin + Send>(
    content: &Content,
    offset: u64,
    into: &mut W,
    failed: impl Fn(io::Error) -> TargetError,
) -> Result<(), TargetError> {
    let mut from = content.open(offset).await.map_err(TargetError::source_unreadable)?;
    let (mut hash, mut position, mut block) = (Sha256::new(), offset, vec![0; BLOCK]);
    loop {
        let read = from.read(&mut block).await.map_err(TargetError::source_unreadable)?;
        if read == 0 {
            break;
        }
        position += read as u64;
        if position > content.size() {
            return Err(TargetError::source_changed());
        }
        hash.update(&block[..read]);
        into.write_all(&block[..read]).await.map_err(&failed)?;
    }
    let whole = offset > 0 || <[u8; 32]>::from(hash.finalize()) == *content.sha256();
    if position == content.size() && whole { Ok(()) } else { Err(TargetError::source_changed()) }
}
