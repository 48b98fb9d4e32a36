//! What lies in a token: a private key and its certificate.

use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use evidence::{Certificate, PublicKey};
use rsa::{BoxedUint, RsaPublicKey, pkcs8::EncodePublicKey};

use crate::{KeyError, KeyName, certificate};

/// A private key as the token shows it.
pub(crate) struct KeyObject {
    /// Where it is, for sessions of this process.
    pub(crate) handle: ObjectHandle,
    /// `CKA_ID`: what key and certificate have in common.
    pub(crate) id: Vec<u8>,
    /// `CKA_LABEL`.
    pub(crate) label: String,
    /// Its public half as `SubjectPublicKeyInfo`, DER.
    pub(crate) spki: Vec<u8>,
}

fn asking(source: Error) -> KeyError {
    KeyError::Hsm { doing: "list its keys", source }
}

/// The attribute that finds what has this name.
fn named(name: &KeyName) -> Attribute {
    match name {
        KeyName::Label(label) => Attribute::Label(label.as_bytes().to_vec()),
        KeyName::Id(id) => Attribute::Id(id.clone()),
    }
}

/// The RSA private key with that name; `None` if there is none.
pub(crate) fn find_key(
    session: &Session,
    token: &str,
    name: &KeyName,
) -> Result<Option<KeyObject>, KeyError> {
    let template =
        [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::RSA), named(name)];
    let found = session.find_objects(&template).map_err(asking)?;
    let handle = match found.as_slice() {
        [] => return Ok(None),
        [handle] => *handle,
        _ => return Err(KeyError::KeyAmbiguous { token: token.to_owned(), key: name.to_string() }),
    };
    let wanted =
        [AttributeType::Id, AttributeType::Label, AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut id, mut label, mut modulus, mut exponent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for attribute in session.get_attributes(handle, &wanted).map_err(asking)? {
        match attribute {
            Attribute::Id(value) => id = value,
            Attribute::Label(value) => label = value,
            Attribute::Modulus(value) => modulus = value,
            Attribute::PublicExponent(value) => exponent = value,
            _ => {}
        }
    }
    let label = String::from_utf8_lossy(&label).into_owned();
    Ok(Some(KeyObject { handle, id, label, spki: spki(&modulus, &exponent)? }))
}

fn spki(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, KeyError> {
    let number = BoxedUint::from_be_slice_vartime;
    RsaPublicKey::new(number(modulus), number(exponent))
        .map_err(|error| error.to_string())
        .and_then(|key| key.to_public_key_der().map_err(|error| error.to_string()))
        .map(|document| document.into_vec())
        .map_err(|why| KeyError::Certificate(format!("the public key in the token makes no sense ({why})")))
}

/// What has a name in a token.
pub(crate) struct Traces {
    /// Anything at all.
    pub(crate) any: bool,
    /// A certificate.
    pub(crate) certificate: bool,
}

/// Whether anything with that name is there, usable or not.
pub(crate) fn find_traces(session: &Session, name: &KeyName) -> Result<Traces, KeyError> {
    let labelled = named(name);
    let certificate = [Attribute::Class(ObjectClass::CERTIFICATE), labelled.clone()];
    let found = |template: &[Attribute]| {
        session.find_objects(template).map_err(asking).map(|found| !found.is_empty())
    };
    Ok(Traces { any: found(&[labelled])?, certificate: found(&certificate)? })
}

/// The certificate of `key`: by its id, and of its public key. Of several, one that a CA issued counts
/// before the one that the key signed itself, then the one that became valid last.
pub(crate) fn find_certificate(session: &Session, key: &KeyObject) -> Result<Option<Certificate>, KeyError> {
    let public = public_key(key)?;
    let of_key = |der: Vec<u8>| {
        let certificate = Certificate::from_der(&der).ok()?;
        let issued = !certificate::is_self_issued(&der);
        (certificate.public_key().id() == public.id()).then_some((issued, certificate))
    };
    let found = certificates(session, vec![Attribute::Id(key.id.clone())])?.into_iter().filter_map(of_key);
    Ok(found.max_by_key(|(issued, certificate)| (*issued, certificate.not_before())).map(|(_, found)| found))
}

/// The certificates above `leaf`, PEM, in the order from its issuer up; empty if there are none.
pub(crate) fn find_chain(session: &Session, leaf: &Certificate) -> Result<String, KeyError> {
    let mut chain = String::new();
    for number in 1.. {
        let (id, label) = above(leaf, number);
        let mut found = certificates(session, vec![Attribute::Id(id), Attribute::Label(label)])?;
        let Some(der) = found.pop() else { break };
        chain.push_str(&certificate::to_pem(&der)?);
    }
    Ok(chain)
}

/// `CKA_ID` and `CKA_LABEL` of the `number`-th certificate above `leaf`, from 1. The id is the leaf's, not
/// the key's: with another certificate the key gets another chain.
pub(crate) fn above(leaf: &Certificate, number: usize) -> (Vec<u8>, Vec<u8>) {
    (leaf.fingerprint().as_bytes().to_vec(), format!("chain {number}").into_bytes())
}

fn certificates(session: &Session, by: Vec<Attribute>) -> Result<Vec<Vec<u8>>, KeyError> {
    let kind =
        [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::CertificateType(CertificateType::X_509)];
    let template = [&kind[..], &by].concat();
    let mut found = Vec::new();
    for handle in session.find_objects(&template).map_err(asking)? {
        for attribute in session.get_attributes(handle, &[AttributeType::Value]).map_err(asking)? {
            if let Attribute::Value(der) = attribute {
                found.push(der);
            }
        }
    }
    Ok(found)
}

/// The public half of `key`.
pub(crate) fn public_key(key: &KeyObject) -> Result<PublicKey, KeyError> {
    PublicKey::from_spki_der(&key.spki).map_err(|error| KeyError::Certificate(error.to_string()))
}
