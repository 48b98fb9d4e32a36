//! What verification found out about one log, in words for an auditor.

use std::{collections::BTreeSet, fmt};

use domain::{RecordingId, TenantId};
use jiff::Timestamp;

use super::super::FirstOf;
use crate::{
    Sha256Hash,
    log::{
        LogProblem,
        audit::{AuditFinding, AuditNote, Deeds},
    },
    timestamp::TimeStampError,
};

/// The log of one tenant.
#[derive(Debug, Clone)]
pub struct LogReport {
    /// Whose.
    pub tenant: TenantId,
    /// The target that the archive is for this tenant, if that is known.
    pub target: Option<String>,
    /// Its name and newest believable checkpoint; `None`: there is none.
    pub head: Option<LogHead>,
    /// Times of the first and the last entry.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many of the given checkpoints it continues.
    pub continues: u64,
    /// Time stamps of its checkpoints.
    pub stamps: Stamps,
    /// What is wrong.
    pub findings: FirstOf<LogFinding>,
    /// Keys that came into use, and times in which nothing was written.
    pub notes: Vec<AuditNote>,
    /// How often somebody stopped, listened or deleted.
    pub deeds: Deeds,
    /// The targets that recordings were ever sealed for.
    pub targets: BTreeSet<String>,
    /// Recordings here that are newer than the log that lies here.
    pub newer_than_log: u64,
}

/// The newest checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The hash over all of them.
    pub root: Sha256Hash,
    /// Signatures beside the log's own: of witnesses, judged or not.
    pub cosignatures: usize,
    /// Which of the given witnesses cosigned it, and when.
    pub witnessed: Vec<(String, Timestamp)>,
}

/// Time stamps (RFC 3161) of checkpoints.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// How many are good.
    pub good: u64,
    /// How many were not judged, because no authority was given.
    pub not_checked: u64,
    /// The newest good one: number of entries, time, authority.
    pub newest: Option<(u64, Timestamp, String)>,
}

/// What is wrong with a log, or with the archive in its light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFinding {
    /// With the log itself.
    Log(LogProblem),
    /// A call or a chain that the log does not tell to its end.
    Audit(AuditFinding),
    /// It does not continue a checkpoint that was given.
    Given(LogProblem),
    /// A witness whose cosignature was wanted did not cosign the newest checkpoint.
    NotWitnessed(String),
    /// Fewer of the given witnesses than wanted cosigned the newest checkpoint.
    TooFewWitnesses {
        /// So many did.
        got: usize,
        /// So many should.
        wanted: usize,
        /// The names of those who did not.
        missing: Vec<String>,
    },
    /// A recording's proof holds a checkpoint that the log signed and does not continue.
    ProofContradicts {
        /// Whose proof.
        recording: RecordingId,
        /// The number of entries in its checkpoint.
        size: u64,
    },
    /// The archive is said to be a target that no recording was ever sealed for.
    UnknownTarget {
        /// What it is said to be.
        name: String,
        /// The targets that the logs here name.
        named: BTreeSet<String>,
    },
    /// A recording's proof holds a larger log than the one here, and was made long after that one's last
    /// entry.
    ProofIsNewer {
        /// Whose proof.
        recording: RecordingId,
        /// The number of entries in its checkpoint.
        had: u64,
        /// The number of entries here.
        has: u64,
    },
    /// A time stamp proves nothing.
    BadTimeStamp {
        /// Its file.
        path: String,
        /// Why.
        error: TimeStampError,
    },
    /// The checkpoint that a time stamp is for is not there.
    StampedCheckpointMissing {
        /// The number of entries in it.
        size: u64,
    },
    /// An entry claims a time before the one at which an authority saw the log without it.
    Backdated {
        /// The entry.
        index: u64,
        /// Its time.
        at: Timestamp,
        /// When the log did not have it yet.
        stamped: Timestamp,
    },
    /// An entry claims a time after the one at which an authority saw it.
    Postdated {
        /// The entry.
        index: u64,
        /// Its time.
        at: Timestamp,
        /// When the log had it already.
        stamped: Timestamp,
    },
}

impl fmt::Display for LogFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(problem) => problem.fmt(f),
            Self::Audit(finding) => finding.fmt(f),
            Self::Given(problem) => write!(f, "compared with the checkpoint given: {problem}"),
            Self::NotWitnessed(name) => {
                write!(f, "the newest checkpoint is not cosigned by the witness {name}")
            }
            Self::TooFewWitnesses { got, wanted, missing } => write!(
                f,
                "the newest checkpoint is cosigned by {got} of the {wanted} witnesses that have to: not by {}",
                missing.join(", ")
            ),
            Self::ProofContradicts { recording, size } => write!(
                f,
                "the log was forked: the proof of recording {recording} holds another signed checkpoint of {size} entries than the log here had"
            ),
            Self::UnknownTarget { name, named } => {
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                write!(
                    f,
                    "no recording was ever sealed for a target {name}: the log names {}",
                    named.join(", ")
                )
            }
            Self::ProofIsNewer { recording, had, has } => write!(
                f,
                "the log was rolled back: it had {had} entries when recording {recording} was delivered, and has {has}"
            ),
            Self::BadTimeStamp { path, error } => write!(f, "the log's file {path}: {error}"),
            Self::StampedCheckpointMissing { size } => {
                write!(f, "there is a time stamp of the checkpoint of {size} entries, and no such checkpoint")
            }
            Self::Backdated { index, at, stamped } => write!(
                f,
                "entry {index} of the log claims {at:.0}, but at {stamped:.0} an authority stamped the log without it: the clock was set back, or the time was made up"
            ),
            Self::Postdated { index, at, stamped } => write!(
                f,
                "entry {index} of the log claims {at:.0}, but an authority stamped the log with it at {stamped:.0} already: the clock was ahead, or the time was made up"
            ),
        }
    }
}

impl LogReport {
    /// True if nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}
