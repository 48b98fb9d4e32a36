//! Certificates of signing keys (RFC 5280) and requests for them (RFC 2986), signed where the key lies.

pub(crate) mod chain;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rsa::{pkcs1v15::VerifyingKey, pkcs8::DecodePublicKey, sha2::Sha256, signature::Keypair};
use x509_cert::{
    builder::{Builder, CertificateBuilder, RequestBuilder, profile::BuilderProfile},
    certificate::TbsCertificate,
    der::{
        DateTime, Decode, DecodePem, Encode, EncodePem,
        asn1::{BitString, GeneralizedTime, ObjectIdentifier},
        pem::LineEnding,
    },
    ext::{
        Extension, ToExtension,
        pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::{
        AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SignatureAlgorithmIdentifier,
        SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
    },
    time::{Time, Validity},
};

use crate::{KeyError, SigningKey};

/// Longest common name and organisation (RFC 5280 appendix A.1, `ub-common-name`), characters.
const NAME_CHARACTERS: usize = 64;

/// Attributes of a name (RFC 5280 appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// What a new certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSubject {
    /// Who records: the organisation (`O`). May be empty.
    pub holder: String,
    /// The installation (`CN`).
    pub installation: String,
    /// Valid from then on; seconds count.
    pub valid_from: Timestamp,
    /// For so many years. Verifying old recordings needs no valid certificate, only the right one.
    pub years: u16,
}

/// A certificate and the parts of it that a token wants beside it, all in DER.
pub(crate) struct Made {
    pub(crate) der: Vec<u8>,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) serial_der: Vec<u8>,
}

impl Made {
    /// Reads a certificate that somebody else made.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(unusable)?;
        let content = parsed.tbs_certificate();
        Ok(Self {
            der: der.to_vec(),
            subject_der: content.subject().to_der().map_err(unusable)?,
            issuer_der: content.issuer().to_der().map_err(unusable)?,
            serial_der: content.serial_number().to_der().map_err(unusable)?,
        })
    }
}

/// Whether the key that it speaks of issued the certificate itself; also if it cannot be read.
pub(crate) fn is_self_issued(der: &[u8]) -> bool {
    Made::from_der(der).is_ok_and(|made| made.subject_der == made.issuer_der)
}

/// PEM, LF.
pub(crate) fn to_pem(der: &[u8]) -> Result<String, KeyError> {
    x509_cert::Certificate::from_der(der)
        .and_then(|certificate| certificate.to_pem(LineEnding::LF))
        .map_err(unusable)
}

/// Whether a certificate can say that.
pub(crate) fn check_subject(subject: &CertificateSubject) -> Result<(), KeyError> {
    distinguished_name(subject).and(validity(subject)).map(drop)
}

fn unusable(error: impl std::fmt::Display) -> KeyError {
    KeyError::Certificate(error.to_string())
}

/// A certificate for the key `spki`, which signs it through `sign`.
pub(crate) fn self_signed(
    subject: &CertificateSubject,
    spki: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>,
) -> Result<Made, KeyError> {
    let issuer = Issuer(VerifyingKey::from_public_key_der(spki).map_err(unusable)?);
    let name = distinguished_name(subject)?;
    let mut serial = rand::random::<[u8; 16]>();
    // Positive and without a leading zero, whatever the dice say (RFC 5280 § 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    let serial = SerialNumber::new(&serial).map_err(unusable)?;
    let public = SubjectPublicKeyInfoOwned::from_der(spki).map_err(unusable)?;
    let validity = validity(subject)?;
    let mut builder = CertificateBuilder::new(Profile(name), serial, validity, public).map_err(unusable)?;
    let signature = sign(&builder.finalize(&issuer).map_err(unusable)?)?;
    let signature = BitString::from_bytes(&signature).map_err(unusable)?;
    let certificate = builder.assemble(signature, &issuer).map_err(unusable)?;
    Made::from_der(&certificate.to_der().map_err(unusable)?)
}

/// Organisation and common name of a certificate that was made by Callseal; empty where there is none.
///
/// # Errors
/// Not a certificate.
pub fn holder_and_installation(pem: &str) -> Result<(String, String), KeyError> {
    let certificate = x509_cert::Certificate::from_pem(pem).map_err(unusable)?;
    let subject = certificate.tbs_certificate().subject();
    let value = |wanted: ObjectIdentifier| {
        let found = subject.iter().find(|part| part.oid == wanted);
        found.map(|part| String::from_utf8_lossy(part.value.value()).into_owned()).unwrap_or_default()
    };
    Ok((value(ORGANISATION), value(COMMON_NAME)))
}

/// A request for a certificate of `key`, PEM, LF (PKCS#10), with the subject that its certificate has, or
/// another. The key signs it, which proves to the CA that it is there.
///
/// # Errors
/// The subject cannot stand in a certificate, or the key does not sign.
pub fn request(key: &dyn SigningKey, subject: Option<&CertificateSubject>) -> Result<String, KeyError> {
    let certificate = x509_cert::Certificate::from_pem(key.certificate_pem()).map_err(unusable)?;
    let content = certificate.tbs_certificate();
    let spki = content.subject_public_key_info().to_der().map_err(unusable)?;
    let name = match subject {
        Some(subject) => distinguished_name(subject)?,
        None => content.subject().clone(),
    };
    let sign = |message: &[u8]| key.sign(message).map(|signature| signature.as_bytes().to_vec());
    requested(name, &spki, sign)
}

fn requested(
    name: Name,
    spki: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>,
) -> Result<String, KeyError> {
    let signer = Issuer(VerifyingKey::from_public_key_der(spki).map_err(unusable)?);
    let mut builder = RequestBuilder::new(name).map_err(unusable)?;
    let usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation);
    builder.add_extension(&usage).map_err(unusable)?;
    let signature = sign(&builder.finalize(&signer).map_err(unusable)?)?;
    let signature = BitString::from_bytes(&signature).map_err(unusable)?;
    let request = builder.assemble(signature, &signer).map_err(unusable)?;
    request.to_pem(LineEnding::LF).map_err(unusable)
}

fn distinguished_name(subject: &CertificateSubject) -> Result<Name, KeyError> {
    let installation = ("CN", &subject.installation);
    let mut parts = Vec::new();
    for (key, value) in [installation, ("O", &subject.holder)] {
        if value.chars().count() > NAME_CHARACTERS || value.chars().any(char::is_control) {
            return Err(unusable(format!(
                "{key} has to be at most {NAME_CHARACTERS} characters, none of control"
            )));
        }
        if !value.is_empty() {
            parts.push(format!("{key}={}", hex_escaped(value)));
        }
    }
    if subject.installation.is_empty() {
        return Err(unusable("the installation needs a name"));
    }
    parts.join(",").parse().map_err(unusable)
}

/// RFC 4514 § 2.4: every byte may be written as a backslash and two digits, so no comma, plus or quote
/// in a company's name can end it.
fn hex_escaped(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("\\{b:02x}") })
        .collect()
}

fn validity(subject: &CertificateSubject) -> Result<Validity, KeyError> {
    let from = subject.valid_from.to_zoned(TimeZone::UTC);
    let until = from.checked_add(i64::from(subject.years).years()).map_err(unusable)?;
    Ok(Validity::new(time(from.timestamp())?, time(until.timestamp())?))
}

fn time(at: Timestamp) -> Result<Time, KeyError> {
    let seconds = u64::try_from(at.as_second()).map_err(unusable)?;
    let at = DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).map_err(unusable)?;
    Ok(Time::GeneralTime(GeneralizedTime::from_date_time(at)))
}

/// Says to the builder what the token will sign with; it never signs by itself.
struct Issuer(VerifyingKey<Sha256>);

impl Keypair for Issuer {
    type VerifyingKey = VerifyingKey<Sha256>;
    fn verifying_key(&self) -> Self::VerifyingKey {
        self.0.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for Issuer {
    fn signature_algorithm_identifier(&self) -> x509_cert::spki::Result<AlgorithmIdentifierOwned> {
        let algorithm = VerifyingKey::<Sha256>::SIGNATURE_ALGORITHM_IDENTIFIER;
        Ok(AlgorithmIdentifierOwned { oid: algorithm.oid, parameters: algorithm.parameters.map(Into::into) })
    }
}

/// Self-signed, for signatures that are to be proof (`nonRepudiation`), no CA.
struct Profile(Name);

impl BuilderProfile for Profile {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let key_identifier = SubjectKeyIdentifier::try_from(key)?;
        let authority =
            AuthorityKeyIdentifier { key_identifier: Some(key_identifier.0.clone()), ..Default::default() };
        let usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation);
        let none = BasicConstraints { ca: false, path_len_constraint: None };
        // None of these asks what the others are.
        let subject = tbs.subject();
        Ok(vec![
            none.to_extension(subject, &[])?,
            usage.to_extension(subject, &[])?,
            key_identifier.to_extension(subject, &[])?,
            authority.to_extension(subject, &[])?,
        ])
    }
}
