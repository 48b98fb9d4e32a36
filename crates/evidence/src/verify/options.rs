//! How to verify, and who hears of it.

use std::num::NonZeroUsize;

use domain::TenantId;
use jiff::{SignedDuration, Timestamp};

use super::{Journal, RecordingReport};
use crate::{
    log::{LogKey, SignedCheckpoint, WitnessKey},
    timestamp::Authorities,
};

/// How to verify.
pub struct Options {
    /// The target that the archives are, whatever they say themselves.
    pub target: Option<String>,
    /// What was sealed so shortly before the end of the log may still be on its way, if that is less than
    /// an hour ago.
    pub grace: SignedDuration,
    /// The verifier's clock. By default the time at which these options were made.
    pub now: Timestamp,
    /// What is younger than this cannot have expired: where it is gone from the beginning of a chain, it
    /// is missing.
    pub retention: SignedDuration,
    /// Nothing may have expired: the archive has to begin with the first recording.
    pub complete: bool,
    /// Checkpoints that came another way: kept from an earlier audit, or asked of a witness. The logs
    /// have to continue them.
    pub checkpoints: Vec<SignedCheckpoint>,
    /// Witnesses that have to have cosigned the newest checkpoint of each log; one key counts once.
    pub witnesses: Vec<WitnessKey>,
    /// So many of them suffice; `None`: each has to.
    pub witness_quorum: Option<NonZeroUsize>,
    /// Whom time stamps are believed from; `None`: they are not judged.
    pub authorities: Option<Authorities>,
    /// Keys of logs that lie elsewhere, each certified ([`certified_log_keys`](super::certified_log_keys)):
    /// for recordings that were taken out of their archive.
    pub log_keys: Vec<LogKey>,
    /// Folders that are parts of larger archives, and where those are.
    pub parts: Vec<PartOf>,
    /// Goes on with what an earlier run found good, and is added to.
    pub journal: Option<Journal>,
    /// How many recordings are read at once.
    pub threads: NonZeroUsize,
}

/// A folder to verify that lies below the top of its archive. The log there tells which recordings are
/// elsewhere by right, but not which should lie in this part of it: only holes between recordings that
/// are here count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// The folder that is verified, as the [`Archive`](super::Archive) lists it.
    pub folder: String,
    /// The top, below which `log/<tenant>/` lies. It need not be listed, but can be read.
    pub top: String,
    /// Whose logs lie there.
    pub tenants: Vec<TenantId>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: None,
            grace: SignedDuration::from_mins(10),
            now: Timestamp::now(),
            retention: SignedDuration::from_hours(30 * 24),
            complete: false,
            checkpoints: Vec::new(),
            witnesses: Vec::new(),
            witness_quorum: None,
            authorities: None,
            log_keys: Vec::new(),
            parts: Vec::new(),
            journal: None,
            threads: NonZeroUsize::MIN.saturating_add(1),
        }
    }
}

/// Who hears of what is found on the way. All of it does nothing by default.
pub trait Observer {
    /// A recording was verified; in the order of folders and names.
    fn recording(&mut self, report: &RecordingReport) {
        let _ = report;
    }

    /// A file beside recordings belongs to none.
    fn stray(&mut self, path: &str) {
        let _ = path;
    }

    /// So many recordings were verified by now.
    fn verified(&mut self, recordings: u64) {
        let _ = recordings;
    }

    /// Recordings are done; logs are being read.
    fn reading_logs(&mut self) {}
}

/// Hears nothing.
impl Observer for () {}
