//! The signature of a hash list (F-51), and the public keys that judge it.
//!
//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 § 8.2): deterministic, known to every HSM and to every
//! OpenSSL. Private keys never come near this crate (RUSTSEC-2023-0071).

use std::{fmt, ops::RangeInclusive};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use rsa::{
    RsaPublicKey,
    pkcs1v15::VerifyingKey,
    pkcs8::{DecodePublicKey, EncodePublicKey},
    sha2::Sha256,
    signature::Verifier,
    traits::PublicKeyParts,
};

use crate::KeyId;

/// Columns of base64 in a `.sig` file. `openssl base64 -d` reads nothing from longer lines unless it
/// is told `-A`; `base64 -d` takes both.
const COLUMNS: usize = 64;

/// What is wrong with a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not base64.
    #[error("the signature is not base64 text")]
    NotBase64,
    /// The key does not accept it for this message.
    #[error("the signature was not made by this key over this text")]
    Wrong,
}

/// An RSA signature as the key made it, as many bytes as the key's modulus.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signature(Vec<u8>);

impl Signature {
    /// The bytes as they come from the key.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes as the key made them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Base64 on one line, as info and journal hold it.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// The exact bytes of the `.sig` file: base64 in lines of 64 columns, which both
    /// `openssl base64 -d` and `base64 -d` take without an option.
    pub fn to_file(&self) -> Vec<u8> {
        let text = self.to_base64();
        let mut out = Vec::with_capacity(text.len() + text.len() / COLUMNS + 1);
        for line in text.as_bytes().chunks(COLUMNS) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out
    }

    /// Reads base64, on one line or several.
    pub fn parse(text: &[u8]) -> Result<Self, SignatureError> {
        let packed: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        match BASE64_STANDARD.decode(packed) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self(bytes)),
            _ => Err(SignatureError::NotBase64),
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", self.to_base64().get(..12).unwrap_or_default())
    }
}

/// Why a text is not a public key.
#[derive(Debug, thiserror::Error)]
#[error("not an RSA public key in the PEM form of X.509 (BEGIN PUBLIC KEY)")]
pub struct PublicKeyError(#[source] rsa::pkcs8::spki::Error);

/// Lengths of a modulus, in bits, that ring takes.
const RING_TAKES: RangeInclusive<usize> = 2_048..=8_192;

/// An RSA public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    id: KeyId,
    modulus_bytes: usize,
    verifying: Verifying,
}

/// Who does the arithmetic. Ring needs a third of the time, which counts where a lane is sealed and where a
/// whole archive is verified; keys of other lengths are left to the rsa crate.
#[derive(Debug, Clone)]
enum Verifying {
    Ring(RsaPublicKeyComponents<Vec<u8>>),
    Rsa(VerifyingKey<Sha256>),
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`.
    pub fn from_pem(pem: &str) -> Result<Self, PublicKeyError> {
        RsaPublicKey::from_public_key_pem(pem).and_then(Self::new).map_err(PublicKeyError)
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        RsaPublicKey::from_public_key_der(der).and_then(Self::new).map_err(PublicKeyError)
    }

    fn new(key: RsaPublicKey) -> Result<Self, rsa::pkcs8::spki::Error> {
        let id = KeyId::of_spki_der(key.to_public_key_der()?.as_bytes());
        let modulus_bytes = key.size();
        let verifying = if RING_TAKES.contains(&(key.n().bits() as usize)) {
            let [n, e] = [key.n_bytes(), key.e_bytes()].map(Vec::from);
            Verifying::Ring(RsaPublicKeyComponents { n, e })
        } else {
            Verifying::Rsa(VerifyingKey::new(key))
        };
        Ok(Self { id, modulus_bytes, verifying })
    }

    /// The key's name.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Bits of the modulus, rounded up to whole bytes.
    pub const fn bits(&self) -> usize {
        self.modulus_bytes * 8
    }

    /// Whether `signature` was made by the private half over `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        // The rsa crate reads a number; OpenSSL wants exactly the modulus' length (RFC 8017 § 8.2.2
        // step 1). Without this, one signature would have many spellings.
        if signature.0.len() != self.modulus_bytes {
            return Err(SignatureError::Wrong);
        }
        let is_right = match &self.verifying {
            Verifying::Ring(key) => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature.as_bytes()).is_ok()
            }
            Verifying::Rsa(key) => rsa::pkcs1v15::Signature::try_from(signature.as_bytes())
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        };
        is_right.then_some(()).ok_or(SignatureError::Wrong)
    }
}
