//! Look, decide, remember, sign: one step for each log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use evidence::log::{
    LogKey,
    witness::{AddCheckpoint, Refusal, Submitted, answer},
};
use jiff::Timestamp;

use super::{CosigningKey, Seen, Store, StoreError};

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Signature lines.
    Cosigned(Vec<u8>),
    /// Nothing, and why.
    Refused(Refusal),
    /// Nothing, since it could not be remembered. The log asks again.
    NotStored,
}

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness {
    store: Store,
    key: CosigningKey,
    logs: Vec<LogKey>,
    /// By origin. Who holds the lock decides and remembers; so nobody else's tree comes in between
    /// (C2SP tlog-witness, "the following race can occur").
    seen: BTreeMap<String, Mutex<Option<Seen>>>,
}

impl Witness {
    /// Cosigns for the logs with these keys; several keys of one name are one log's.
    ///
    /// # Errors
    /// What was cosigned for one of them cannot be read: without it nothing can be decided.
    pub fn new(store: Store, key: CosigningKey, logs: Vec<LogKey>) -> Result<Self, StoreError> {
        let mut seen = BTreeMap::new();
        for log in &logs {
            seen.insert(log.name.clone(), Mutex::new(store.last(&log.name, key.public())?));
        }
        Ok(Self { store, key, logs, seen })
    }

    /// The key it signs with.
    pub const fn key(&self) -> &CosigningKey {
        &self.key
    }

    /// The logs it knows.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.seen.keys().map(String::as_str)
    }

    /// The newest checkpoint that it cosigned for a log, with its cosignature.
    pub fn newest(&self, origin: &str) -> Option<Vec<u8>> {
        let seen = self.seen.get(origin)?.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|seen| seen.note.clone())
    }

    /// Decides about the body of an `add-checkpoint`. Writes to the disk, so it blocks.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answered {
        let submitted = AddCheckpoint::parse(body)
            .and_then(|request| request.submitted(&self.logs).map(|submitted| (request, submitted)));
        let (request, submitted) = match submitted {
            Ok(both) => both,
            Err(refusal) => {
                tracing::info!(reason = %refusal, "refused");
                return Answered::Refused(refusal);
            }
        };
        let Some(seen) = self.seen.get(&submitted.origin) else {
            return Answered::Refused(Refusal::UnknownLog);
        };
        // A thread that panicked changed nothing: what is behind the lock is replaced as a whole.
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.look_for_fork(&request, &submitted, seen.as_ref());
        if let Err(refusal) = request.continues(submitted.head, seen.as_ref().map(|seen| seen.head)) {
            let Submitted { origin, head, .. } = &submitted;
            tracing::info!(log = origin, size = head.size, reason = %refusal, "refused");
            return Answered::Refused(refusal);
        }
        let cosignature = self.key.cosign(&submitted.body, Timestamp::now());
        let lines = answer(std::slice::from_ref(&cosignature));
        let note = [&*own_lines(&request.checkpoint, &self.logs), &*lines].concat();
        if let Err(error) = self.store.remember(&submitted.origin, &note) {
            tracing::error!(%error, cause = ?std::error::Error::source(&error), "not cosigned");
            return Answered::NotStored;
        }
        tracing::info!(log = submitted.origin, size = submitted.head.size, "cosigned");
        *seen = Some(Seen { head: submitted.head, note });
        Answered::Cosigned(lines)
    }

    /// Two checkpoints of one size and with two roots, both signed by the log: whatever else the request
    /// says, that is a proof against the log.
    fn look_for_fork(&self, request: &AddCheckpoint, submitted: &Submitted, seen: Option<&Seen>) {
        let Submitted { origin, head, .. } = submitted;
        let contradicts = |seen: &&Seen| seen.head.size == head.size && seen.head.root != head.root;
        let Some(seen) = seen.filter(contradicts) else { return };
        for (head, note) in [(seen.head, &seen.note), (*head, &request.checkpoint)] {
            let kept = self.store.keep_fork(origin, head, note);
            let kept = kept.ok().flatten().map(|path| path.display().to_string());
            tracing::error!(
                log = origin,
                size = head.size,
                kept,
                "the log signed two different trees of this size: it was rewritten. Keep these files"
            );
        }
    }
}

/// The checkpoint with the signature lines of its log alone: others' lines were not judged.
fn own_lines(note: &[u8], logs: &[LogKey]) -> Vec<u8> {
    let text = String::from_utf8_lossy(note);
    let Some((body, lines)) = text.rsplit_once("\n\n") else { return note.to_vec() };
    let of_log = |line: &&str| logs.iter().any(|log| line.starts_with(&format!("\u{2014} {} ", log.name)));
    let lines: String = lines.split_inclusive('\n').filter(of_log).collect();
    format!("{body}\n\n{lines}").into_bytes()
}
