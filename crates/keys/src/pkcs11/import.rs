//! Certificates into the token.

use std::sync::Arc;

use cryptoki::{
    object::{Attribute, CertificateType, ObjectClass},
    session::Session,
};
use evidence::Certificate;
use jiff::Timestamp;

use super::{Pkcs11Options, key::existing_key, objects, token::Token};
use crate::{
    KeyError,
    certificate::{self, Made, chain},
};

/// Keeps the first certificate of `pem` as the key's, the others as the chain above it. All of them were
/// judged before the token gets the first.
///
/// Order: chain from the top, then the key's own: where that is, the chain is complete.
pub(crate) fn import_certificate(options: &Pkcs11Options, pem: &str) -> Result<(), KeyError> {
    let token = Arc::new(Token::new(options)?);
    let session = token.session(true)?;
    let key = existing_key(&session, &token, &options.key)?;
    let public = objects::public_key(&key)?;
    let certificates = chain::judged(pem, public.id(), Timestamp::now())?;
    let Some((own, above)) = certificates.split_first() else { return Ok(()) };
    let leaf = Certificate::from_der(own).map_err(|error| KeyError::ImportRefused(error.to_string()))?;
    for (number, der) in above.iter().enumerate().rev() {
        let (id, label) = objects::above(&leaf, number + 1);
        store_certificate(&session, &id, &label, &Made::from_der(der)?)?;
    }
    store_certificate(&session, &key.id, key.label.as_bytes(), &Made::from_der(own)?)
}

/// Puts a certificate into the token; one that is there with the same bytes, id and label stays.
pub(super) fn store_certificate(
    session: &Session,
    id: &[u8],
    label: &[u8],
    made: &Made,
) -> Result<(), KeyError> {
    let failed = |source| KeyError::Hsm { doing: "store the certificate", source };
    certificate::to_pem(&made.der)?;
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(label.to_vec()),
        Attribute::Id(id.to_vec()),
        Attribute::Subject(made.subject_der.clone()),
        Attribute::Issuer(made.issuer_der.clone()),
        Attribute::SerialNumber(made.serial_der.clone()),
        Attribute::Value(made.der.clone()),
    ];
    let known = session.find_objects(&template).map_err(failed)?;
    if !known.is_empty() {
        return Ok(());
    }
    session.create_object(&template).map(drop).map_err(failed)
}
