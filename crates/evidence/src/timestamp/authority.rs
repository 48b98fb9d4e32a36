//! Whom a reader believes, and the way from a token's certificate to one of them.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::digest;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring as algorithm};
use x509_cert::{
    Certificate, TbsCertificate,
    der::{Decode, Encode},
    ext::Extension,
};

use super::{
    TimeStampError,
    der::{NotDer, OCTET_STRING, OID, SEQUENCE, Values},
    signed_data::{CertificateHash, HashFunction, SignedData, SignerId},
};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What certificates may be signed with.
static CHAIN: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithm::RSA_PKCS1_2048_8192_SHA256,
    algorithm::RSA_PKCS1_2048_8192_SHA384,
    algorithm::RSA_PKCS1_2048_8192_SHA512,
    algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    algorithm::ECDSA_P256_SHA256,
    algorithm::ECDSA_P256_SHA384,
    algorithm::ECDSA_P384_SHA256,
    algorithm::ECDSA_P384_SHA384,
    algorithm::ED25519,
];

/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// CAs in between: where they are restricted to purposes, time stamps have to be one. The certificate
/// itself is looked at more closely by [`is_for_time_stamps`].
const PURPOSE: KeyUsage = KeyUsage::required_if_present(TIME_STAMPING);

/// Why certificates are of no use as roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// No `-----BEGIN CERTIFICATE-----`.
    #[error("there is no certificate in it (-----BEGIN CERTIFICATE-----)")]
    None,
    /// One of them cannot be read.
    #[error("certificate {number} of the authority cannot be read")]
    Unreadable {
        /// Counted from 1.
        number: usize,
    },
}

/// Certificates of time-stamp authorities that are believed: their roots, or CAs below them.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads all certificates of a PEM text.
    ///
    /// # Errors
    /// There is none, or one that is no X.509 certificate.
    pub fn from_pem(pem: &str) -> Result<Self, AuthoritiesError> {
        let mut certificates = Vec::new();
        for (i, part) in pem.split(BEGIN).skip(1).enumerate() {
            let unreadable = AuthoritiesError::Unreadable { number: i + 1 };
            let (body, _) = part.split_once(END).ok_or(unreadable)?;
            let packed: String = body.split_ascii_whitespace().collect();
            let der = CertificateDer::from(BASE64_STANDARD.decode(packed).map_err(|_| unreadable)?);
            anchor_from_trusted_cert(&der).map_err(|_| unreadable)?;
            certificates.push(der);
        }
        if certificates.is_empty() { Err(AuthoritiesError::None) } else { Ok(Self(certificates)) }
    }

    /// Checks that `data` was signed by a certificate that leads to one of these, was valid at `time`
    /// and is for time stamps; returns whose it is (RFC 4514).
    pub(super) fn judge(&self, data: &SignedData<'_>, time: Timestamp) -> Result<String, TimeStampError> {
        let function = data.hash_function.ok_or(TimeStampError::Algorithm)?;
        if function.of(data.content) != data.message_digest {
            return Err(TimeStampError::Signature);
        }
        let named = data.certificate_hash.as_ref().ok_or(TimeStampError::CertificateNotNamed)?;
        // The token's own come first; an authority may leave them out although it is asked for them.
        let known = data.certificates.iter().copied().chain(self.0.iter().map(AsRef::as_ref));
        let der = known.clone().find(|der| named.names(der)).ok_or(TimeStampError::CertificateMissing)?;
        let unusable = TimeStampError::CertificateUnusable;
        let parsed = Certificate::from_der(der).map_err(|_| unusable)?;
        if !data.signer.is(&parsed) {
            return Err(TimeStampError::Malformed);
        }
        let der = CertificateDer::from(der);
        let certificate = EndEntityCert::try_from(&der).map_err(|_| unusable)?;
        if !is_for_time_stamps(&parsed) {
            return Err(TimeStampError::NotForTimeStamps);
        }
        let anchors: Vec<TrustAnchor<'_>> =
            self.0.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
        let between: Vec<_> = data.certificates.iter().map(|der| CertificateDer::from(*der)).collect();
        certificate
            .verify_for_usage(CHAIN, &anchors, &between, unix_time(time), PURPOSE, None, None)
            .map_err(|error| chain_error(&error))?;
        verify_signature(&certificate, function, data)?;
        Ok(parsed.tbs_certificate().subject().to_string())
    }
}

impl CertificateHash<'_> {
    fn names(&self, der: &[u8]) -> bool {
        match self {
            Self::Sha1(hash) => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == *hash,
            Self::Sha2(function, hash) => function.of(der) == *hash,
        }
    }
}

impl SignerId<'_> {
    fn is(&self, certificate: &Certificate) -> bool {
        let certificate = certificate.tbs_certificate();
        match self {
            Self::IssuerAndSerial(issuer, serial) => {
                certificate.issuer().to_der().is_ok_and(|der| der == *issuer)
                    && certificate.serial_number().as_bytes() == *serial
            }
            Self::KeyIdentifier(id) => {
                extension(certificate, SUBJECT_KEY_IDENTIFIER).is_some_and(|extension| {
                    let mut value = Values::new(extension.extn_value.as_bytes());
                    value.take(OCTET_STRING).is_ok_and(|own| own == *id)
                })
            }
        }
    }
}

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";

fn extension<'a>(certificate: &'a TbsCertificate, oid: &str) -> Option<&'a Extension> {
    certificate.extensions()?.iter().find(|extension| extension.extn_id.to_string() == oid)
}

/// "The corresponding certificate MUST contain only one instance of the extended key usage field
/// extension … with KeyPurposeID having value id-kp-timeStamping. This extension MUST be critical."
/// (RFC 3161 § 2.3) A web server's certificate is none for time stamps.
fn is_for_time_stamps(certificate: &Certificate) -> bool {
    let Some(usage) = extension(certificate.tbs_certificate(), EXTENDED_KEY_USAGE) else { return false };
    let only = |bytes| -> Result<bool, NotDer> {
        let mut purposes = Values::inside(bytes, SEQUENCE)?;
        let first = purposes.take(OID)?;
        purposes.end()?;
        Ok(first == TIME_STAMPING)
    };
    usage.critical && only(usage.extn_value.as_bytes()).unwrap_or(false)
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA_WITH_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The algorithms that OID of the signature and hash function speak of. More than one where the kind of
/// key decides.
fn algorithms(
    oid: &[u8],
    function: HashFunction,
) -> Option<Vec<&'static dyn SignatureVerificationAlgorithm>> {
    use HashFunction::{Sha256, Sha384, Sha512};
    let (family, last) = oid.split_at(oid.len().saturating_sub(1));
    Some(match (family, last.first()?, function) {
        // rsaEncryption leaves the hash function to digestAlgorithm (RFC 3370 § 3.2).
        (RSA, 1 | 11, Sha256) => vec![algorithm::RSA_PKCS1_2048_8192_SHA256],
        (RSA, 1 | 12, Sha384) => vec![algorithm::RSA_PKCS1_2048_8192_SHA384],
        (RSA, 1 | 13, Sha512) => vec![algorithm::RSA_PKCS1_2048_8192_SHA512],
        (RSA, 10, Sha256) => vec![algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        (RSA, 10, Sha384) => vec![algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        (RSA, 10, Sha512) => vec![algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        (ECDSA_WITH_SHA2, 2, Sha256) => vec![algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA256],
        (ECDSA_WITH_SHA2, 3, Sha384) => vec![algorithm::ECDSA_P256_SHA384, algorithm::ECDSA_P384_SHA384],
        _ if oid == ED25519 => vec![algorithm::ED25519],
        _ => return None,
    })
}

fn verify_signature(
    certificate: &EndEntityCert<'_>,
    function: HashFunction,
    data: &SignedData<'_>,
) -> Result<(), TimeStampError> {
    let candidates = algorithms(data.signature_algorithm, function).ok_or(TimeStampError::Algorithm)?;
    let good = candidates.iter().any(|algorithm| {
        certificate.verify_signature(*algorithm, &data.signed_attributes, data.signature).is_ok()
    });
    if good { Ok(()) } else { Err(TimeStampError::Signature) }
}

fn unix_time(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_second().try_into().unwrap_or(0)))
}

fn chain_error(error: &webpki::Error) -> TimeStampError {
    match error {
        webpki::Error::CertExpired { .. } => TimeStampError::CertificateExpired,
        webpki::Error::CertNotValidYet { .. } => TimeStampError::CertificateNotValidYet,
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            TimeStampError::UnknownAuthority
        }
        webpki::Error::RequiredEkuNotFoundContext(_) => TimeStampError::NotForTimeStamps,
        _ => TimeStampError::CertificateUnusable,
    }
}
