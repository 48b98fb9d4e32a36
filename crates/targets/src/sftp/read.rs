//! Reading a file, many requests under way at once.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use russh_sftp::{client::error::Error as SftpError, protocol::StatusCode};
use tokio_util::io::StreamReader;

use super::channel::OpenFile;
use crate::Reader;

/// Bytes asked for at once: at 30 ms round trip 130 MB/s.
const UNDER_WAY: u64 = 4 << 20;
/// Requests under way at once.
const MOST: u64 = 64;

/// Reads a file of `size` bytes to its end; what has been appended since is not seen.
pub(super) fn reader(file: OpenFile, size: u64) -> Reader {
    Box::pin(StreamReader::new(Box::pin(blocks(file, size))))
}

fn blocks(file: OpenFile, size: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let each = u64::from(file.channel().can().read);
    let file = Arc::new(file);
    let starts = (0..size.div_ceil(each)).map(move |number| number * each);
    let most = (UNDER_WAY / each).clamp(1, MOST) as usize;
    stream::iter(starts)
        .map(move |start| block(Arc::clone(&file), start, each.min(size - start) as usize))
        .buffered(most)
}

/// One block; shorter only where the file ends. A server may give less than was asked for.
async fn block(file: Arc<OpenFile>, start: u64, length: usize) -> io::Result<Bytes> {
    let mut block = BytesMut::new();
    while block.len() < length {
        let missing = u32::try_from(length - block.len()).unwrap_or(u32::MAX);
        let channel = file.channel();
        let reading = channel.raw().read(file.handle(), start + block.len() as u64, missing);
        match channel.answer(reading).await {
            Ok(data) if data.data.is_empty() => break,
            // All of it at once, as nearly always.
            Ok(data) if data.data.len() == length => return Ok(data.data.into()),
            Ok(data) => block.extend_from_slice(&data.data),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => {
                if !matches!(error, SftpError::Status(_)) {
                    channel.gave_up();
                }
                return Err(io::Error::other(error));
            }
        }
    }
    Ok(block.freeze())
}
