//! The public key of a log (C2SP signed-note).

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use p256::{
    ecdsa::{DerSignature, VerifyingKey, signature::Verifier as _},
    pkcs8::DecodePublicKey,
};
use signed_note::{StandardVerifier, Verifier as _, is_key_name_valid};

use crate::Sha256Hash;

const ED25519: u8 = 0x01;
const ECDSA: u8 = 0x02;

/// Why a text is not the public key of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogKeyError {
    /// Not `<name>+<8 hexadecimal digits>+<base64>`.
    #[error("not a verifier key of the form name+hash+base64")]
    Format,
    /// The hash in the text is not the one of this name and key.
    #[error("the hash in the verifier key does not belong to its name and key")]
    Hash,
    /// Another kind of key than Ed25519 (type 1) and ECDSA P-256 (type 2).
    #[error("the verifier key is neither an Ed25519 nor an ECDSA P-256 key")]
    Kind,
}

/// What a log's checkpoints are verified with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogPublicKey {
    /// Ed25519 (RFC 8032): the 32 bytes of the point.
    Ed25519([u8; 32]),
    /// ECDSA with P-256 and SHA-256: `SubjectPublicKeyInfo` in DER.
    P256(Vec<u8>),
}

impl LogPublicKey {
    /// The type byte of C2SP signed-note, then the key: what a verifier key holds in base64.
    pub fn to_typed_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(point) => [&[ED25519], point.as_slice()].concat(),
            Self::P256(spki) => [&[ECDSA], spki.as_slice()].concat(),
        }
    }

    /// Reads what [`to_typed_bytes`](Self::to_typed_bytes) wrote.
    ///
    /// # Errors
    /// For another type, and for bytes that are no key of that type.
    pub fn from_typed_bytes(bytes: &[u8]) -> Result<Self, LogKeyError> {
        match bytes.split_first() {
            Some((&ED25519, point)) => Ok(Self::Ed25519(point.try_into().map_err(|_| LogKeyError::Format)?)),
            Some((&ECDSA, spki)) => {
                VerifyingKey::from_public_key_der(spki).map_err(|_| LogKeyError::Kind)?;
                Ok(Self::P256(spki.to_vec()))
            }
            Some(_) => Err(LogKeyError::Kind),
            None => Err(LogKeyError::Format),
        }
    }

    /// Whether `signature` is one over `message`: 64 bytes for Ed25519, for P-256 the DER form
    /// (`ECDSA-Sig-Value`, RFC 3279 § 2.2.3) over SHA-256 of the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // The name plays no part in the signature; the verifier only wants one.
            Self::Ed25519(_) => StandardVerifier::new(&vkey("-", self))
                .is_ok_and(|verifier| verifier.verify(message, signature)),
            Self::P256(spki) => VerifyingKey::from_public_key_der(spki).is_ok_and(|key| {
                DerSignature::from_bytes(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }),
        }
    }
}

impl fmt::Debug for LogPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Ed25519(_)) { "Ed25519" } else { "P256" };
        write!(f, "{kind}({})", BASE64_STANDARD.encode(self.to_typed_bytes()))
    }
}

/// A public key under a name: the name is the [`Origin`](super::Origin) of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The name in the signature lines: not empty, no spaces, no `+`.
    pub name: String,
    /// The key.
    pub public: LogPublicKey,
}

impl LogKey {
    /// `<name>+<hash>+<base64>`: how C2SP writes public keys down.
    pub fn vkey(&self) -> String {
        vkey(&self.name, &self.public)
    }

    /// Reads [`vkey`](Self::vkey).
    ///
    /// # Errors
    /// See [`LogKeyError`].
    pub fn parse(vkey: &str) -> Result<Self, LogKeyError> {
        // Neither name nor hash holds a '+'; base64 may.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LogKeyError::Format);
        };
        let typed = BASE64_STANDARD.decode(key).map_err(|_| LogKeyError::Format)?;
        if !is_key_name_valid(name) || name.chars().any(char::is_control) {
            return Err(LogKeyError::Format);
        }
        let key = Self { name: name.to_owned(), public: LogPublicKey::from_typed_bytes(&typed)? };
        if hash != format!("{:08x}", key.key_hash()) { Err(LogKeyError::Hash) } else { Ok(key) }
    }

    /// The number that signature lines name the key by ("key ID" in C2SP signed-note): for Ed25519 from
    /// name and key, for ECDSA from the key alone.
    pub fn key_hash(&self) -> u32 {
        key_hash(&self.name, &self.public)
    }

    /// Whether `signature`, as it stands in a note behind the key hash, is this key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify(message, signature)
    }
}

impl FromStr for LogKey {
    type Err = LogKeyError;
    fn from_str(vkey: &str) -> Result<Self, LogKeyError> {
        Self::parse(vkey)
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.vkey())
    }
}

fn vkey(name: &str, key: &LogPublicKey) -> String {
    format!("{name}+{:08x}+{}", key_hash(name, key), BASE64_STANDARD.encode(key.to_typed_bytes()))
}

fn key_hash(name: &str, key: &LogPublicKey) -> u32 {
    match key {
        LogPublicKey::Ed25519(_) => signed_note::key_id(name, &key.to_typed_bytes()),
        LogPublicKey::P256(spki) => {
            let [a, b, c, d, ..] = *Sha256Hash::of(spki).as_bytes();
            u32::from_be_bytes([a, b, c, d])
        }
    }
}
