//! What lies in a token: a private key and its certificate.

use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use evidence::{Certificate, PublicKey};
use rsa::{BoxedUint, RsaPublicKey, pkcs8::EncodePublicKey};

use crate::KeyError;

/// A private key as the token shows it.
pub(crate) struct KeyObject {
    /// Where it is, for sessions of this process.
    pub(crate) handle: ObjectHandle,
    /// `CKA_ID`: what key and certificate have in common.
    pub(crate) id: Vec<u8>,
    /// Its public half as `SubjectPublicKeyInfo`, DER.
    pub(crate) spki: Vec<u8>,
}

fn asking(source: Error) -> KeyError {
    KeyError::Hsm { doing: "list its keys", source }
}

/// The RSA private key with that label; `None` if there is none.
pub(crate) fn find_key(session: &Session, token: &str, label: &str) -> Result<Option<KeyObject>, KeyError> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template).map_err(asking)?;
    let handle = match found.as_slice() {
        [] => return Ok(None),
        [handle] => *handle,
        _ => return Err(KeyError::KeyAmbiguous { token: token.to_owned(), key: label.to_owned() }),
    };
    let wanted = [AttributeType::Id, AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut id, mut modulus, mut exponent) = (Vec::new(), Vec::new(), Vec::new());
    for attribute in session.get_attributes(handle, &wanted).map_err(asking)? {
        match attribute {
            Attribute::Id(value) => id = value,
            Attribute::Modulus(value) => modulus = value,
            Attribute::PublicExponent(value) => exponent = value,
            _ => {}
        }
    }
    Ok(Some(KeyObject { handle, id, spki: spki(&modulus, &exponent)? }))
}

fn spki(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, KeyError> {
    let number = BoxedUint::from_be_slice_vartime;
    RsaPublicKey::new(number(modulus), number(exponent))
        .map_err(|error| error.to_string())
        .and_then(|key| key.to_public_key_der().map_err(|error| error.to_string()))
        .map(|document| document.into_vec())
        .map_err(|why| KeyError::Certificate(format!("the public key in the token makes no sense ({why})")))
}

/// What has a label in a token.
pub(crate) struct Traces {
    /// Anything at all.
    pub(crate) any: bool,
    /// A certificate.
    pub(crate) certificate: bool,
}

/// Whether anything with that label is there, usable or not.
pub(crate) fn find_traces(session: &Session, label: &str) -> Result<Traces, KeyError> {
    let labelled = Attribute::Label(label.as_bytes().to_vec());
    let certificate = [Attribute::Class(ObjectClass::CERTIFICATE), labelled.clone()];
    let found = |template: &[Attribute]| {
        session.find_objects(template).map_err(asking).map(|found| !found.is_empty())
    };
    Ok(Traces { any: found(&[labelled])?, certificate: found(&certificate)? })
}

/// The certificate of `key`: by its id, and of its public key. Of several (a CA renewed it), the one
/// that became valid last.
pub(crate) fn find_certificate(session: &Session, key: &KeyObject) -> Result<Option<Certificate>, KeyError> {
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Id(key.id.clone()),
    ];
    let public = public_key(key)?;
    let mut best: Option<Certificate> = None;
    for handle in session.find_objects(&template).map_err(asking)? {
        for attribute in session.get_attributes(handle, &[AttributeType::Value]).map_err(asking)? {
            let Attribute::Value(der) = attribute else { continue };
            let Ok(certificate) = Certificate::from_der(&der) else { continue };
            let newer = best.as_ref().is_none_or(|other| other.not_before() < certificate.not_before());
            if certificate.public_key().id() == public.id() && newer {
                best = Some(certificate);
            }
        }
    }
    Ok(best)
}

/// The public half of `key`.
pub(crate) fn public_key(key: &KeyObject) -> Result<PublicKey, KeyError> {
    PublicKey::from_spki_der(&key.spki).map_err(|error| KeyError::Certificate(error.to_string()))
}
