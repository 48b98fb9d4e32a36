//! A time stamp, and the judgement of it.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{Authorities, TimeStampRequest, der::NotDer, signed_data::SignedData, tst_info::TstInfo};
use crate::Sha256Hash;

/// What is wrong with a time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeStampError {
    /// Not a token of RFC 3161.
    #[error("not a time stamp (RFC 3161), or a damaged one")]
    Malformed,
    /// Of other data.
    #[error("the time stamp is one of other data")]
    OtherHash,
    /// The answer to another request.
    #[error("the time stamp answers another request (its nonce differs)")]
    OtherNonce,
    /// Changed, or signed by another key than it says.
    #[error("the signature of the time stamp is wrong: it was changed, or another key made it")]
    Signature,
    /// A signature nobody should make any more, or one too new for us.
    #[error(
        "the time stamp is signed in a way that is not supported (RSA, ECDSA P-256 and P-384, Ed25519, with SHA-2)"
    )]
    Algorithm,
    /// Without the attribute that names the certificate (RFC 5816), another could be put in its place.
    #[error("the time stamp does not say by which certificate it was signed")]
    CertificateNotNamed,
    /// Neither in the token nor among the authorities.
    #[error("the certificate of the time stamp is neither in it nor among the authorities given")]
    CertificateMissing,
    /// Cannot be read, or breaks the rules for certificates.
    #[error("the certificate of the time stamp, or one it leads to, cannot be used")]
    CertificateUnusable,
    /// Leads to none of the given authorities.
    #[error("the time stamp was not made by one of the authorities given")]
    UnknownAuthority,
    /// Made after the certificate's end.
    #[error("the authority's certificate had expired when the time stamp was made")]
    CertificateExpired,
    /// Made before the certificate's beginning.
    #[error("the authority's certificate was not yet valid when the time stamp was made")]
    CertificateNotValidYet,
    /// Of a web server or a person, for example.
    #[error("the certificate of the time stamp is not one for time stamps (extended key usage)")]
    NotForTimeStamps,
}

impl From<NotDer> for TimeStampError {
    fn from(_: NotDer) -> Self {
        Self::Malformed
    }
}

/// What a time stamp proves, once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStamp {
    /// The hash existed at this time.
    pub time: Timestamp,
    /// How far off the authority's clock may be; zero where it does not say.
    pub accuracy: Duration,
    /// The authority's number of this token, lower-case hexadecimal.
    pub serial: String,
    /// Whose certificate signed it (RFC 4514).
    pub authority: String,
}

/// A token as the authority made it: a ContentInfo in DER. Nothing it says is believed before
/// [`verify`](Self::verify).
#[derive(Clone, PartialEq, Eq)]
pub struct TimeStampToken {
    der: Vec<u8>,
    info: TstInfo,
}

impl TimeStampToken {
    /// Reads a token, as `openssl ts -reply -token_out` writes it.
    ///
    /// # Errors
    /// [`TimeStampError::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, TimeStampError> {
        let info = TstInfo::from_der(SignedData::from_der(der)?.content)?;
        Ok(Self { der: der.to_vec(), info })
    }

    /// The raw token: the bytes that are kept.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The time it claims.
    pub const fn claimed_time(&self) -> Timestamp {
        self.info.time
    }

    /// The hash that it claims to stamp (SHA-256); `None`: it stamps one of another kind.
    pub const fn claimed_hash(&self) -> Option<&Sha256Hash> {
        self.info.imprint.as_ref()
    }

    /// Whether it is the answer to `request` and no older one.
    ///
    /// # Errors
    /// [`TimeStampError::OtherHash`], [`TimeStampError::OtherNonce`].
    pub fn answers(&self, request: &TimeStampRequest) -> Result<(), TimeStampError> {
        if self.info.imprint.as_ref() != Some(request.hash()) {
            return Err(TimeStampError::OtherHash);
        }
        let same = self.info.nonce.as_deref() == Some(request.nonce().as_der());
        if same { Ok(()) } else { Err(TimeStampError::OtherNonce) }
    }

    /// Checks that it stamps `hash`, is whole, and was signed by a certificate for time stamps that was
    /// valid then and leads to one of `authorities`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, authorities: &Authorities, hash: &Sha256Hash) -> Result<TimeStamp, TimeStampError> {
        let data = SignedData::from_der(&self.der)?;
        let authority = authorities.judge(&data, self.info.time)?;
        if self.info.imprint.as_ref() != Some(hash) {
            return Err(TimeStampError::OtherHash);
        }
        let TstInfo { time, accuracy, .. } = self.info;
        Ok(TimeStamp { time, accuracy, serial: hex::encode(&self.info.serial), authority })
    }
}

impl fmt::Debug for TimeStampToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeStampToken").field("claimed_time", &self.info.time).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::{
        der::{INTEGER, OCTET_STRING, SEQUENCE, SET, context, encode},
        token_of_response,
    };

    proptest! {
        /// Bytes that are put together from the tags of a token get deeper than noise does.
        #[test]
        fn bytes_that_are_no_token_are_refused_without_a_panic(
            parts in proptest::collection::vec(
                (prop::sample::select(vec![SEQUENCE, SET, INTEGER, OCTET_STRING, 0x06, context(0)]), any::<[u8; 3]>()),
                0..8,
            ),
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let nested = parts.iter().fold(noise.clone(), |inner, (tag, before)| {
                encode(*tag, &[encode(INTEGER, before), inner].concat())
            });
            for bytes in [noise, nested] {
                prop_assert_eq!(TimeStampToken::from_der(&bytes), Err(TimeStampError::Malformed));
                prop_assert!(token_of_response(&bytes).is_err());
            }
        }
    }
}
