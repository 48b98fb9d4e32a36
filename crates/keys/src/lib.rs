//! Signing keys behind one narrow trait: PKCS#11, Azure Key Vault, AWS KMS.
//!
//! A private key is made in a token and never leaves it. Nothing here makes a key unasked: a recording
//! that waits for its key is better than one signed with a key that nobody knows.

use std::{fmt, sync::Arc};

use evidence::{KeyId, Signature};

pub mod aws;
pub mod azure;
pub mod certificate;
pub mod cloud;
mod error;
mod log_key;
mod name;
pub mod options;
pub mod pkcs11;
pub mod softhsm;

pub use certificate::CertificateSubject;
pub use cloud::CloudError;
pub use error::{KeyError, KeyFault};
pub use log_key::LogSigningKey;
pub use name::KeyName;
pub use options::{
    KeyOptions, KeyProvider, NewKey, RsaBits, create, create_log_key, import_certificate, open, open_signing,
};
pub use pkcs11::{Pin, Pkcs11Key, Pkcs11LogKey, Pkcs11Options, create_key};

/// The two keys that a tenant's recordings and its log are signed with.
#[derive(Clone)]
pub struct KeySet {
    /// RSA: signs hash lists. The one that certificates speak of.
    pub signing: Arc<dyn SigningKey>,
    /// Signs checkpoints; trusted because the RSA key signs a statement that names it.
    pub log: Arc<dyn LogSigningKey>,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("key_id", &self.signing.key_id()).finish_non_exhaustive()
    }
}

/// A key that signs hash lists. Blocking: async callers use a blocking task.
pub trait SigningKey: Send + Sync {
    /// The name of the key, as it stands in `_info.txt`.
    fn key_id(&self) -> KeyId;

    /// The key's certificate, PEM, LF.
    fn certificate_pem(&self) -> &str;

    /// The certificates of the CAs above it, PEM, LF, from its issuer up; empty where there are none.
    fn chain_pem(&self) -> &str {
        ""
    }

    /// The certificate as it lies where the key lies now: a CA's may have been imported since the key was
    /// opened.
    ///
    /// # Errors
    /// It cannot be asked for, or there is none any more.
    fn certificate_now(&self) -> Result<String, KeyError> {
        Ok(self.certificate_pem().to_owned())
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 over `message` (RFC 8017 § 8.2): the same message gives the same
    /// signature. Each one is verified with the public key before it is handed out: a damaged token can
    /// report success and return a wrong signature.
    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError>;

    /// Signs a test message and verifies it (F-57).
    fn check(&self) -> Result<(), KeyError> {
        self.sign(b"Callseal key check").map(drop)
    }
}
