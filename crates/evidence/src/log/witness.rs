//! The conversation between a log and a witness (C2SP [tlog-witness]), and what a witness agrees to.
//!
//! A witness signs that a checkpoint continues the one it signed before. So a log that shows one
//! history to its auditor and another to a court needs the witness as an accomplice; a log that was cut
//! or rewritten gets no signature at all.
//!
//! [tlog-witness]: https://c2sp.org/tlog-witness

use base64::{Engine, prelude::BASE64_STANDARD};
use signed_note::Note;
use tlog_tiles::{Hash, check_tree};

use super::{Checkpoint, LogKey, NoteSignature, SignedCheckpoint};
use crate::Sha256Hash;

/// The most hashes of a consistency proof: a tree has at most 2⁶³ leaves.
const MOST_HASHES: usize = 63;

/// A request is at most this long, bytes: the proof and a note of some dozens of signatures.
pub const LONGEST_REQUEST: usize = 64 * 1024;

/// The content type of the answer "409 Conflict".
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// The body of `POST <prefix>/add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness signed last; 0: none yet.
    pub old_size: u64,
    /// That the new tree continues the old one (RFC 6962 § 2.1.2).
    pub proof: Vec<Sha256Hash>,
    /// The signed checkpoint, byte for byte.
    pub checkpoint: Vec<u8>,
}

impl AddCheckpoint {
    /// The exact bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            out.push_str(&BASE64_STANDARD.encode(hash.as_bytes()));
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        out
    }

    /// Reads [`to_bytes`](Self::to_bytes). The checkpoint is not looked at.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = Refusal::BadRequest;
        let text = std::str::from_utf8(bytes).map_err(|_| bad)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(bad)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(number).ok_or(bad)?;
        let hash = |line| -> Option<Sha256Hash> {
            let bytes: [u8; 32] = BASE64_STANDARD.decode(line).ok()?.try_into().ok()?;
            Some(bytes.into())
        };
        let proof: Vec<_> = lines.map(hash).collect::<Option<_>>().ok_or(bad)?;
        if proof.len() > MOST_HASHES {
            Err(bad)
        } else {
            Ok(Self { old_size, proof, checkpoint: checkpoint.into() })
        }
    }
}

/// Decimal digits without leading zeros.
fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// The part of a log that a witness remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Sha256Hash,
}

/// Why a witness signs nothing. Each has its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the body of such a request, or the old size is larger than the new.
    #[error("the request cannot be read, or its old size is larger than the checkpoint's")]
    BadRequest,
    /// Another log than those this witness knows.
    #[error("this witness does not know the log: its key has to be given with --log")]
    UnknownLog,
    /// No signature by a known key of the log.
    #[error("the checkpoint is not signed by a key of the log that this witness knows")]
    NotSigned,
    /// The witness saw another tree than the request starts from.
    #[error("the request does not start from what this witness saw last: a tree of {size}")]
    Conflict {
        /// The size that it saw last.
        size: u64,
    },
    /// The proof is wrong: the tree does not continue the old one.
    #[error("the proof does not show that the checkpoint continues what this witness saw")]
    Inconsistent,
}

impl Refusal {
    /// The status of the answer.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent => 422,
        }
    }
}

/// A checkpoint that is somebody's: signed by a known key of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The log.
    pub origin: String,
    /// What is signed, and what a cosignature signs: with extension lines, which other logs have.
    pub body: String,
    /// The tree.
    pub head: Head,
}

impl AddCheckpoint {
    /// Whose checkpoint it is. A log is known by its origin, which is the name of its keys.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`], [`Refusal::UnknownLog`], [`Refusal::NotSigned`].
    pub fn submitted(&self, known: &[LogKey]) -> Result<Submitted, Refusal> {
        let bad = Refusal::BadRequest;
        // Judges characters, size and number of signatures.
        Note::from_bytes(&self.checkpoint).map_err(|_| bad)?;
        let text = std::str::from_utf8(&self.checkpoint).map_err(|_| bad)?;
        let (body, lines) = text.rsplit_once("\n\n").ok_or(bad)?;
        let body = format!("{body}\n");
        let signatures: Vec<NoteSignature> = lines
            .lines()
            .map(|line| NoteSignature::from_bytes(line.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|_| bad)?;
        let (three, extensions) = match body.match_indices('\n').nth(2) {
            Some((end, _)) => body.split_at(end + 1),
            None => return Err(bad),
        };
        if extensions.split_terminator('\n').any(str::is_empty) {
            return Err(bad);
        }
        let Checkpoint { origin, size, root } = Checkpoint::parse(three).map_err(|_| bad)?;
        let keys: Vec<_> = known.iter().filter(|key| key.name == origin).collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        let by_known = signatures.iter().filter_map(|line| {
            let key = keys.iter().find(|key| line.name() == key.name && line.id() == key.key_hash())?;
            Some(key.verify(body.as_bytes(), line.signature()))
        });
        // One wrong signature of a known key spoils the note (C2SP signed-note); those of others do not
        // count.
        let judged: Vec<bool> = by_known.collect();
        if judged.is_empty() || judged.contains(&false) {
            return Err(Refusal::NotSigned);
        }
        Ok(Submitted { origin, body, head: Head { size, root } })
    }

    /// Whether the tree `new` continues the one that was signed last, `seen`; `None`: none was yet.
    /// Asking and remembering have to be one step: between them nobody else may ask.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`], [`Refusal::Conflict`], [`Refusal::Inconsistent`].
    pub fn continues(&self, new: Head, seen: Option<Head>) -> Result<(), Refusal> {
        if self.old_size > new.size {
            return Err(Refusal::BadRequest);
        }
        let seen_size = seen.map_or(0, |seen| seen.size);
        if self.old_size != seen_size {
            return Err(Refusal::Conflict { size: seen_size });
        }
        let good = match seen {
            _ if new.size == 0 => self.proof.is_empty() && new.root == Sha256Hash::of(b""),
            Some(seen) if seen.size == new.size && seen.root != new.root => {
                return Err(Refusal::Conflict { size: seen_size });
            }
            Some(seen) if seen.size == new.size => self.proof.is_empty(),
            Some(seen) if seen.size > 0 => {
                let proof: Vec<_> = self.proof.iter().map(|hash| Hash(*hash.as_bytes())).collect();
                let (old_root, new_root) = (Hash(*seen.root.as_bytes()), Hash(*new.root.as_bytes()));
                check_tree(&proof, new.size, new_root, seen.size, old_root).is_ok()
            }
            // Everything continues nothing.
            _ => self.proof.is_empty(),
        };
        if good { Ok(()) } else { Err(Refusal::Inconsistent) }
    }
}

/// The body of "200": signature lines.
pub fn answer(signatures: &[NoteSignature]) -> Vec<u8> {
    signatures.iter().flat_map(NoteSignature::to_bytes).collect()
}

/// Reads [`answer`]; `None`: these are no signature lines. The signatures are not judged.
pub fn parse_answer(bytes: &[u8]) -> Option<Vec<NoteSignature>> {
    let lines = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split('\n');
    lines.map(|line| NoteSignature::from_bytes(line.as_bytes()).ok()).collect()
}

/// Reads the body of "409": the size of the tree that the witness signed last.
pub fn parse_size(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.strip_suffix('\n').and_then(number)
}

/// The request for a cosignature under `checkpoint`.
pub fn request(old_size: u64, proof: &[Sha256Hash], checkpoint: &SignedCheckpoint) -> AddCheckpoint {
    AddCheckpoint { old_size, proof: proof.to_vec(), checkpoint: checkpoint.to_bytes() }
}

#[cfg(test)]
mod tests;
