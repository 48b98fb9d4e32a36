//! The proof that goes with a recording (C2SP tlog-proof): its entry is in the log, under a checkpoint
//! that the log signed. It can be judged offline, with the log's public key and nothing else.

use base64::{Engine, prelude::BASE64_STANDARD};
use tlog_tiles::Hash;

use super::{CheckpointError, Entry, EntryError, LogKey, SignedCheckpoint, leaf_hash, tiles::MAX_SIZE};
use crate::Sha256Hash;

const HEADING: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2⁶⁴ entries would take no more.
const MOST_HASHES: usize = 64;

/// An entry, its place, and the hashes from it up to the root of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// The exact bytes of the entry; in the file they are the line `extra`.
    pub entry: Vec<u8>,
    /// Its place, from 0.
    pub index: u64,
    /// From the leaf's sibling up to the root's child (RFC 6962 § 2.1.1).
    pub hashes: Vec<Sha256Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Vec<u8>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The file is no proof.
    #[error("not a proof of a transparency log ({HEADING})")]
    Format,
    /// It holds no readable entry.
    #[error("the entry in the proof cannot be read")]
    Entry(#[from] EntryError),
    /// It holds no readable checkpoint.
    #[error("the checkpoint in the proof cannot be read")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another log than the key.
    #[error("the proof is of the log {0}, not of this one")]
    OtherLog(String),
    /// Nobody whom we trust signed the checkpoint.
    #[error("the checkpoint in the proof is not signed by the log's key")]
    NotSigned,
    /// The hashes do not lead from the entry to the root.
    #[error("the entry is not in the log at this place: the proof, or its entry, was changed")]
    NotIncluded,
}

impl LogProof {
    /// The exact bytes of `_log-proof.txt`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out =
            format!("{HEADING}\nextra {}\nindex {}\n", BASE64_STANDARD.encode(&self.entry), self.index);
        for hash in &self.hashes {
            out.push_str(&BASE64_STANDARD.encode(hash.as_bytes()));
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        out
    }

    /// Reads [`to_bytes`](Self::to_bytes), strictly. Nothing in it is believed before
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`ProofError::Format`]; a proof without the line `extra` is none of ours.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofError::Format)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Format)?;
        let mut lines = head.split('\n');
        let mut line = |start: &str| lines.next()?.strip_prefix(start);
        let parsed = (|| {
            line(HEADING)?;
            let entry = BASE64_STANDARD.decode(line("extra ")?).ok()?;
            Some((entry, line("index ")?.parse().ok()?))
        })();
        let (entry, index) = parsed.ok_or(ProofError::Format)?;
        let hash = |line: &str| -> Option<Sha256Hash> {
            let bytes: [u8; 32] = BASE64_STANDARD.decode(line).ok()?.try_into().ok()?;
            Some(bytes.into())
        };
        let hashes: Option<Vec<_>> = lines.take(MOST_HASHES + 1).map(hash).collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= MOST_HASHES).ok_or(ProofError::Format)?;
        let proof = Self { entry, index, hashes, checkpoint: checkpoint.as_bytes().to_vec() };
        if proof.to_bytes() == bytes { Ok(proof) } else { Err(ProofError::Format) }
    }

    /// The entry and the checkpoint, if the key's log holds this entry at this place.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn verify(&self, key: &LogKey) -> Result<(Entry, SignedCheckpoint), ProofError> {
        let signed = SignedCheckpoint::parse(&self.checkpoint)?;
        if signed.checkpoint.origin != key.name {
            return Err(ProofError::OtherLog(signed.checkpoint.origin));
        }
        if !signed.is_signed_by(key) {
            return Err(ProofError::NotSigned);
        }
        let head = &signed.checkpoint;
        if !is_included(&self.hashes, head.size, &head.root, self.index, &leaf_hash(&self.entry)) {
            return Err(ProofError::NotIncluded);
        }
        Ok((Entry::parse(&self.entry)?, signed))
    }
}

/// Whether `hashes` prove (RFC 6962 § 2.1.1) that the tree of `size` and `root` has `leaf` at `index`.
pub fn is_included(
    hashes: &[Sha256Hash],
    size: u64,
    root: &Sha256Hash,
    index: u64,
    leaf: &Sha256Hash,
) -> bool {
    size <= MAX_SIZE
        && hashes.len() <= MOST_HASHES
        && tlog_tiles::check_record(&theirs(hashes), size, their(root), index, their(leaf)).is_ok()
}

/// Whether `hashes` prove (RFC 6962 § 2.1.2) that the tree of `size` and `root` begins with the one of
/// `older` and `older_root`. Every tree begins with the empty one, and that takes no hashes.
pub fn is_continued(
    hashes: &[Sha256Hash],
    size: u64,
    root: &Sha256Hash,
    older: u64,
    older_root: &Sha256Hash,
) -> bool {
    match older {
        0 => hashes.is_empty() && *older_root == Sha256Hash::of(b""),
        _ => {
            // A tree that did not grow has two heads to compare; `tlog_tiles` compares them as well.
            size <= MAX_SIZE
                && hashes.len() <= MOST_HASHES
                && tlog_tiles::check_tree(&theirs(hashes), size, their(root), older, their(older_root))
                    .is_ok()
        }
    }
}

fn their(hash: &Sha256Hash) -> Hash {
    Hash(*hash.as_bytes())
}

fn theirs(hashes: &[Sha256Hash]) -> Vec<Hash> {
    hashes.iter().map(their).collect()
}
