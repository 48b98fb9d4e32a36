//! A certificate that a CA issued, with those above it, before it is taken as the key's.

use evidence::{Certificate, KeyId};
use jiff::Timestamp;
use x509_cert::der::{Decode, Encode, asn1::ObjectIdentifier};

use crate::KeyError;

/// Algorithms that CAs sign with (RFC 8017 appendices A.2.3 and A.2.4, RFC 5758 § 3.2, RFC 8410 § 3).
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
/// Curves (RFC 5480 § 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// The certificates of `pem`, DER: the key's own first, then each one's issuer.
///
/// # Errors
/// The first is of another key or not valid at `now`; one is not signed by the next, or in a way that
/// cannot be checked here: a link that nobody checked would look like one that holds.
pub(crate) fn judged(pem: &str, key: KeyId, now: Timestamp) -> Result<Vec<Vec<u8>>, KeyError> {
    let refused = |why: &str| KeyError::ImportRefused(why.to_owned());
    let chain = x509_cert::Certificate::load_pem_chain(pem.as_bytes());
    let chain = chain.map_err(|_| refused("the file holds no certificates in PEM form"))?;
    let Some(leaf) = chain.first() else {
        return Err(refused("the file holds no certificate in PEM form"));
    };
    let der =
        |one: &x509_cert::Certificate| one.to_der().map_err(|_| refused("a certificate cannot be read"));
    let own = Certificate::from_der(&der(leaf)?)
        .map_err(|_| refused("the first certificate of the file is not one of an RSA key"))?;
    if own.public_key().id() != key {
        return Err(refused(
            "the first certificate of the file is of another key; the key's own has to stand first",
        ));
    }
    if own.not_after() < now {
        return Err(KeyError::ImportRefused(format!("it has expired on {}", own.not_after())));
    }
    if own.not_before() > now {
        return Err(KeyError::ImportRefused(format!("it is valid only from {}", own.not_before())));
    }
    for (lower, upper) in chain.iter().zip(chain.iter().skip(1)) {
        let (lower_name, upper_name) = (lower.tbs_certificate().issuer(), upper.tbs_certificate().subject());
        if lower_name != upper_name {
            return Err(KeyError::ImportRefused(format!(
                "the file holds the certificates in another order than issued, or one is missing: below \
                 '{upper_name}' stands one that '{lower_name}' issued"
            )));
        }
        match is_signed_by(lower, upper) {
            Some(true) => {}
            Some(false) => {
                return Err(KeyError::ImportRefused(format!(
                    "the certificate of '{}' was not signed by the key of '{upper_name}' that the file holds",
                    lower.tbs_certificate().subject()
                )));
            }
            None => {
                return Err(KeyError::ImportRefused(format!(
                    "the certificate of '{}' is signed by an algorithm that is not known here, so that its \
                     chain cannot be checked: ask the CA for one signed with RSA, ECDSA (P-256, P-384) or \
                     Ed25519 over SHA-2, or import the key's own certificate alone",
                    lower.tbs_certificate().subject()
                )));
            }
        }
    }
    chain.iter().map(der).collect()
}

/// `None`: by an algorithm that is not known here.
fn is_signed_by(lower: &x509_cert::Certificate, upper: &x509_cert::Certificate) -> Option<bool> {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    let key = upper.tbs_certificate().subject_public_key_info();
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.to_der().ok());
    let on_p256 = curve.and_then(|der| ObjectIdentifier::from_der(&der).ok()) == Some(P256);
    let algorithms: &[&'static dyn VerificationAlgorithm] = match (lower.signature_algorithm().oid, on_p256) {
        (RSA_SHA256, _) => &[&RSA_PKCS1_2048_8192_SHA256],
        (RSA_SHA384, _) => &[&RSA_PKCS1_2048_8192_SHA384],
        (RSA_SHA512, _) => &[&RSA_PKCS1_2048_8192_SHA512],
        (ECDSA_SHA256, true) => &[&ECDSA_P256_SHA256_ASN1],
        (ECDSA_SHA384, true) => &[&ECDSA_P256_SHA384_ASN1],
        (ECDSA_SHA256, false) => &[&ECDSA_P384_SHA256_ASN1],
        (ECDSA_SHA384, false) => &[&ECDSA_P384_SHA384_ASN1],
        // Which hash it is stands in the parameters; the signature fits one of them or none.
        (RSA_PSS, _) => &[&RSA_PSS_2048_8192_SHA256, &RSA_PSS_2048_8192_SHA384, &RSA_PSS_2048_8192_SHA512],
        (ED25519, _) => &[&ring::signature::ED25519],
        _ => return None,
    };
    let content = lower.tbs_certificate().to_der().ok()?;
    let signature = lower.signature().as_bytes()?;
    let key = key.subject_public_key.as_bytes()?;
    Some(algorithms.iter().any(|one| UnparsedPublicKey::new(*one, key).verify(&content, signature).is_ok()))
}
