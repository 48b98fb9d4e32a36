//! The transparency logs (F-58): what happened is written into them, checkpoints are signed, and
//! everything is published, by the replica that holds the lease `seal`.
//!
//! An entry is committed in SQL together with what it tells of ([`state::log`](crate::state::log)).
//! Then, every few seconds, for each log that has grown ([`checkpoint`]), with what a crash right after
//! each step leaves behind:
//!
//! 1. *What is published is compared with the database* ([`refusal`]), and *the root is computed anew*
//!    from published tiles and the entries' bytes, by other code than that which keeps the head in SQL.
//!    If they differ, nothing is signed.
//! 2. *The checkpoint is signed* and the signature verified. Crash: nobody has seen it. The repeat covers
//!    more entries, or makes the same checkpoint; a second signature of it does no harm.
//! 3. *Bundles and tiles to staging*, each made once. Crash: the repeat finds its own bytes; a tile says
//!    nothing without a checkpoint.
//! 4. *A copy of the checkpoint to staging* under its size, made once: from now on the tree of this size
//!    cannot be another one. Crash: the repeat finds the copy, sees that it is of this tree and takes it
//!    over, signature included.
//! 5. *Witnesses are asked* for cosignatures, for some seconds; then the checkpoint is stored in SQL.
//!    Crash before that: as in 4, and the witnesses are asked again.
//! 6. *`checkpoint` is replaced*: readers see the new tree. Crash before that: the next start does it.
//! 7. Recordings whose entries are covered are announced, each with its proof ([`proof`], [`seal::announce`]).
//!
//! [`seal::announce`]: crate::seal::announce

pub(crate) mod anew;
pub mod checkpoint;
pub mod desk;
pub mod folder;
pub mod intake;
pub mod proof;
pub mod refusal;
mod rounds;
pub mod stamp;
mod statement;
mod thin;
mod trouble;
pub mod witness;

use std::sync::{Arc, OnceLock};

use domain::{TenantId, resources::tenant::evidence::Evidence};
use evidence::log::{CheckpointError, tiles::TreeError};
use keys::KeyError;
use tokio::{sync::Notify, task::JoinError};
use tokio_util::sync::CancellationToken;

use self::{folder::FolderError, refusal::Refusal};
use crate::{
    context::Context,
    key::NoKey,
    staging::StagingError,
    state::{Held, StateError},
};

/// What a tenant wants beyond the signature, as its configuration says now.
pub type Wishes = Arc<dyn Fn(&TenantId) -> Evidence + Send + Sync>;

/// What the tasks of the logs share.
#[derive(Default)]
pub struct Logs {
    wishes: OnceLock<Wishes>,
    /// Rings when somebody waits for a checkpoint.
    pub grown: Notify,
    /// Authorities that stamp.
    pub stamps: stamp::Stamps,
    /// What keeps logs from being signed.
    pub troubles: trouble::Troubles,
    /// Witnesses that cosign.
    pub witnesses: witness::Witnesses,
}

impl Logs {
    /// Says where a tenant's wishes are read. Once; until then nobody wishes anything.
    pub fn set_wishes(&self, wishes: Wishes) {
        // A second time would be the same.
        let _ = self.wishes.set(wishes);
    }

    /// What a tenant wants.
    pub fn wishes_of(&self, tenant: &TenantId) -> Evidence {
        self.wishes.get().map(|wishes| wishes(tenant)).unwrap_or_default()
    }
}

/// Why a log does not go on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Writing to staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// Reading what is published.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Published tiles.
    #[error("the published tree of the log cannot be used")]
    Tree(#[from] TreeError),
    /// There is no key.
    #[error("the checkpoint cannot be signed")]
    NoKey(#[from] NoKey),
    /// The key did not sign.
    #[error("the checkpoint cannot be signed")]
    Key(#[from] KeyError),
    /// The signature is none of this key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Somebody else wrote it.
    #[error(
        "the log key statement in staging is none of this log and key: it is not signed. Who else writes to staging? Look \
         at it, and move it away"
    )]
    ForeignStatement,
    /// It must not go on.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Two computations of one root differ.
    #[error(
        "the root of the log's tree, computed anew from its entries, is not the one in the state database: nothing is \
         signed. The database or staging is damaged"
    )]
    RootsDiffer,
    /// An entry is missing in the database.
    #[error("entry {0} of the log is missing in the state database")]
    Hole(u64),
    /// A published file is missing, and cannot be made anew.
    #[error(
        "the file {path} of the published log is missing in staging, and the state database holds no more what is in it \
         (from entry {entry} on: old rows are deleted after 35 days). Bring it back from an archive of this tenant"
    )]
    Lost {
        /// The file, below the log's folder.
        path: String,
        /// The first entry that the database does not hold.
        entry: u64,
    },
    /// Somebody else wrote it.
    #[error(
        "a checkpoint over {0} entries lies in staging that no key of this log has signed, and the state database does \
         not know it: it is not taken over. Who else writes to staging? Look at it, and move it away"
    )]
    ForeignCheckpoint(u64),
    /// The process is ending.
    #[error("the work was stopped")]
    Stopped,
}

impl From<JoinError> for LogError {
    fn from(_: JoinError) -> Self {
        Self::Stopped
    }
}

impl LogError {
    /// The key does not sign: that is said where keys are spoken of, too.
    pub const fn is_key(&self) -> bool {
        matches!(self, Self::NoKey(_) | Self::Key(_))
    }

    /// Another replica seals now.
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::State(StateError::Fenced(_)))
    }
}

/// Prepares the logs when the lease was taken: those that must not go on are halted before anything is
/// sealed, and what a death left undone is done.
///
/// # Errors
/// The state or staging cannot be read, so that nothing can be said.
pub async fn begin(context: &Context, lease: &Held) -> Result<(), LogError> {
    checkpoint::begin(context, lease).await
}

/// Keeps the logs until `stop`, or until the lease is lost.
pub async fn run(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) {
    tokio::join!(
        rounds::run(context, lease, stop),
        intake::run(context, lease, stop),
        stamp::run(context, lease, stop),
        desk::run(context, lease, stop),
    );
}

/// Runs what blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LogError> {
    Ok(tokio::task::spawn_blocking(work).await?)
}
