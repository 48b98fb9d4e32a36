//! Time stamps (RFC 3161): somebody else's signature under "this hash existed then".
//!
//! A signer's clock is the operator's own, and so is the key that signs recordings; a time-stamp
//! authority is neither. [`TimeStampRequest`] asks, [`TimeStampToken`] is the answer, kept as it came,
//! in the form that `openssl ts -verify -token_in -in FILE` takes. A token counts only when
//! [`TimeStampToken::verify`] has led it to one of the [`Authorities`] that the reader of an archive
//! chose; what it says before that is a claim.
//!
//! Judged is as of the time in the token, so that a token outlives its authority's certificate. Lists
//! of revoked certificates are not asked for: that needs a network.
//!
//! Signatures: RSA (PKCS#1 v1.5, PSS), ECDSA with P-256 and P-384, Ed25519, over SHA-256, -384, -512.

mod authority;
mod der;
mod request;
mod response;
mod signed_data;
mod token;
mod tst_info;

pub use authority::{Authorities, AuthoritiesError};
pub use request::{Nonce, TimeStampRequest};
pub use response::{ResponseError, token_of_response};
pub use token::{TimeStamp, TimeStampError, TimeStampToken};
