//! Reading a file, several requests ahead of the reader.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use smb2::FileReader;
use tokio_util::io::StreamReader;

use crate::content::Reader;

/// Bytes of one request.
const BLOCK: u64 = 512 * 1024;
/// Requests under way at once.
const AHEAD: usize = 8;

/// All of an opened file, as long as it was when it was opened. Closed when dropped.
pub(super) fn whole(file: FileReader) -> Reader {
    let (size, file) = (file.size(), Arc::new(file));
    let blocks = stream::iter((0..size).step_by(BLOCK as usize)).map(move |from| {
        let file = Arc::clone(&file);
        async move {
            let length = BLOCK.min(size - from);
            let bytes = file.read_at(from, length).await.map_err(io::Error::other)?;
            // A shorter block that is not the last one would put the others in the wrong place.
            match bytes.len() as u64 == length {
                true => Ok(Bytes::from(bytes)),
                false => Err(io::Error::other(smb2::Error::invalid_data("the file got shorter"))),
            }
        }
    });
    Box::pin(StreamReader::new(blocks.buffered(AHEAD)))
}
