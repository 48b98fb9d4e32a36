//! Making keys: once, by a person, never in passing.
//!
//! Order: 1 log key, 2 RSA key pair, 3 certificate signed by it, 4 certificate into the token. A crash
//! after 1 or 2 leaves keys without a certificate, which cannot have signed anything: the next call
//! finishes them. Where the certificate is, everything is.

use std::sync::Arc;

use cryptoki::session::Session;

use super::{
    CertificateSubject, Pkcs11Key, Pkcs11Options, generate, import::store_certificate, key, log_key, objects,
    token::Token,
};
use crate::{KeyError, KeyName, KeySet, NewKey, RsaBits, certificate};

/// Makes an RSA-3072 key that cannot leave the token, and its self-signed certificate, and opens it. No
/// log key: see [`create`](crate::create). Refuses if a key with that label is there: a key is never
/// replaced.
///
/// # Errors
/// There is something with that label already, or the token does not make the key.
pub fn create_key(options: &Pkcs11Options, subject: &CertificateSubject) -> Result<Pkcs11Key, KeyError> {
    let token = Arc::new(Token::new(options)?);
    let session = token.session(true)?;
    let new = NewKey { subject: subject.clone(), bits: RsaBits::default() };
    make_signing_key(&session, &token, label(options)?, &new)?;
    drop(session);
    Pkcs11Key::in_token(token, options)
}

/// Makes both keys and opens them.
pub(crate) fn create(options: &Pkcs11Options, new: &NewKey) -> Result<KeySet, KeyError> {
    let token = Arc::new(Token::new(options)?);
    let session = token.session(true)?;
    let label = label(options)?;
    // Before anything is made: a name that is taken, or an impossible certificate.
    if objects::find_traces(&session, &options.key)?.certificate {
        return Err(exists(&token, label));
    }
    certificate::check_subject(&new.subject)?;
    make_log_key(&session, &token, label)?;
    make_signing_key(&session, &token, label, new)?;
    drop(session);
    super::open(options)
}

/// Makes the log key beside an RSA key that is there, and opens both.
pub(crate) fn create_log_key(options: &Pkcs11Options) -> Result<KeySet, KeyError> {
    let token = Arc::new(Token::new(options)?);
    let beside = Pkcs11Key::in_token(token.clone(), options)?;
    let session = token.session(true)?;
    let label = KeyName::of_log_key(beside.label());
    if log_key::find(&session, token.label(), &label)?.is_some() {
        return Err(exists(&token, &label));
    }
    make_log_key(&session, &token, beside.label())?;
    drop(session);
    super::open(options)
}

fn exists(token: &Token, label: &str) -> KeyError {
    KeyError::KeyExists { token: token.label().to_owned(), key: label.to_owned() }
}

/// A new key has a label: its id is made by dice.
fn label(options: &Pkcs11Options) -> Result<&str, KeyError> {
    match &options.key {
        KeyName::Label(label) => Ok(label),
        KeyName::Id(_) => Err(KeyError::NotSaid("a new key is named by a label, not by an id")),
    }
}

fn make_log_key(session: &Session, token: &Token, beside: &str) -> Result<(), KeyError> {
    let label = KeyName::of_log_key(beside);
    if log_key::find(session, token.label(), &label)?.is_some() {
        tracing::warn!(token = token.label(), key = label, "the log key was made before; going on with it");
        return Ok(());
    }
    generate::log_key(session, token, &label)?;
    let missing = || KeyError::LogKeyMissing { token: token.label().to_owned(), key: beside.to_owned() };
    log_key::find(session, token.label(), &label)?.map(drop).ok_or_else(missing)
}

fn make_signing_key(session: &Session, token: &Token, label: &str, new: &NewKey) -> Result<(), KeyError> {
    let name = KeyName::label(label);
    let traces = objects::find_traces(session, &name)?;
    let object = match objects::find_key(session, token.label(), &name)? {
        Some(object) if !traces.certificate && objects::find_certificate(session, &object)?.is_none() => {
            tracing::warn!(
                token = token.label(),
                key = label,
                "the key was made before and has no certificate; making it"
            );
            object
        }
        // A damaged key can be invisible while its public half or its certificate is not: a new one
        // would be a replacement.
        None if !traces.any => {
            generate::rsa_key(session, token, label, new.bits)?;
            let missing = || KeyError::KeyMissing { token: token.label().to_owned(), key: label.to_owned() };
            objects::find_key(session, token.label(), &name)?.ok_or_else(missing)?
        }
        _ => return Err(exists(token, label)),
    };
    let public = objects::public_key(&object)?;
    let sign = |message: &[u8]| key::sign_raw(session, object.handle, message, &public);
    let made = certificate::self_signed(&new.subject, &object.spki, sign);
    let made = made.map_err(|error| key::named(error, token.label()))?;
    store_certificate(session, &object.id, label.as_bytes(), &made)
}
