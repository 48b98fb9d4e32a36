//! The thread that writes and deletes segments. See the write order in the module above.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{error, info, warn};

use super::{
    Command, OnDurable, Record, Shared,
    frame::{Mark, SEGMENT_HEADER},
};

/// A segment that has reached this length gets no more.
const SEGMENT_BYTES: u64 = 16 << 20;
/// What is written and synced at once.
const BATCH_BYTES: u64 = 8 << 20;
const BATCH_RECORDS: usize = 2_048;
const RETRY_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Writer {
    shared: Arc<Shared>,
    on_durable: OnDurable,
    active: Option<Active>,
    next_segment: u64,
    /// Came while the disk took nothing; before whatever comes now.
    waiting: VecDeque<Command>,
}

struct Active {
    number: u64,
    file: File,
    mark: Mark,
    /// Synced length.
    length: u64,
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    tickets: Vec<u64>,
    bytes: u64,
    acknowledged: Vec<(u64, u64, bool)>,
}

impl Batch {
    fn add(&mut self, command: Command) {
        match command {
            Command::Append { record, ticket } => {
                self.bytes += record.size();
                self.records.push(record);
                self.tickets.push(ticket);
            }
            Command::Acknowledged { segment, to, keep } => self.acknowledged.push((segment, to, keep)),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS
    }
}

impl Writer {
    pub fn new(shared: Arc<Shared>, on_durable: OnDurable) -> Self {
        let next_segment = shared.last_old + 1;
        Self { shared, on_durable, active: None, next_segment, waiting: VecDeque::new() }
    }

    /// Works until nobody can send any more, then ends with everything written.
    pub fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        while let Some(first) = self.waiting.pop_front().or_else(|| commands.blocking_recv()) {
            let mut batch = Batch::default();
            batch.add(first);
            while !batch.is_full() {
                let Some(command) = self.waiting.pop_front().or_else(|| commands.try_recv().ok()) else {
                    break;
                };
                batch.add(command);
            }
            self.write(&mut batch, &mut commands);
            self.delete_acknowledged(&mut batch);
        }
    }

    fn delete_acknowledged(&mut self, batch: &mut Batch) {
        for (segment, to, keep) in batch.acknowledged.drain(..) {
            self.delete(segment, to, keep);
        }
    }

    /// Deletes what was delivered although nothing can be written: on a full disk nothing else makes
    /// room.
    fn make_room(&mut self, batch: &mut Batch, commands: &mut UnboundedReceiver<Command>) {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Append { .. } => self.waiting.push_back(command),
                Command::Acknowledged { segment, to, keep } => batch.acknowledged.push((segment, to, keep)),
            }
        }
        self.delete_acknowledged(batch);
    }

    /// Writes until it succeeds.
    fn write(&mut self, batch: &mut Batch, commands: &mut UnboundedReceiver<Command>) {
        if batch.records.is_empty() {
            return;
        }
        while let Err(problem) = self.try_write(&batch.records) {
            if !self.shared.failing.swap(true, Ordering::Relaxed) {
                error!(error = %problem, "the spool cannot be written; trying on, new calls are refused");
            }
            // Its end is unknown now. What was synced stays readable.
            if let Some(broken) = self.active.take() {
                let _ = broken.file.set_len(broken.length);
            }
            self.make_room(batch, commands);
            thread::sleep(RETRY_PAUSE);
        }
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            info!("the spool can be written again");
        }
        self.shared.metrics.spooled_records.inc_by(batch.records.len() as u64);
        self.shared.metrics.spooled_bytes.inc_by(batch.bytes);
        // Released after the segment has grown: see `Spool::is_written`.
        self.shared.queued_bytes.fetch_sub(batch.bytes, Ordering::Release);
        self.shared.changed();
        (self.on_durable)(&batch.tickets);
    }

    fn try_write(&mut self, records: &[Record]) -> io::Result<()> {
        let active = match &mut self.active {
            Some(active) if active.length < SEGMENT_BYTES => active,
            slot => slot.insert(create(&self.shared, &mut self.next_segment)?),
        };
        let mut bytes = Vec::new();
        records.iter().for_each(|record| active.mark.encode(record, &mut bytes));
        active.file.write_all(&bytes)?;
        active.file.sync_data()?;
        // What nobody can open any more is not safe, however well it is synced.
        if active.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "somebody has deleted the segment"));
        }
        active.length += bytes.len() as u64;
        self.shared.lock().insert(active.number, active.length);
        Ok(())
    }

    /// Deletes `segment` if it holds nothing beyond `to`.
    fn delete(&mut self, segment: u64, to: u64, keep: bool) {
        if self.shared.lock().get(&segment).is_none_or(|length| *length > to) {
            return;
        }
        if self.active.as_ref().is_some_and(|active| active.number == segment) {
            self.active = None;
        }
        let path = self.shared.path(segment);
        let gone =
            if keep { fs::rename(&path, path.with_extension("damaged")) } else { fs::remove_file(&path) };
        match gone {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
                // It would be sent again by the next run: doubles, nothing worse.
                warn!(segment, error = %problem, "a delivered spool segment cannot be deleted");
            }
            _ => {}
        }
        self.shared.lock().remove(&segment);
        self.shared.changed();
    }
}

fn create(shared: &Shared, next_segment: &mut u64) -> io::Result<Active> {
    let number = *next_segment;
    // Taken even if the rest fails: a number is never used twice.
    *next_segment += 1;
    let path = shared.path(number);
    let mut file = File::options().create_new(true).append(true).mode(0o600).open(&path)?;
    let mark = Mark::random();
    let begun = file
        .write_all(&mark.header())
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(&shared.dir)?.sync_all());
    if let Err(problem) = begun {
        // Each further try makes another one.
        let _ = fs::remove_file(&path);
        return Err(problem);
    }
    Ok(Active { number, file, mark, length: SEGMENT_HEADER as u64 })
}
