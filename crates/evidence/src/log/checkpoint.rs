//! Checkpoints: how large the tree is and which root it has, signed by the log (C2SP tlog-checkpoint).

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use signed_note::Note;

use super::{LogKey, NoteSignature, WitnessKey, tiles::MAX_SIZE};
use crate::Sha256Hash;

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines of origin, size and root hash.
    #[error("not a checkpoint: its text is not origin, size and root hash on three lines")]
    Body,
    /// Not a text, an empty line and signature lines.
    #[error("not a signed checkpoint: the signature lines are missing or unreadable")]
    Note,
    /// A signature that was to be added is not one of this key over this checkpoint.
    #[error("the signature is not the log key's over this checkpoint")]
    Signature,
}

/// The head of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The name of the log; see [`Origin`](super::Origin).
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The hash over all of them.
    pub root: Sha256Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines, each with its line feed.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root.as_bytes()))
    }

    /// Reads [`body`](Self::body), and nothing else: extension lines are refused, Callseal writes none.
    ///
    /// # Errors
    /// [`CheckpointError::Body`].
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.split('\n');
        let [Some(origin), Some(size), Some(root), Some(""), None] = std::array::from_fn(|_| lines.next())
        else {
            return Err(CheckpointError::Body);
        };
        let root: Option<[u8; 32]> = BASE64_STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let (Ok(number), Some(root)) = (size.parse::<u64>(), root) else { return Err(CheckpointError::Body) };
        // "+7" and "007" are numbers to Rust, and another text than was signed.
        if origin.is_empty() || number.to_string() != size || number > MAX_SIZE {
            return Err(CheckpointError::Body);
        }
        Ok(Self { origin: origin.to_owned(), size: number, root: root.into() })
    }
}

/// A checkpoint with the signatures of its log and its witnesses: a note (C2SP signed-note).
#[derive(Debug, Clone, PartialEq)]
pub struct SignedCheckpoint {
    /// What is signed.
    pub checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

impl SignedCheckpoint {
    /// Reads [`to_bytes`](Self::to_bytes). The signatures are not judged.
    ///
    /// # Errors
    /// When it is no note, or its text is no checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        // Judges size, characters and number of signatures; it shows the lines to verifiers alone.
        Note::from_bytes(bytes).map_err(|_| CheckpointError::Note)?;
        let text = std::str::from_utf8(bytes).map_err(|_| CheckpointError::Note)?;
        let (body, lines) = text.rsplit_once("\n\n").ok_or(CheckpointError::Note)?;
        let lines = lines.lines().map(|line| NoteSignature::from_bytes(line.as_bytes()));
        let signatures = lines.collect::<Result<_, _>>().map_err(|_| CheckpointError::Note)?;
        let signed = Self { checkpoint: Checkpoint::parse(&format!("{body}\n"))?, signatures };
        // One text, one spelling: what was signed is what is stored, compared and stamped.
        if signed.to_bytes() == bytes { Ok(signed) } else { Err(CheckpointError::Note) }
    }

    /// The exact bytes: body, empty line, signature lines.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.checkpoint.body().into_bytes();
        out.push(b'\n');
        self.signatures.iter().for_each(|signature| out.extend_from_slice(&signature.to_bytes()));
        out
    }

    /// `checkpoint` with the log's own signature over its body, as the key made it (Ed25519: 64 bytes;
    /// P-256: DER).
    ///
    /// # Errors
    /// When the key does not accept the signature, or has a name that cannot stand in a note.
    pub fn new(checkpoint: Checkpoint, key: &LogKey, signature: Vec<u8>) -> Result<Self, CheckpointError> {
        if !key.verify(checkpoint.body().as_bytes(), &signature) {
            return Err(CheckpointError::Signature);
        }
        let signature = NoteSignature::new(key.name.clone(), key.key_hash(), signature)
            .map_err(|_| CheckpointError::Note)?;
        Ok(Self { checkpoint, signatures: vec![signature] })
    }

    /// Adds another signature line (a witness' cosignature, judged by the caller); one of the same key
    /// is replaced.
    pub fn add(&mut self, signature: NoteSignature) {
        let same = |old: &NoteSignature| (old.name(), old.id()) == (signature.name(), signature.id());
        self.signatures.retain(|old| !same(old));
        self.signatures.push(signature);
    }

    /// The signature lines, in their order, not judged.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Whether `key` signed it: there is a line with its name and hash, and each such line is good.
    pub fn is_signed_by(&self, key: &LogKey) -> bool {
        let body = self.checkpoint.body();
        let mut own = self
            .signatures
            .iter()
            .filter(|line| line.name() == key.name && line.id() == key.key_hash())
            .peekable();
        own.peek().is_some() && own.all(|line| key.verify(body.as_bytes(), line.signature()))
    }

    /// Which of the witnesses cosigned it, each once, and when they did.
    pub fn cosigned_by(&self, witnesses: &[WitnessKey]) -> Vec<(String, Timestamp)> {
        let body = self.checkpoint.body();
        let seen = |witness: &WitnessKey| self.signatures.iter().find_map(|line| witness.verify(&body, line));
        let by = |witness: &WitnessKey| seen(witness).map(|at| (witness.name().to_owned(), at));
        witnesses.iter().filter_map(by).collect()
    }
}
