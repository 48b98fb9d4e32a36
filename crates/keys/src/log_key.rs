//! The second key: it signs the checkpoints of transparency logs (C2SP signed-note).

use evidence::log::{LogKey, LogPublicKey};
use x509_cert::der::{Encode, asn1::UintRef};

use crate::KeyError;

/// A key that signs checkpoints: Ed25519, or ECDSA P-256 where the token has no Ed25519. Blocking: async
/// callers use a blocking task.
pub trait LogSigningKey: Send + Sync {
    /// Its public half.
    fn public(&self) -> LogPublicKey;

    /// The signature over `message` as a signed note holds it, without name and key hash: 64 bytes of
    /// Ed25519, or the ASN.1 form of ECDSA with SHA-256. Verified before it is handed out. Only Ed25519
    /// makes the same signature again.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Signs a test message and verifies it (F-57).
    fn check(&self) -> Result<(), KeyError> {
        self.sign(b"Callseal log key check").map(drop)
    }
}

/// Hands a signature out only if it is one. `held_by` names the token or service in the error.
pub(crate) fn verified(
    signature: Vec<u8>,
    message: &[u8],
    public: &LogPublicKey,
    held_by: &str,
) -> Result<Vec<u8>, KeyError> {
    // The name does not enter the signature, only the key hash of a note.
    let key = LogKey { name: "check".to_owned(), public: public.clone() };
    match key.verify(message, &signature) {
        true => Ok(signature),
        false => Err(KeyError::WrongSignature(held_by.to_owned())),
    }
}

/// `ECDSA-Sig-Value` (RFC 3279 § 2.2.3) of the plain `r‖s` that tokens and cloud key services return.
pub(crate) fn ecdsa_asn1(plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let unusable = |error: x509_cert::der::Error| KeyError::Certificate(error.to_string());
    let (r, s) = plain.split_at(plain.len() / 2);
    let mut content = UintRef::new(r).and_then(|r| r.to_der()).map_err(unusable)?;
    content.extend(UintRef::new(s).and_then(|s| s.to_der()).map_err(unusable)?);
    // SEQUENCE; two numbers of 33 bytes at most fit the short form of a length.
    let mut whole = vec![0x30, u8::try_from(content.len()).unwrap_or(u8::MAX)];
    whole.append(&mut content);
    Ok(whole)
}
