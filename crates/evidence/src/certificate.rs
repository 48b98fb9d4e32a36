//! The certificate that says whose key signs (F-55).

use std::fmt;

use jiff::Timestamp;
use x509_cert::der::{Decode, DecodePem, Encode, EncodePem, pem::LineEnding};

use crate::{PublicKey, Sha256Hash, signature::PublicKeyError};

/// Why a text is not a certificate of a signing key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not X.509.
    #[error("not an X.509 certificate")]
    NotCertificate(#[source] x509_cert::der::Error),
    /// X.509, but of another kind of key.
    #[error("the certificate is not one of an RSA key")]
    NotRsa(#[source] PublicKeyError),
}

/// An X.509 certificate of an RSA key. Its own signature is not judged: it is self-signed, or who reads
/// it knows the CA. What counts is where it came from; compare [`Certificate::fingerprint`].
#[derive(Clone)]
pub struct Certificate {
    parsed: x509_cert::Certificate,
    key: PublicKey,
    fingerprint: Sha256Hash,
}

impl Certificate {
    /// Reads `-----BEGIN CERTIFICATE-----`; the first one, if there are several.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let begin = pem.find("-----BEGIN CERTIFICATE-----").unwrap_or(0);
        let end = "-----END CERTIFICATE-----";
        let end = pem[begin..].find(end).map_or(pem.len(), |at| begin + at + end.len());
        x509_cert::Certificate::from_pem(&pem[begin..end])
            .map_err(CertificateError::NotCertificate)
            .and_then(Self::new)
    }

    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        x509_cert::Certificate::from_der(der).map_err(CertificateError::NotCertificate).and_then(Self::new)
    }

    fn new(parsed: x509_cert::Certificate) -> Result<Self, CertificateError> {
        let der = parsed.to_der().map_err(CertificateError::NotCertificate)?;
        let spki = parsed.tbs_certificate().subject_public_key_info().to_der();
        let spki = spki.map_err(CertificateError::NotCertificate)?;
        let key = PublicKey::from_spki_der(&spki).map_err(CertificateError::NotRsa)?;
        Ok(Self { parsed, key, fingerprint: Sha256Hash::of(&der) })
    }

    /// The key it speaks of.
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256 over the DER form, as `openssl x509 -fingerprint -sha256` shows it (there with colons).
    pub const fn fingerprint(&self) -> Sha256Hash {
        self.fingerprint
    }

    /// Whose key it is (RFC 4514).
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> Timestamp {
        timestamp(self.parsed.tbs_certificate().validity().not_before)
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> Timestamp {
        timestamp(self.parsed.tbs_certificate().validity().not_after)
    }

    /// The PEM form, LF.
    pub fn to_pem(&self) -> Result<String, CertificateError> {
        self.parsed.to_pem(LineEnding::LF).map_err(CertificateError::NotCertificate)
    }
}

fn timestamp(time: x509_cert::time::Time) -> Timestamp {
    Timestamp::from_second(time.to_unix_duration().as_secs() as i64).unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("subject", &self.subject()).field("key", &self.key.id()).finish()
    }
}
