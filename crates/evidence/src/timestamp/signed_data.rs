//! The envelope of a token: SignedData with one signer (RFC 5652 § 5).

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{INTEGER, NotDer, OCTET_STRING, OID, SEQUENCE, SET, Value, Values, context, context_plain};
use super::request::SHA256;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// A hash function that is good for signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashFunction {
    Sha256,
    Sha384,
    Sha512,
}

impl HashFunction {
    fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// How the signed attributes name the certificate of the signer (RFC 5035).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CertificateHash<'a> {
    /// ESSCertID.
    Sha1(&'a [u8]),
    /// ESSCertIDv2.
    Sha2(HashFunction, &'a [u8]),
}

/// How SignerInfo names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignerId<'a> {
    /// The issuer's whole name, and the content of the serial number.
    IssuerAndSerial(&'a [u8], &'a [u8]),
    /// The subject key identifier.
    KeyIdentifier(&'a [u8]),
}

/// All that the judgement needs.
#[derive(Debug)]
pub(super) struct SignedData<'a> {
    /// The TSTInfo.
    pub content: &'a [u8],
    /// DER of each.
    pub certificates: Vec<&'a [u8]>,
    pub signer: SignerId<'a>,
    /// `None`: one that is not supported.
    pub hash_function: Option<HashFunction>,
    /// The bytes that are signed.
    pub signed_attributes: Vec<u8>,
    pub message_digest: &'a [u8],
    pub certificate_hash: Option<CertificateHash<'a>>,
    /// OID.
    pub signature_algorithm: &'a [u8],
    pub signature: &'a [u8],
}

impl<'a> SignedData<'a> {
    /// Reads a ContentInfo that holds a TSTInfo, signed by one.
    pub fn from_der(der: &'a [u8]) -> Result<Self, NotDer> {
        let mut content_info = Values::inside(der, SEQUENCE)?;
        is(content_info.take(OID)?, SIGNED_DATA)?;
        let mut explicit = content_info.enter(context(0))?;
        content_info.end()?;
        let mut signed_data = explicit.enter(SEQUENCE)?;
        explicit.end()?;

        // Version 3, since the content is not "data" (RFC 5652 § 5.1).
        is(signed_data.take(INTEGER)?, &[3])?;
        signed_data.take(SET)?;
        let mut encapsulated = signed_data.enter(SEQUENCE)?;
        is(encapsulated.take(OID)?, TST_INFO)?;
        let mut explicit = encapsulated.enter(context(0))?;
        encapsulated.end()?;
        let content = explicit.take(OCTET_STRING)?;
        explicit.end()?;
        let mut certificates = Vec::new();
        if let Some(set) = signed_data.optional(context(0))? {
            let mut set = Values::new(set.content);
            while !set.is_empty() {
                // Others than X.509 (attribute certificates) have other tags.
                certificates.extend(Some(set.any()?).filter(|value| value.tag == SEQUENCE).map(|v| v.whole));
            }
        }
        signed_data.optional(context(1))?;
        let mut signers = signed_data.enter(SET)?;
        signed_data.end()?;
        let signer = signers.enter(SEQUENCE)?;
        // "The time-stamp token MUST NOT contain any signatures other than the signature of the TSA."
        signers.end()?;
        Self::read_signer(signer, content, certificates)
    }

    fn read_signer(
        mut signer: Values<'a>,
        content: &'a [u8],
        certificates: Vec<&'a [u8]>,
    ) -> Result<Self, NotDer> {
        let version = signer.take(INTEGER)?;
        let id = if let Some(id) = signer.optional(context_plain(0))? {
            is(version, &[3])?;
            SignerId::KeyIdentifier(id.content)
        } else {
            is(version, &[1])?;
            let mut id = signer.enter(SEQUENCE)?;
            let issuer = id.value(SEQUENCE)?.whole;
            let serial = id.take(INTEGER)?;
            id.end()?;
            SignerId::IssuerAndSerial(issuer, serial)
        };
        let hash_function = HashFunction::from_oid(signer.enter(SEQUENCE)?.take(OID)?);
        let attributes = signer.value(context(0))?;
        let signature_algorithm = signer.enter(SEQUENCE)?.take(OID)?;
        let signature = signer.take(OCTET_STRING)?;
        // Unsigned attributes say nothing that is signed.
        signer.optional(context(1))?;
        signer.end()?;
        let read = Attributes::read(attributes)?;
        // What is signed is not [0] but the SET OF (RFC 5652 § 5.4).
        let mut signed_attributes = attributes.whole.to_vec();
        signed_attributes[0] = SET;
        Ok(Self {
            content,
            certificates,
            signer: id,
            hash_function,
            signed_attributes,
            message_digest: read.message_digest.ok_or(NotDer)?,
            certificate_hash: read.certificate_hash,
            signature_algorithm,
            signature,
        })
    }
}

#[derive(Default)]
struct Attributes<'a> {
    message_digest: Option<&'a [u8]>,
    certificate_hash: Option<CertificateHash<'a>>,
}

impl<'a> Attributes<'a> {
    fn read(set: Value<'a>) -> Result<Self, NotDer> {
        let mut read = Self::default();
        let mut content_type = None;
        let mut set = Values::new(set.content);
        while !set.is_empty() {
            let mut attribute = set.enter(SEQUENCE)?;
            let oid = attribute.take(OID)?;
            let mut values = attribute.enter(SET)?;
            attribute.end()?;
            match oid {
                CONTENT_TYPE => once(&mut content_type, values.take(OID)?)?,
                MESSAGE_DIGEST => once(&mut read.message_digest, values.take(OCTET_STRING)?)?,
                SIGNING_CERTIFICATE => {
                    let hash = CertificateHash::Sha1(first_certificate(&mut values)?.take(OCTET_STRING)?);
                    // Version 2 counts where both are there.
                    read.certificate_hash.get_or_insert(hash);
                }
                SIGNING_CERTIFICATE_V2 => {
                    let mut id = first_certificate(&mut values)?;
                    let function = match id.optional(SEQUENCE)? {
                        None => HashFunction::Sha256,
                        Some(algorithm) => {
                            let oid = Values::new(algorithm.content).take(OID)?;
                            HashFunction::from_oid(oid).ok_or(NotDer)?
                        }
                    };
                    read.certificate_hash = Some(CertificateHash::Sha2(function, id.take(OCTET_STRING)?));
                }
                _ => continue,
            }
            values.end()?;
        }
        is(content_type.ok_or(NotDer)?, TST_INFO)?;
        Ok(read)
    }
}

/// Into the first ESSCertID of a SigningCertificate: that of the signer.
fn first_certificate<'a>(values: &mut Values<'a>) -> Result<Values<'a>, NotDer> {
    values.enter(SEQUENCE)?.enter(SEQUENCE)?.enter(SEQUENCE)
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Result<(), NotDer> {
    if slot.replace(value).is_some() { Err(NotDer) } else { Ok(()) }
}

fn is(found: &[u8], expected: &[u8]) -> Result<(), NotDer> {
    if found == expected { Ok(()) } else { Err(NotDer) }
}
