//! What an authority is asked (RFC 3161 § 2.4.1).

use super::der::{BOOLEAN, INTEGER, OCTET_STRING, OID, SEQUENCE, encode};
use crate::Sha256Hash;

/// The object identifier of SHA-256: 2.16.840.1.101.3.4.2.1.
pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A random number that an answer has to repeat, so that an old answer is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// From random bytes. Two of their bits are given up: the number is positive and of full length.
    pub fn new(mut random: [u8; 16]) -> Self {
        random[0] = random[0] & 0x7f | 0x40;
        Self(random.to_vec())
    }

    /// The content of an INTEGER.
    pub(super) fn as_der(&self) -> &[u8] {
        &self.0
    }
}

/// A request to stamp one hash.
#[derive(Debug, Clone)]
pub struct TimeStampRequest {
    hash: Sha256Hash,
    nonce: Nonce,
}

impl TimeStampRequest {
    /// What an HTTP request carries it as (RFC 3161 § 3.4).
    pub const CONTENT_TYPE: &str = "application/timestamp-query";

    /// Asks for a stamp of `hash`, with the authority's certificate in it (certReq).
    pub const fn new(hash: Sha256Hash, nonce: Nonce) -> Self {
        Self { hash, nonce }
    }

    /// The hash that is to be stamped.
    pub const fn hash(&self) -> &Sha256Hash {
        &self.hash
    }

    /// The number that the answer has to repeat.
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The `TimeStampReq`.
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm = encode(SEQUENCE, &[encode(OID, SHA256), vec![5, 0]].concat());
        let imprint = [algorithm, encode(OCTET_STRING, self.hash.as_bytes())].concat();
        let fields = [
            encode(INTEGER, &[1]),
            encode(SEQUENCE, &imprint),
            encode(INTEGER, self.nonce.as_der()),
            encode(BOOLEAN, &[0xff]),
        ];
        encode(SEQUENCE, &fields.concat())
    }
}
