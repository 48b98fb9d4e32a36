//! What verification found out.

use std::{collections::BTreeMap, fmt};

use domain::{Lane, RecordingId, TenantId};
use jiff::Timestamp;

use super::{Finding, LogReport};
use crate::{BaseName, ChainProblem, KeyId};

/// A list that keeps its beginning and counts the rest: what is wrong with an archive may be more than
/// fits into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstOf<T> {
    /// The first thousand.
    pub first: Vec<T>,
    /// How many there are beyond them.
    pub more: u64,
}

impl<T> Default for FirstOf<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

impl<T> FirstOf<T> {
    const KEPT: usize = 1000;

    /// Adds one.
    pub fn push(&mut self, one: T) {
        if self.first.len() < Self::KEPT {
            self.first.push(one);
        } else {
            self.more += 1;
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// How many there are, kept or not.
    pub fn count(&self) -> u64 {
        self.first.len() as u64 + self.more
    }

    /// Adds each of `more`.
    pub fn extend(&mut self, more: impl IntoIterator<Item = T>) {
        more.into_iter().for_each(|one| self.push(one));
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        other.first.into_iter().for_each(|one| self.push(one));
    }
}

/// One recording.
#[derive(Debug, Clone)]
pub struct RecordingReport {
    /// Whose files.
    pub recording: RecordingId,
    /// Their base name. Holds numbers.
    pub base: BaseName,
    /// Folder, as [`ArchiveFile::folder`](super::ArchiveFile::folder).
    pub folder: String,
    /// Lane and position, if its info says so reliably.
    pub place: Option<(Lane, u64)>,
    /// The key that signed it, if its signature is good.
    pub signed_by: Option<KeyId>,
    /// What its log proof says.
    pub proof: ProofOutcome,
    /// What its time stamp says.
    pub time_stamp: StampOutcome,
    /// True if it was verified by an earlier run and its files have the same sizes and times since.
    pub verified_before: bool,
    /// What is wrong; nothing: all is well.
    pub findings: Vec<Finding>,
}

/// What became of a `_log-proof.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofOutcome {
    /// There is none.
    Absent,
    /// There is one, and nothing here says which key signs that log.
    NotChecked,
    /// The log held the recording's entry at this time.
    Logged(Timestamp),
    /// It is wrong; the findings say how.
    Wrong,
}

/// What became of a time stamp (RFC 3161).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampOutcome {
    /// There is none.
    Absent,
    /// There is one, and no authority was given to judge it by.
    NotChecked,
    /// It existed at this time, says an authority.
    At(Timestamp),
    /// It is wrong; the findings say how.
    Wrong,
}

/// One lane, in one archive.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// The archive's folder; `None` for recordings in no archive with a log.
    pub archive: Option<String>,
    /// Which lane.
    pub lane: Lane,
    /// How many different recordings of it are here.
    pub recordings: u64,
    /// Positions of the first and the last of them.
    pub positions: (u64, u64),
    /// Starts of the first and the last of them, as far as known.
    pub started: (Option<Timestamp>, Option<Timestamp>),
    /// How many stand before the first one here, and no log says what became of them. They may lie
    /// elsewhere.
    pub missing_before: u64,
    /// What is wrong with the chain.
    pub problems: FirstOf<ChainProblem>,
    /// What the log says of recordings that are not here.
    pub absent: Absences,
    /// Recordings here that have their place after the log's beginning and stand in no entry of it.
    pub not_in_log: FirstOf<RecordingId>,
    /// Recordings here that are older than the log.
    pub before_log: u64,
    /// The tenant's log is here. Without one nothing tells whether the end of the chain was cut off.
    pub has_log: bool,
}

/// Recordings of a lane that the log knows and that are not in this archive.
#[derive(Debug, Clone, Default)]
pub struct Absences {
    /// They were never meant for this archive.
    pub elsewhere: u64,
    /// Their deletion stands in the log.
    pub deleted: FirstOf<Deletion>,
    /// All from the first one on up to some position: retention took them.
    pub expired: Option<Expired>,
    /// Sealed shortly before the archive's log was brought here last, and within the last hour.
    pub on_the_way: u64,
    /// They stand before the first or after the last one here, and only a part of the archive was looked
    /// at ([`PartOf`](super::PartOf)).
    pub outside: u64,
    /// They should be here and are not.
    pub missing: FirstOf<AbsentRecording>,
}

/// A recording that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentRecording {
    /// Which one.
    pub recording: RecordingId,
    /// Its place in the lane.
    pub position: u64,
    /// When its call began.
    pub started: Timestamp,
}

impl fmt::Display for AbsentRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recording, position, started } = self;
        write!(f, "position {position}: recording {recording} of {started:.0}")
    }
}

/// A deletion that stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// What was deleted.
    pub what: AbsentRecording,
    /// When, by the log.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// The beginning of a lane that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// How many.
    pub recordings: u64,
    /// The last one's position.
    pub to_position: u64,
    /// When the last of their calls began.
    pub to: Timestamp,
}

impl LaneReport {
    /// True if nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.absent.missing.is_empty() && self.not_in_log.is_empty()
    }
}

/// A folder that says which target it is, or holds logs.
#[derive(Debug, Clone)]
pub struct ArchiveReport {
    /// Where.
    pub folder: String,
    /// Its logs.
    pub logs: Vec<LogReport>,
    /// What is wrong with it as a whole, and with recordings in the light of its logs.
    pub findings: FirstOf<ArchiveFinding>,
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFinding {
    /// `archive.txt` names the tenant or recordings hold log proofs, and there is no log.
    #[error("the log of tenant {0} is missing: {because}", because = match .1 {
        0 => "archive.txt names the tenant, and with its recordings its log is brought".to_owned(),
        proofs => format!("{proofs} recordings here hold a proof of it"),
    })]
    NoLog(TenantId, u64),
    /// `archive.txt` contradicts itself.
    #[error(
        "archive.txt says that this archive is the target {first} of tenant {tenant}, and the target {second}: an archive is one of them"
    )]
    TwoTargets {
        /// Whose.
        tenant: TenantId,
        /// The one that counts here.
        first: String,
        /// The other one.
        second: String,
    },
    /// A recording differs from its entry.
    #[error(
        "recording {recording}: the log's entry names another {what}: the recording was changed or replaced"
    )]
    Differs {
        /// Which one.
        recording: RecordingId,
        /// What differs.
        what: &'static str,
    },
    /// A recording is in the log and has no proof.
    #[error("recording {0}: its log proof (_log-proof.txt) is missing")]
    NoProof(RecordingId),
    /// It was sealed for other targets.
    #[error("recording {recording} was not meant for this archive ({target}), says the log")]
    NotForThisTarget {
        /// Which one.
        recording: RecordingId,
        /// The archive.
        target: String,
    },
    /// The log says that it was deleted.
    #[error("recording {0} was deleted, says the log, and is here")]
    DeletedAndHere(RecordingId),
}

/// What was found out, all but the recordings one by one.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many recordings there were to verify; copies count.
    pub recordings: u64,
    /// How many of them something is wrong with.
    pub wrong: u64,
    /// How many were taken from the journal of an earlier run.
    pub verified_before: u64,
    /// Files beside recordings that belong to none.
    pub strays: u64,
    /// How many recordings each key signed.
    pub signed_by: BTreeMap<KeyId, u64>,
    /// Log proofs that could not be judged, because no log key is known.
    pub proofs_not_checked: u64,
    /// Time stamps that were good.
    pub stamps_good: u64,
    /// Time stamps that were not judged, because no authority was given.
    pub stamps_not_checked: u64,
    /// One entry a lane and archive.
    pub lanes: Vec<LaneReport>,
    /// One entry an archive that says so, or has logs.
    pub archives: Vec<ArchiveReport>,
    /// Names of logs of which a checkpoint was given, and which are in none of the archives.
    pub logs_not_here: Vec<String>,
    /// Files of deliveries that are under way, or were broken off: no part of the archive yet.
    pub unfinished: u64,
    /// Symbolic links that lead out of what was given: what they lead to does not lie in the archive.
    pub links_out: u64,
}

impl Summary {
    /// True if nothing is wrong. An archive without recordings is not wrong, but see
    /// [`recordings`](Self::recordings).
    pub fn is_good(&self) -> bool {
        self.wrong == 0
            && self.strays == 0
            && self.logs_not_here.is_empty()
            && self.lanes.iter().all(LaneReport::is_good)
            && self.archives.iter().all(ArchiveReport::is_good)
    }
}

impl ArchiveReport {
    /// True if nothing is wrong with its logs and what they say.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.logs.iter().all(LogReport::is_good)
    }
}

/// All of it, for archives that fit into memory.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One entry a recording and folder, by name.
    pub recordings: Vec<RecordingReport>,
    /// Files beside recordings that belong to none: paths as [`ArchiveFile::path`](super::ArchiveFile::path).
    pub strays: Vec<String>,
    /// One entry a lane and archive.
    pub lanes: Vec<LaneReport>,
    /// One entry an archive that says so, or has logs.
    pub archives: Vec<ArchiveReport>,
    /// As [`Summary::logs_not_here`].
    pub logs_not_here: Vec<String>,
    /// As [`Summary::unfinished`].
    pub unfinished: u64,
    /// As [`Summary::links_out`].
    pub links_out: u64,
}

impl Report {
    /// As [`Summary::is_good`].
    pub fn is_good(&self) -> bool {
        self.strays.is_empty()
            && self.logs_not_here.is_empty()
            && self.recordings.iter().all(|recording| recording.findings.is_empty())
            && self.lanes.iter().all(LaneReport::is_good)
            && self.archives.iter().all(ArchiveReport::is_good)
    }
}
