//! Signing keys behind one narrow trait; PKCS#11.
//!
//! A private key is made in a token and never leaves it. Nothing here makes a key unasked: a recording
//! that waits for its key is better than one signed with a key that nobody knows.

use evidence::{KeyId, Signature};

mod error;
pub mod pkcs11;
pub mod softhsm;

pub use error::KeyError;
pub use pkcs11::{CertificateSubject, Pin, Pkcs11Key, Pkcs11Options, create_key};

/// A key that signs hash lists. Blocking: async callers use a blocking task.
pub trait SigningKey: Send + Sync {
    /// The name of the key, as it stands in `_info.txt`.
    fn key_id(&self) -> KeyId;

    /// The key's certificate, PEM, LF.
    fn certificate_pem(&self) -> &str;

    /// RSASSA-PKCS1-v1_5 with SHA-256 over `message` (RFC 8017 § 8.2): the same message gives the same
    /// signature. Each one is verified with the public key before it is handed out: a damaged token can
    /// report success and return a wrong signature.
    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError>;

    /// Signs a test message and verifies it (F-57).
    fn check(&self) -> Result<(), KeyError> {
        self.sign(b"Callseal key check").map(drop)
    }
}
