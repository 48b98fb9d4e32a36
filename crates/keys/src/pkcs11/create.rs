//! Making a key: once, by a person, never in passing.
//!
//! Order: 1 key pair, 2 certificate signed by it, 3 certificate into the token. A crash after 1 leaves a
//! key without a certificate, which cannot have signed anything: the next call finishes it.

use cryptoki::{
    error::Error,
    mechanism::Mechanism,
    object::{Attribute, AttributeType, CertificateType, ObjectClass, ObjectHandle},
    session::Session,
};
use evidence::Certificate;

use super::{CertificateSubject, Pkcs11Key, Pkcs11Options, certificate, key, objects, token::Token};
use crate::KeyError;

/// BSI TR-02102-1: 3000 bits and more.
const MODULUS_BITS: u64 = 3072;

/// Makes an RSA-3072 key that cannot leave the token, and its self-signed certificate, and opens it.
/// Refuses if a key with that label is there: a key is never replaced.
pub fn create_key(options: &Pkcs11Options, subject: &CertificateSubject) -> Result<Pkcs11Key, KeyError> {
    let token = Token::new(options)?;
    let session = token.session(true)?;
    let names = (token.label(), options.key_label.as_str());
    let exists = || KeyError::KeyExists { token: names.0.to_owned(), key: names.1.to_owned() };
    let traces = objects::find_traces(&session, names.1)?;
    let object = match objects::find_key(&session, names.0, names.1)? {
        Some(object) if !traces.certificate && objects::find_certificate(&session, &object)?.is_none() => {
            tracing::warn!(
                token = names.0,
                key = names.1,
                "the key was made before and has no certificate; making it"
            );
            object
        }
        // A damaged key can be invisible while its public half or its certificate is not: a new one
        // would be a replacement.
        None if !traces.any => generate(&session, names)?,
        _ => return Err(exists()),
    };
    let public = objects::public_key(&object)?;
    let sign = |message: &[u8]| key::sign_raw(&session, object.handle, message, &public);
    let certificate =
        certificate::self_signed(subject, &object.spki, sign).map_err(|e| key::named(e, names.0))?;
    store_certificate(&session, &object.id, names.1, &certificate)?;
    session.close().map_err(|source| KeyError::Hsm { doing: "close the session", source })?;
    Pkcs11Key::open(options)
}

fn generate(session: &Session, (token, label): (&str, &str)) -> Result<objects::KeyObject, KeyError> {
    let failed = |source: Error| KeyError::Hsm { doing: "make an RSA-3072 key", source };
    let id = rand::random::<[u8; 16]>().to_vec();
    let named = [Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec()), Attribute::Id(id)];
    let public = [
        Attribute::Private(false),
        Attribute::ModulusBits(MODULUS_BITS.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Verify(true),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
    ];
    let private = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
    ];
    let (public, private) = ([&named[..], &public].concat(), [&named[..], &private].concat());
    let made = session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).map_err(failed)?;
    if !stays_inside(session, made.1).map_err(failed)? {
        // It has signed nothing yet.
        for handle in [made.0, made.1] {
            session.destroy_object(handle).map_err(failed)?;
        }
        return Err(KeyError::KeyLeaves(token.to_owned()));
    }
    let missing = || KeyError::KeyMissing { token: token.to_owned(), key: label.to_owned() };
    objects::find_key(session, token, label)?.ok_or_else(missing)
}

/// What the token says of the key, not what was asked of it.
fn stays_inside(session: &Session, key: ObjectHandle) -> Result<bool, Error> {
    let wanted = [
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
    ];
    let attributes = session.get_attributes(key, &wanted)?;
    let promises = [
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
    ];
    Ok(promises.iter().all(|promise| attributes.contains(promise)))
}

fn store_certificate(
    session: &Session,
    id: &[u8],
    label: &str,
    made: &certificate::Made,
) -> Result<(), KeyError> {
    // Read back as others will read it, before the token gets it.
    Certificate::from_der(&made.der).map_err(|error| KeyError::Certificate(error.to_string()))?;
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
        Attribute::Subject(made.subject_der.clone()),
        Attribute::Issuer(made.subject_der.clone()),
        Attribute::SerialNumber(made.serial_der.clone()),
        Attribute::Value(made.der.clone()),
    ];
    let stored = session.create_object(&template);
    stored.map(drop).map_err(|source| KeyError::Hsm { doing: "store the certificate", source })
}
