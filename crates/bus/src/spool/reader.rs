//! Reads the spool oldest first, also while it is written, and deletes segments that are delivered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use tokio::sync::{mpsc::WeakUnboundedSender, watch};
use tracing::{error, warn};

use super::{
    Command, Record, Shared,
    frame::{MAX_BODY, Mark, SEGMENT_HEADER},
};

/// What is read at once; more than the longest frame.
const CHUNK_BYTES: u64 = 4 << 20;

/// Where reading has come to, and what is still to be acknowledged.
pub(crate) struct SpoolReader {
    shared: Arc<Shared>,
    /// Weak: the writing thread ends when the last publisher is gone, reader or not.
    commands: WeakUnboundedSender<Command>,
    changes: watch::Receiver<u64>,
    progress: BTreeMap<u64, Progress>,
    /// Segments that the disk did not give. They are tried again when all others are read.
    unreadable: BTreeSet<u64>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    read_to: u64,
    outstanding: usize,
    damaged: bool,
}

/// What one read has brought.
struct Chunk {
    records: Vec<Record>,
    read_to: u64,
    damaged: u64,
    torn_bytes: u64,
}

impl SpoolReader {
    pub(super) fn new(shared: Arc<Shared>, commands: WeakUnboundedSender<Command>) -> Self {
        let changes = shared.changes.subscribe();
        Self { shared, commands, changes, progress: BTreeMap::new(), unreadable: BTreeSet::new() }
    }

    /// The next records with the number of their segment; empty if all is read. Each has to be
    /// answered with [`Self::acknowledged`].
    ///
    /// Error: the disk, and all that can be read was read; try again later.
    pub async fn read(&mut self) -> io::Result<(u64, Vec<Record>)> {
        let mut failed = None;
        loop {
            let Some((segment, from, to)) = self.next_range() else {
                let was_unreadable = !std::mem::take(&mut self.unreadable).is_empty();
                return match failed {
                    Some(error) => Err(error),
                    None if was_unreadable => continue,
                    None => Ok((0, Vec::new())),
                };
            };
            let path = self.shared.path(segment);
            let chunk = tokio::task::spawn_blocking(move || read_chunk(&path, from, to)).await;
            let chunk = match chunk.map_err(io::Error::other).and_then(|read| read) {
                Ok(chunk) => chunk,
                Err(error) => {
                    // It must not hold up those behind it.
                    self.unreadable.insert(segment);
                    failed = Some(error);
                    continue;
                }
            };
            self.note_damage(segment, &chunk);
            let progress = self.progress.entry(segment).or_default();
            progress.read_to = chunk.read_to;
            progress.outstanding += chunk.records.len();
            if chunk.records.is_empty() {
                self.delete_if_done(segment);
                continue;
            }
            return Ok((segment, chunk.records));
        }
    }

    /// One record of `segment` is acknowledged.
    pub fn acknowledged(&mut self, segment: u64) {
        if let Some(progress) = self.progress.get_mut(&segment) {
            progress.outstanding = progress.outstanding.saturating_sub(1);
            self.delete_if_done(segment);
        }
    }

    /// Waits until something was written or deleted.
    pub async fn changed(&mut self) {
        // The sender lives in `shared`.
        let _ = self.changes.changed().await;
    }

    /// The first synced bytes that were not read.
    fn next_range(&mut self) -> Option<(u64, u64, u64)> {
        let _ = self.changes.borrow_and_update();
        let segments = self.shared.lock().clone();
        self.progress.retain(|segment, _| segments.contains_key(segment));
        let read_to = |segment| self.progress.get(segment).map_or(0, |p| p.read_to);
        let unread = segments
            .iter()
            .find(|(segment, length)| **length > read_to(segment) && !self.unreadable.contains(segment));
        // An old file without a byte: it was made and not yet written when its process died.
        let empty: Vec<u64> = segments.iter().filter(|(_, length)| **length == 0).map(|(s, _)| *s).collect();
        let range = unread.map(|(segment, length)| (*segment, read_to(segment), *length));
        empty.into_iter().for_each(|segment| self.send_done(segment, 0, false));
        range
    }

    fn delete_if_done(&self, segment: u64) {
        let Some(progress) = self.progress.get(&segment) else { return };
        let length = self.shared.lock().get(&segment).copied();
        if progress.outstanding == 0 && length == Some(progress.read_to) {
            self.send_done(segment, progress.read_to, progress.damaged);
        }
    }

    fn send_done(&self, segment: u64, to: u64, keep: bool) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.send(Command::Acknowledged { segment, to, keep });
        }
    }

    fn note_damage(&mut self, segment: u64, chunk: &Chunk) {
        let old = segment <= self.shared.last_old;
        if chunk.torn_bytes > 0 && old {
            warn!(
                segment,
                bytes = chunk.torn_bytes,
                "the spool ends in a record that was being written when the process died; it is left out"
            );
        }
        let damaged = chunk.damaged + u64::from(chunk.torn_bytes > 0 && !old);
        if damaged > 0 {
            self.progress.entry(segment).or_default().damaged = true;
            self.shared.metrics.spool_damaged.inc_by(damaged);
            error!(
                segment,
                damaged, "the spool is damaged (disk?); records in it are lost, the file is kept as .damaged"
            );
        }
    }
}

fn read_chunk(path: &Path, from: u64, to: u64) -> io::Result<Chunk> {
    let mut file = File::open(path)?;
    let mut header = Vec::with_capacity(SEGMENT_HEADER);
    (&mut file).take(SEGMENT_HEADER as u64).read_to_end(&mut header)?;
    let Some(mark) = Mark::of_header(&header) else {
        // A short header was torn when the segment was made. A whole one was synced: damage.
        let damaged = u64::from(header.len() == SEGMENT_HEADER);
        let torn_bytes = if damaged == 0 { to } else { 0 };
        return Ok(Chunk { records: Vec::new(), read_to: to, damaged, torn_bytes });
    };
    let from = from.max(SEGMENT_HEADER as u64);
    let length = to.saturating_sub(from).min(CHUNK_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    let decoded = mark.decode(&Bytes::from(bytes));
    let used = decoded.used as u64;
    let rest = length - used;
    let (read_to, torn_bytes) = if from + length == to {
        // Behind a synced end nothing can complete the rest.
        (to, rest)
    } else if rest <= MAX_BODY as u64 + 1024 {
        (from + used, 0)
    } else {
        // Longer than any frame: damage that reaches beyond this chunk.
        (from + length - MAX_BODY as u64, rest)
    };
    Ok(Chunk { records: decoded.records, read_to, damaged: decoded.damaged, torn_bytes })
}
