//! What can be wrong with a published log, in words for an auditor.

use std::fmt;

use domain::TenantId;
use jiff::Timestamp;

use super::{CheckpointError, EntryError, KeyChangeDoubt, StatementError, TreeError};
use crate::KeyId;

/// One thing that is wrong with a log. No text holds a number or a name of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogProblem {
    /// There is no checkpoint, so nothing says what the log should hold.
    NoCheckpoint,
    /// A checkpoint cannot be read.
    BadCheckpoint {
        /// Its file.
        path: String,
        /// Why.
        error: CheckpointError,
    },
    /// Nobody whom we trust signed a checkpoint.
    NotSigned {
        /// Its file; empty for one that came another way.
        path: String,
    },
    /// A checkpoint is of another log.
    OtherLog {
        /// Its file; empty for one that came another way.
        path: String,
        /// The log it names.
        origin: String,
    },
    /// The name of the log is none that Callseal gives.
    BadOrigin(String),
    /// A log key statement cannot be read.
    BadStatement {
        /// Its file.
        path: String,
        /// Why.
        error: StatementError,
    },
    /// There is no certificate of the key that a log key statement names.
    StatementNotTrusted {
        /// Its file.
        path: String,
        /// The RSA key that is said to have signed.
        key: KeyId,
    },
    /// A log key statement has no good signature.
    StatementNotSigned {
        /// Its file.
        path: String,
    },
    /// The log says that another key signs from an entry on, and nothing proves it.
    KeyChange {
        /// The entry.
        index: u64,
        /// The key that is said to sign from there on.
        key: KeyId,
        /// What is wrong.
        why: KeyChangeDoubt,
    },
    /// A file is missing, damaged or unreadable.
    File {
        /// Which one.
        path: String,
        /// What is wrong with it.
        trouble: FileTrouble,
    },
    /// Entries are not there.
    EntriesMissing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
        /// The file that should hold them.
        path: String,
    },
    /// What the entries hash to is not what was signed.
    RootDiffers {
        /// The number of entries in the signed checkpoint.
        size: u64,
        /// So many entries from the beginning are as an earlier checkpoint signed them.
        good_until: u64,
        /// The first entry that does not fit to the tiles, if any: most likely the first that was changed.
        first_changed: Option<u64>,
    },
    /// Too much is missing to tell what the entries hash to.
    RootUnknown {
        /// The number of entries in the signed checkpoint.
        size: u64,
    },
    /// The entries are as they were signed, but the tiles are not.
    TilesDiffer {
        /// The first entry whose hash in the tiles is wrong.
        index: u64,
    },
    /// The log is smaller than it was when a checkpoint was signed.
    RolledBack {
        /// The size in that checkpoint.
        had: u64,
        /// The size now.
        has: u64,
    },
    /// Two checkpoints that the log signed contradict each other.
    Forked {
        /// The size at which they do.
        size: u64,
    },
    /// An entry cannot be read, although it is what was signed.
    EntryUnreadable {
        /// Its place, from 0.
        index: u64,
        /// Why.
        error: EntryError,
    },
    /// An entry is of another tenant.
    OtherTenant {
        /// Its place, from 0.
        index: u64,
        /// Whose it is.
        tenant: TenantId,
    },
    /// An entry that the signer made by its own clock is older than the one before it.
    TimeGoesBack {
        /// Its place, from 0.
        index: u64,
        /// The latest time before it.
        before: Timestamp,
        /// Its own.
        at: Timestamp,
    },
}

/// What is wrong with a file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileTrouble {
    /// It is not there.
    Missing,
    /// It has too few bytes, or others than it should.
    Damaged,
    /// It cannot be read.
    Unreadable(String),
}

impl LogProblem {
    /// The problem as which `error` shows.
    pub(super) fn of_tree(error: TreeError, size: u64) -> Self {
        match error {
            TreeError::Missing(path) => Self::File { path, trouble: FileTrouble::Missing },
            TreeError::Damaged(path) => Self::File { path, trouble: FileTrouble::Damaged },
            TreeError::Read(path, error) => {
                Self::File { path, trouble: FileTrouble::Unreadable(error.to_string()) }
            }
            TreeError::Inconsistent => Self::TilesDiffer { index: 0 },
            TreeError::OutOfRange | TreeError::LongEntry => Self::RootUnknown { size },
        }
    }
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Damaged => f.write_str("is damaged"),
            Self::Unreadable(why) => write!(f, "cannot be read ({why})"),
        }
    }
}

/// "the checkpoint <path>", or the one that the auditor brought.
struct Which<'a>(&'a str);

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("the given checkpoint")
        } else {
            write!(f, "the log's file {}", self.0)
        }
    }
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => f.write_str("the log has no checkpoint: nothing says what it should hold"),
            Self::BadCheckpoint { path, error } => write!(f, "{} is {error}", Which(path)),
            Self::NotSigned { path } => {
                write!(f, "{} is not signed by a key that a trusted certificate vouches for", Which(path))
            }
            Self::OtherLog { path, origin } => write!(f, "{} is of another log: {origin}", Which(path)),
            Self::BadOrigin(origin) => write!(f, "the name of the log is none of Callseal: {origin}"),
            Self::BadStatement { path, error } => write!(f, "the log's file {path} is {error}"),
            Self::StatementNotTrusted { path, key } => write!(
                f,
                "the log's file {path} is signed by the key {key}, of which there is no trusted certificate"
            ),
            Self::StatementNotSigned { path } => {
                write!(
                    f,
                    "the log's file {path} has no good signature: it, or its .sig file, was changed or is missing"
                )
            }
            Self::KeyChange { index, key, why } => {
                write!(
                    f,
                    "entry {index} of the log says that the key {key} signs from there on, and nothing proves that change: {why}"
                )
            }
            Self::File { path, trouble } => write!(f, "the log's file {path} {trouble}"),
            Self::EntriesMissing { from, to, path } => {
                write!(f, "entries {from} to {to} of the log are missing: {path} does not hold them")
            }
            Self::RootDiffers { size, good_until, first_changed } => {
                write!(
                    f,
                    "the {size} entries of the log are not those that were signed: some were changed, removed, added or reordered"
                )?;
                if *good_until > 0 {
                    write!(f, "; the first {good_until} are as an earlier checkpoint signed them")?;
                }
                first_changed.map_or(Ok(()), |index| write!(f, "; most likely it begins at entry {index}"))
            }
            Self::RootUnknown { size } => {
                write!(
                    f,
                    "too much of the log is missing to tell whether its {size} entries are those that were signed"
                )
            }
            Self::TilesDiffer { index } => {
                write!(f, "the log's tiles are not those of the signed tree, from entry {index} on")
            }
            Self::RolledBack { had, has } => {
                write!(
                    f,
                    "the log was rolled back: it had {had} entries when a checkpoint was signed, and has {has}"
                )
            }
            Self::Forked { size } => {
                write!(
                    f,
                    "the log was forked: two signed checkpoints contradict each other at {size} entries"
                )
            }
            Self::EntryUnreadable { index, error } => write!(f, "entry {index} of the log: {error}"),
            Self::OtherTenant { index, tenant } => {
                write!(f, "entry {index} of the log is of another tenant: {tenant}")
            }
            Self::TimeGoesBack { index, before, at } => write!(
                f,
                "entry {index} of the log was written at {at:.3}, and one before it at {before:.3}: the clock was set back, or a time was made up"
            ),
        }
    }
}

impl std::error::Error for LogProblem {}
