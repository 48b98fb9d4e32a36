//! The local spool of an ingest node: where call messages lie while JetStream does not take them.
//!
//! # Write order, and what a crash leaves behind
//!
//! 1. A message is accepted (`CallWriter::send`). It is in memory and, if NATS takes messages, on
//!    its way. *Crash:* it may be lost. That is why a message is spooled at once when there is no
//!    connection or JetStream has just failed, and after `ack_timeout` otherwise.
//! 2. JetStream refuses, or is late, or away: the message is appended to the active segment by a
//!    thread of its own, many at a time. *Crash:* the end of the segment may be torn. The torn
//!    record was never called safe; the reader recognises it by length and CRC and stops before it.
//! 3. The segment is synced (`fdatasync`; the folder too when the segment is new). Only now does
//!    the message count as settled. *Crash:* the next run finds and delivers it.
//! 4. It is published from the segment. *Crash:* it is published again by the next run. JetStream
//!    drops the double by its id for two minutes, signer at any time by recording, epoch, number.
//! 5. All messages of a segment are acknowledged: the file is deleted. *Crash before that:* as 4.
//!
//! When a write or sync fails nothing is known about the end of the file any more: the segment ends
//! at its last synced byte and the whole batch is written again, to a new segment. An old segment
//! is never appended to, so each run's torn end stands at the end of a file.
//!
//! Files: `<number, 16 digits>.spool`, mode 0600, in a folder with mode 0700 that one process locks.

mod frame;
mod reader;
mod writer;

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, watch};

pub(crate) use frame::Record;
pub(crate) use reader::SpoolReader;

use crate::{BusError, metrics::Metrics};

/// What waits in memory for a disk that hangs or is full. Beyond it messages are lost: the
/// alternative is that the system kills the process with every call in it.
const QUEUE_MAX_BYTES: u64 = 256 << 20;
const LOCK_FILE: &str = "lock";
const ENDING: &str = "spool";

/// Called with the tickets of messages that have become durable.
type OnDurable = Box<dyn Fn(&[u64]) + Send>;

/// The spool, as publishers see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
}

/// What the writing thread and all others share.
struct Shared {
    dir: PathBuf,
    /// Segments with the length up to which they are synced.
    segments: Mutex<BTreeMap<u64, u64>>,
    /// Counts changes of `segments`.
    changes: watch::Sender<u64>,
    queued_bytes: AtomicU64,
    failing: AtomicBool,
    /// The highest number that an earlier run has left, 0 if none.
    last_old: u64,
    metrics: Metrics,
    /// Held for as long as anybody can write.
    _lock: File,
}

enum Command {
    Append {
        record: Record,
        ticket: u64,
    },
    /// All records of `segment` up to the offset `to` are acknowledged. It is deleted, or, when
    /// `keep` is set because it is damaged, left for a person.
    Acknowledged {
        segment: u64,
        to: u64,
        keep: bool,
    },
}

impl Spool {
    /// Opens the spool in `dir` and starts its thread.
    ///
    /// Errors: the folder cannot be used; another process uses it.
    pub fn open(dir: &Path, metrics: Metrics, on_durable: OnDurable) -> Result<Self, BusError> {
        let failed = || BusError::spool(dir);
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed())?;
        let lock = File::options().create(true).append(true).mode(0o600).open(dir.join(LOCK_FILE));
        let lock = lock.map_err(failed())?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BusError::SpoolInUse { path: dir.to_owned() },
            TryLockError::Error(error) => failed()(error),
        })?;
        let segments = found(dir).map_err(failed())?;
        let last_old = segments.keys().next_back().copied().unwrap_or(0);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            segments: Mutex::new(segments),
            changes: watch::Sender::new(0),
            queued_bytes: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            last_old,
            metrics,
            _lock: lock,
        });
        shared.show_size();
        let (commands, receiver) = mpsc::unbounded_channel();
        let thread = writer::Writer::new(shared.clone(), on_durable);
        std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || thread.run(receiver))
            .map_err(failed())?;
        Ok(Self { shared, commands })
    }

    /// Hands a message to the disk; `ticket` is reported when it is durable. Never blocks.
    /// Error: too much waits for the disk already, the message is given back.
    pub fn append(&self, record: Record, ticket: u64) -> Result<(), Record> {
        let size = record.size();
        if self.shared.queued_bytes.load(Ordering::Relaxed) + size > QUEUE_MAX_BYTES {
            return Err(record);
        }
        self.shared.queued_bytes.fetch_add(size, Ordering::Relaxed);
        match self.commands.send(Command::Append { record, ticket }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendError(Command::Append { record, .. })) => Err(record),
            Err(_) => unreachable!("what was sent comes back"),
        }
    }

    /// Bytes that lie in the spool or wait for it.
    pub fn size_bytes(&self) -> u64 {
        self.shared.size_bytes()
    }

    /// Whether nothing waits for the disk: a reader finds everything.
    pub fn is_written(&self) -> bool {
        self.shared.queued_bytes.load(Ordering::Acquire) == 0
    }

    /// Whether the last write failed.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Waits until all that earlier runs have left is acknowledged.
    pub async fn old_delivered(&self) {
        let mut changes = self.shared.changes.subscribe();
        while self.shared.lock().keys().next().is_some_and(|first| *first <= self.shared.last_old) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Reads what lies in the spool, oldest first. One reader at a time.
    pub fn reader(&self) -> SpoolReader {
        SpoolReader::new(self.shared.clone(), self.commands.downgrade())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.dir.join(format!("{segment:016}.{ENDING}"))
    }

    fn size_bytes(&self) -> u64 {
        self.lock().values().sum::<u64>() + self.queued_bytes.load(Ordering::Relaxed)
    }

    fn show_size(&self) {
        self.metrics.spool_size_bytes.set(self.size_bytes() as i64);
    }

    fn changed(&self) {
        self.show_size();
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Segments in `dir` with their sizes. What is no segment is left alone.
fn found(dir: &Path) -> std::io::Result<BTreeMap<u64, u64>> {
    let mut segments = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = Path::new(&name)
            .extension()
            .filter(|ending| *ending == ENDING)
            .and_then(|_| Path::new(&name).file_stem()?.to_str()?.parse::<u64>().ok());
        if let Some(number) = number {
            segments.insert(number, entry.metadata()?.len());
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests;
