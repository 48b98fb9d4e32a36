//! The transparency log of a tenant (F-58, F-59): a Merkle tree (RFC 6962 § 2.1) over short texts,
//! with signed checkpoints, in the formats of C2SP: [tlog-tiles], [tlog-checkpoint], [tlog-proof],
//! [tlog-cosignature] and [signed-note].
//!
//! The log is the signed index of the chains: each recording that was sealed, each that was deleted,
//! each call that was started stands in it. A linear chain alone cannot show that its end was cut off,
//! nor tell *missing* from *elsewhere* or *lawfully deleted*; the log can, because a checkpoint that
//! somebody else holds fixes everything before it.
//!
//! Everything here is pure: files come and go through [`LogFiles`], time is an argument, and private
//! keys never come near. The root hash is computed twice, by code that knows nothing of each other:
//! [`Frontier`] is ours, `tlog_tiles` is not.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [tlog-proof]: https://c2sp.org/tlog-proof
//! [tlog-cosignature]: https://c2sp.org/tlog-cosignature
//! [signed-note]: https://c2sp.org/signed-note

pub mod audit;
mod checkpoint;
mod cosignature;
pub mod entry;
mod files;
mod key;
mod key_changes;
mod origin;
mod problem;
mod proof;
mod published;
mod statement;
pub mod tiles;
mod tree;
pub mod witness;
pub mod words;

pub use signed_note::Signature as NoteSignature;

pub use self::{
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
    cosignature::WitnessKey,
    entry::{Access, Entry, EntryError, KeyChange, KeyEntry, Outcome, Reference, SealedEntry, What},
    files::LogFiles,
    key::{LogKey, LogKeyError, LogPublicKey},
    key_changes::{KeyChangeDoubt, key_change_problem},
    origin::Origin,
    problem::{FileTrouble, LogProblem},
    proof::{LogProof, ProofError, is_continued, is_included},
    published::{Entries, PublishedLog},
    statement::{LogKeyStatement, StatementError},
    tiles::TreeError,
    tree::{Frontier, FrontierError, leaf_hash, node_hash},
};

pub(crate) use self::published::log_keys;
