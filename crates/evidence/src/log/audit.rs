//! What the entries of a log say when they are read from the first to the last: what began and never
//! ended, which places of a chain are missing, which keys signed, when nothing was written for too long.
//! Who stopped, listened and deleted is counted; [`AuditNote::of`] tells it entry by entry.
//!
//! Memory grows with calls that are open at one time and with holes, not with the log.

mod finding;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use domain::Class;
use jiff::{SignedDuration, Timestamp};

pub use self::finding::{AuditFinding, AuditNote};
use super::{Access, Entry, KeyChange, LogKey, Outcome, Reference, SealedEntry, SignedCheckpoint, What};
use crate::KeyId;

/// A log says at least once an hour that it is written ([`What::Heartbeat`]). Longer than this, and
/// there was nobody to write: an hour, and what a busy machine may be late.
pub const LONGEST_SILENCE: SignedDuration = SignedDuration::from_mins(75);

/// How often people did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deeds {
    /// Recordings that were stopped.
    pub stopped: u64,
    /// Times that a recording was listened to.
    pub played: u64,
    /// Times that a recording was taken out.
    pub exported: u64,
    /// Deletions.
    pub deleted: u64,
}

/// Reads entries one by one.
#[derive(Debug, Default)]
pub struct Audit {
    entries: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    open: HashMap<Reference, (u64, Timestamp)>,
    chains: BTreeMap<Class, Chain>,
    key: Option<KeyId>,
    /// The entry that named it, and the key.
    log_key: Option<(u64, String)>,
    findings: Vec<AuditFinding>,
    notes: Vec<AuditNote>,
    deeds: Deeds,
}

/// One lane's chain as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// The first position. Above 1: recordings were sealed before there was a log.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many recordings were sealed.
    pub sealed: u64,
    /// Positions that were passed over and have not come since: from, to, and the entry that did so.
    holes: Vec<(u64, u64, u64)>,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// The times of the first and the last of them.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The chains, by class.
    pub chains: BTreeMap<Class, Chain>,
    /// The RSA key that signs now, if the log says so.
    pub key: Option<KeyId>,
    /// The log key that signs now, as [`LogKey::vkey`](super::LogKey::vkey), if the log says so, after the
    /// number of the entry that says it. See [`retired_key`](Self::retired_key).
    pub log_key: Option<(u64, String)>,
    /// What is wrong, by kind and place.
    pub findings: Vec<AuditFinding>,
    /// Changes of keys, and silences, in the order of the log.
    pub notes: Vec<AuditNote>,
    /// What people did.
    pub deeds: Deeds,
}

impl Audit {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads entry `index`; all of them, in their order.
    pub fn add(&mut self, index: u64, entry: &Entry) {
        self.entries += 1;
        if let Some(from) = self.last.filter(|last| entry.at.duration_since(*last) > LONGEST_SILENCE) {
            self.notes.push(AuditNote::Silence { index, from, to: entry.at });
        }
        self.first = Some(self.first.map_or(entry.at, |first| first.min(entry.at)));
        self.last = Some(self.last.map_or(entry.at, |last| last.max(entry.at)));
        match &entry.what {
            What::Started { reference } => {
                self.open.entry(reference.clone()).or_insert((index, entry.at));
            }
            What::Decided { reference, outcome: Outcome::NotRecorded, .. }
            | What::Empty { reference, .. } => {
                self.open.remove(reference);
            }
            What::Sealed(sealed) => {
                self.open.remove(&sealed.reference);
                self.sealed(index, sealed);
            }
            What::Deleted { .. } => self.deeds.deleted += 1,
            What::Stopped { .. } => self.deeds.stopped += 1,
            What::Accessed { how: Access::Played, .. } => self.deeds.played += 1,
            What::Accessed { how: Access::Exported, .. } => self.deeds.exported += 1,
            What::Key(key) => {
                if self.key.is_some() && key.previous != self.key {
                    let (named, expected) = (key.previous, self.key);
                    self.findings.push(AuditFinding::KeyOutOfLine { index, named, expected });
                }
                if self.key.is_some() && key.change == KeyChange::First {
                    self.findings.push(AuditFinding::SecondFirstKey { index, key: key.key_id });
                }
                self.key = Some(key.key_id);
                self.log_key = Some((index, key.log_key.clone()));
                self.notes.extend(AuditNote::of(index, entry));
            }
            What::Decided { .. } | What::Heartbeat => {}
        }
    }

    fn sealed(&mut self, index: u64, sealed: &SealedEntry) {
        if let Some(expected) = self.key.filter(|key| *key != sealed.key_id) {
            let (recording, key) = (sealed.recording, sealed.key_id);
            self.findings.push(AuditFinding::OtherKey { index, recording, key, expected });
        }
        let (class, position, recording) = (sealed.class, sealed.position, sealed.recording);
        let chain = self.chains.entry(class).or_default();
        chain.sealed += 1;
        if chain.sealed == 1 {
            (chain.first, chain.last) = (position, position);
        } else if position > chain.last {
            if position > chain.last + 1 {
                chain.holes.push((chain.last + 1, position - 1, index));
            }
            chain.last = position;
        } else if chain.fill(position) {
            self.findings.push(AuditFinding::OutOfOrder { index, class, position, recording });
        } else {
            self.findings.push(AuditFinding::PositionTwice { index, class, position, recording });
        }
    }

    /// The report. A call that started less than `grace` before `now` may still be under way.
    pub fn finish(mut self, now: Timestamp, grace: Duration) -> AuditReport {
        for (class, chain) in &mut self.chains {
            for (from, to, index) in std::mem::take(&mut chain.holes) {
                self.findings.push(AuditFinding::PositionsMissing { index, class: *class, from, to });
            }
        }
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        let overdue = |at: &Timestamp| now.duration_since(*at) > grace;
        let never_ended = self.open.into_iter().filter(|(_, (_, at))| overdue(at));
        self.findings.extend(never_ended.map(|(reference, (index, at))| AuditFinding::NeverEnded {
            index,
            reference,
            at,
        }));
        self.findings.sort_by_key(AuditFinding::index);
        AuditReport {
            entries: self.entries,
            times: self.first.zip(self.last),
            chains: self.chains,
            key: self.key,
            log_key: self.log_key,
            findings: self.findings,
            notes: self.notes,
            deeds: self.deeds,
        }
    }
}

impl AuditReport {
    /// Whether `newest`, the checkpoint over all the entries, is signed by another key than the one that
    /// the log itself names last: somebody went on signing with a key that was put out of use.
    pub fn retired_key(&self, newest: &SignedCheckpoint) -> Option<AuditFinding> {
        let (index, vkey) = self.log_key.as_ref()?;
        let is_signed = LogKey::parse(vkey).is_ok_and(|key| newest.is_signed_by(&key));
        (!is_signed).then_some(AuditFinding::RetiredLogKey { index: *index, size: newest.checkpoint.size })
    }
}

impl Chain {
    /// Takes `position` out of the holes, if it is in one.
    fn fill(&mut self, position: u64) -> bool {
        let Some(at) = self.holes.iter().position(|(from, to, _)| (*from..=*to).contains(&position)) else {
            return false;
        };
        let (from, to, index) = self.holes.remove(at);
        let rest = [(from, position.saturating_sub(1)), (position.saturating_add(1), to)];
        self.holes
            .extend(rest.into_iter().filter(|(from, to)| from <= to).map(|(from, to)| (from, to, index)));
        true
    }
}
