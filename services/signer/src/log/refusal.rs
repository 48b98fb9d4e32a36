//! A log never gets smaller and never changes: what was published is compared with the state database
//! before anything is added to it or signed.
//!
//! An old copy of the database, restored after a loss, knows less than was published, or goes on from
//! there with other entries. Both show in staging, where each signed checkpoint lies under its size and
//! is never overwritten. The log is halted then: its tenant's recordings are taken and wait, nothing is
//! sealed and nothing signed, until somebody has looked. Each start looks again.
//!
//! When the right database is lost for good, a person moves the log's folder out of staging. That cannot
//! happen by itself while the log is halted: a log of another name takes its place then, its first entry
//! says whose, and what waited goes on ([`anew`](super::anew)).

use domain::TenantId;
use evidence::{
    Sha256Hash,
    log::{Checkpoint, SignedCheckpoint, tiles},
};

use super::{LogError, blocking, folder::LogFolder};
use crate::state::{State, log::LogHead, log_checkpoint::StoredCheckpoint};

/// Why a log must not go on from this database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Less is known than was published.
    #[error(
        "an older copy of the state database was restored: it knows {known} entries of this log, and a checkpoint \
         over {published} is published. Restore the newest copy of the database and restart. If there is none that \
         knows {published} entries: {}",
        TO_BEGIN_ANEW
    )]
    RolledBack {
        /// Entries in the database.
        known: u64,
        /// Entries that the largest published checkpoint covers.
        published: u64,
    },
    /// Something else is known than was published.
    #[error(
        "the state database holds other entries than were published: it has another tree at {size} entries than the \
         signed checkpoint of that size. An older copy of it was restored and went on, or two databases seal with one \
         staging folder. Restore the one that was published from; going on with this one would fork the log"
    )]
    Forked {
        /// Where they differ at the latest.
        size: u64,
    },
    /// Another log is published.
    #[error(
        "the log {published} is published, and the state database has another one, {known}. The database is new or \
         that of another installation: restore the right one and restart, or give this one the staging folder that \
         belongs to it. If the right one is lost: {}",
        TO_BEGIN_ANEW
    )]
    OtherLog {
        /// Its name.
        published: String,
        /// Name of the log in the database.
        known: String,
    },
    /// A file that never changes has another content.
    #[error(
        "staging holds another content under the name of a file of this log that is written once ({0}): an older copy \
         of the state database was restored and went on, or somebody changed the file. Restore the database that was \
         published from, or the file from an archive, and restart. If both are lost: {anew}", anew = TO_BEGIN_ANEW
    )]
    Overwritten(&'static str),
    /// A witness has cosigned more than is known.
    #[error(
        "the witness {witness} has cosigned {seen} entries of this log, and the state database and staging know {known}: both \
         were restored from an older copy. {}",
        TO_DECIDE
    )]
    WitnessedMore {
        /// Its name in the tenant's configuration.
        witness: String,
        /// Entries that it has seen.
        seen: u64,
        /// Entries of the checkpoint that it was offered.
        known: u64,
    },
    /// A witness has cosigned something else.
    #[error(
        "the witness {witness} has cosigned another tree of this log, over {size} entries: the state database and staging \
         were restored from an older copy and went on, or two installations seal with one log. {}",
        TO_DECIDE
    )]
    WitnessedOther {
        /// Its name in the tenant's configuration.
        witness: String,
        /// Entries of the tree that it has seen.
        size: u64,
    },
}

/// What is to be done when the right database will not come back. The rest of staging stays where it is:
/// segments and recordings wait in it that lie nowhere else.
const TO_BEGIN_ANEW: &str = "move this tenant's folder below log/ (that one alone) out of staging, keep it, and restart. The published log then \
     ends where it ends, a new one begins, and its first entries say so";

/// What is to be done when a witness knows better.
const TO_DECIDE: &str = "Going on would fork the log. Restore the newest copy of both and restart: all goes on then by itself. If there is \
     none, move this tenant's folder below log/ (that one alone) out of staging, keep it, and restart: a new log begins \
     and says so. Until then this stays so, also over restarts; taking the witness out of the tenant's configuration \
     makes the fork lasting";

impl Refusal {
    /// The witness that is the reason; empty: none is.
    pub fn witness(&self) -> &str {
        match self {
            Self::WitnessedMore { witness, .. } | Self::WitnessedOther { witness, .. } => witness,
            _ => "",
        }
    }
}

/// What follows from a published checkpoint.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The database has it, or a later one.
    Known,
    /// It is of this tree, but the database does not have it: the process died in between.
    Adopt(SignedCheckpoint),
}

/// Compares a published checkpoint with what the database knows.
///
/// # Errors
/// [`LogError::Refused`]; or it cannot be compared.
pub async fn judge(
    state: &State,
    folder: &LogFolder,
    head: &LogHead,
    last: Option<&StoredCheckpoint>,
    published: SignedCheckpoint,
) -> Result<Verdict, LogError> {
    let Checkpoint { origin, size, root } = published.checkpoint.clone();
    if origin != head.origin {
        return Err(Refusal::OtherLog { published: origin, known: head.origin.clone() }.into());
    }
    if size > head.size() {
        return Err(Refusal::RolledBack { known: head.size(), published: size }.into());
    }
    let (known_size, known_root) =
        last.map_or_else(|| (0, Sha256Hash::of(b"")), |last| (last.size, last.root));
    if known_size > size {
        // A tree that has grown proves what it was.
        let (files, newest) = (folder.clone(), Checkpoint { origin, size: known_size, root: known_root });
        let then = blocking(move || tiles::root_at(&files, &newest, size)).await?;
        if then.is_ok_and(|then| then == root) {
            return Ok(Verdict::Known);
        }
        // Its newest tiles are not published (yet, or any more): what is published is grown instead.
        let grown = grown(state, folder, head, (size, root), known_size).await?;
        return if grown == known_root { Ok(Verdict::Known) } else { Err(Refusal::Forked { size }.into()) };
    }
    if size == known_size {
        return if root == known_root { Ok(Verdict::Known) } else { Err(Refusal::Forked { size }.into()) };
    }
    let grown = grown(state, folder, head, (known_size, known_root), size).await?;
    if grown == root { Ok(Verdict::Adopt(published)) } else { Err(Refusal::Forked { size }.into()) }
}

/// The root of a published tree, grown by entries of the database to `size`.
async fn grown(
    state: &State,
    folder: &LogFolder,
    head: &LogHead,
    (from, root): (u64, Sha256Hash),
    size: u64,
) -> Result<Sha256Hash, LogError> {
    let entries = entries(state, &head.tenant, from, size).await?;
    let files = folder.clone();
    Ok(blocking(move || tiles::grow(&files, from, root, &entries)).await??.root)
}

/// Rows that are read at once.
const ROWS: u64 = 4_096;

/// The entries `from..to`.
///
/// # Errors
/// The database refused, or has a hole there.
pub async fn entries(state: &State, tenant: &TenantId, from: u64, to: u64) -> Result<Vec<Vec<u8>>, LogError> {
    let mut all = Vec::new();
    let mut next = from;
    while next < to {
        let limit = u32::try_from((to - next).min(ROWS)).unwrap_or(u32::MAX);
        let rows = state.numbered_entries(tenant, next, limit).await?;
        if rows.is_empty() {
            return Err(LogError::Hole(next));
        }
        for (number, entry) in rows {
            // Old rows are forgotten, those of full bundles: what is asked for may begin among them.
            if number != next {
                return Err(LogError::Hole(next));
            }
            all.push(entry);
            next += 1;
        }
    }
    Ok(all)
}
