//! The name of a signing key.

use std::{fmt, str::FromStr};

use domain::InvalidId;

use crate::Sha256Hash;

/// SHA-256 of a public key in its `SubjectPublicKeyInfo` form (DER, RFC 5280 § 4.1), written as 64
/// lower-case hexadecimal digits. It stays the same when a CA issues another certificate for the key.
/// `openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum` shows the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Sha256Hash);

impl KeyId {
    /// The id of the key with this `SubjectPublicKeyInfo`.
    pub fn of_spki_der(der: &[u8]) -> Self {
        Self(Sha256Hash::of(der))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidId::expected("a key id", "64 lower-case hexadecimal digits"))
    }
}
