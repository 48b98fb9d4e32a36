//! Cosignatures of witnesses (C2SP tlog-cosignature, Ed25519): somebody else saw this checkpoint, at
//! this time, and that it continues all that it saw of the log before.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use signed_note::is_key_name_valid;

use super::{LogKeyError, LogPublicKey, NoteSignature};

const COSIGNATURE: u8 = 0x04;

/// The public key of a witness: a verifier key of type 4.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WitnessKey {
    name: String,
    point: [u8; 32],
}

impl WitnessKey {
    /// The key of the witness of this name: not empty, no spaces, no `+`.
    ///
    /// # Errors
    /// For a name that cannot stand in a note.
    pub fn new(name: &str, point: [u8; 32]) -> Result<Self, LogKeyError> {
        if !is_key_name_valid(name) || name.chars().any(char::is_control) {
            return Err(LogKeyError::Format);
        }
        Ok(Self { name: name.to_owned(), point })
    }

    /// Reads `<name>+<hash>+<base64>`.
    ///
    /// # Errors
    /// See [`LogKeyError`]; a key of another type than 4 is of the wrong kind.
    pub fn parse(vkey: &str) -> Result<Self, LogKeyError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LogKeyError::Format);
        };
        let typed = BASE64_STANDARD.decode(key).map_err(|_| LogKeyError::Format)?;
        let Some((&COSIGNATURE, point)) = typed.split_first() else { return Err(LogKeyError::Kind) };
        let key = Self::new(name, point.try_into().map_err(|_| LogKeyError::Format)?)?;
        if hash != format!("{:08x}", key.key_hash()) { Err(LogKeyError::Hash) } else { Ok(key) }
    }

    /// `<name>+<hash>+<base64>`.
    pub fn vkey(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.key_hash(), BASE64_STANDARD.encode(self.typed()))
    }

    /// The name in its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 point.
    pub const fn point(&self) -> &[u8; 32] {
        &self.point
    }

    /// The number that signature lines name the key by.
    pub fn key_hash(&self) -> u32 {
        signed_note::key_id(&self.name, &self.typed())
    }

    /// The text that a witness signs: `cosignature/v1`, the time in seconds since 1970, and the body of
    /// the checkpoint.
    pub fn message(checkpoint_body: &str, at: Timestamp) -> String {
        format!("cosignature/v1\ntime {}\n{checkpoint_body}", at.as_second())
    }

    /// The signature line's content for an Ed25519 signature over [`message`](Self::message): the time
    /// in 8 bytes, then the signature.
    pub fn note_signature(&self, at: Timestamp, signature: &[u8; 64]) -> NoteSignature {
        let timed = [at.as_second().to_be_bytes().as_slice(), signature].concat();
        NoteSignature::new(self.name.clone(), self.key_hash(), timed).expect("the name was checked")
    }

    /// When this witness signed the checkpoint with this body, if `signature` is its own and good.
    pub fn verify(&self, checkpoint_body: &str, signature: &NoteSignature) -> Option<Timestamp> {
        if signature.name() != self.name || signature.id() != self.key_hash() {
            return None;
        }
        let (seconds, signature) = signature.signature().split_first_chunk::<8>()?;
        let at =
            Timestamp::from_second(i64::from_be_bytes(*seconds)).ok().filter(|at| at.as_second() >= 0)?;
        let good = LogPublicKey::Ed25519(self.point)
            .verify(Self::message(checkpoint_body, at).as_bytes(), signature);
        good.then_some(at)
    }

    fn typed(&self) -> Vec<u8> {
        [&[COSIGNATURE], self.point.as_slice()].concat()
    }
}

impl FromStr for WitnessKey {
    type Err = LogKeyError;
    fn from_str(vkey: &str) -> Result<Self, LogKeyError> {
        Self::parse(vkey)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.vkey())
    }
}
