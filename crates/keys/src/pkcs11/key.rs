//! An RSA key in a token, signing hash lists.

use std::{fmt, sync::Arc};

use cryptoki::{mechanism::Mechanism, object::ObjectHandle, session::Session};
use evidence::{Certificate, KeyId, PublicKey, Signature};

use super::{Pkcs11Options, objects, pool::Pool, token::Token};
use crate::{KeyError, KeyName, SigningKey};

/// An RSA key in a token. Any number of threads may sign at once: each takes a session of its own from
/// the pool.
pub struct Pkcs11Key {
    pool: Arc<Pool>,
    name: KeyName,
    label: String,
    certificate: Certificate,
    certificate_pem: String,
    chain_pem: String,
}

/// What the token holds of a key besides the key.
struct Found {
    label: String,
    certificate: Certificate,
    certificate_pem: String,
    chain_pem: String,
}

impl Pkcs11Key {
    /// Opens the key, finds its certificate and makes sure that it signs. Makes nothing: see
    /// [`create_key`](super::create_key).
    ///
    /// # Errors
    /// Library, token, PIN, key or certificate; the text says which, and what to do.
    pub fn open(options: &Pkcs11Options) -> Result<Self, KeyError> {
        Self::in_token(Arc::new(Token::new(options)?), options)
    }

    pub(crate) fn in_token(token: Arc<Token>, options: &Pkcs11Options) -> Result<Self, KeyError> {
        let found = Self::find(&token, options)?;
        let (name, id) = (options.key.clone(), found.certificate.public_key().id());
        let pool = Pool::new(token, options.sessions, move |session, token| {
            let missing = || KeyError::KeyMissing { token: token.label().to_owned(), key: name.to_string() };
            let object = objects::find_key(session, token.label(), &name)?.ok_or_else(missing)?;
            // The label may by now belong to another key: what that signs would be verified, and refused,
            // with the certificate of this one.
            match objects::public_key(&object)?.id() == id {
                true => Ok(object.handle),
                false => Err(missing()),
            }
        });
        let Found { label, certificate, certificate_pem, chain_pem } = found;
        let name = options.key.clone();
        let key = Self { pool, name, label, certificate, certificate_pem, chain_pem };
        key.check()?;
        Ok(key)
    }

    fn find(token: &Token, options: &Pkcs11Options) -> Result<Found, KeyError> {
        let session = token.session(false)?;
        let object = existing_key(&session, token, &options.key)?;
        let label = object.label.clone();
        let Some(certificate) = objects::find_certificate(&session, &object)? else {
            let traces = objects::find_traces(&session, &options.key)?;
            let (token, key) = (token.label().to_owned(), options.key.to_string());
            return Err(match traces.certificate {
                true => KeyError::KeyDamaged { token, key },
                false => KeyError::CertificateMissing { token, key },
            });
        };
        let chain_pem = objects::find_chain(&session, &certificate)?;
        let certificate_pem =
            certificate.to_pem().map_err(|error| KeyError::Certificate(error.to_string()))?;
        Ok(Found { label, certificate, certificate_pem, chain_pem })
    }

    /// The key's certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key's label, also if it was opened by its id.
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// The key; the error tells one that never was from one of which something is left.
pub(crate) fn existing_key(
    session: &Session,
    token: &Token,
    name: &KeyName,
) -> Result<objects::KeyObject, KeyError> {
    if let Some(object) = objects::find_key(session, token.label(), name)? {
        return Ok(object);
    }
    let traces = objects::find_traces(session, name)?;
    let (token, key) = (token.label().to_owned(), name.to_string());
    Err(match traces.any {
        true => KeyError::KeyDamaged { token, key },
        false => KeyError::KeyMissing { token, key },
    })
}

impl SigningKey for Pkcs11Key {
    fn key_id(&self) -> KeyId {
        self.certificate.public_key().id()
    }

    fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    fn certificate_now(&self) -> Result<String, KeyError> {
        self.pool.with(|session, _| {
            let (token, key) = (self.pool.token().label(), self.name.to_string());
            let missing = || KeyError::CertificateMissing { token: token.to_owned(), key };
            let object = objects::find_key(session, token, &self.name)?;
            let found = object.map(|object| objects::find_certificate(session, &object)).transpose()?;
            let certificate = found.flatten().ok_or_else(missing)?;
            certificate.to_pem().map_err(|error| KeyError::Certificate(error.to_string()))
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let public = self.certificate.public_key();
        let signed = self.pool.with(|session, key| sign_raw(session, key, message, public));
        signed.map(Signature::new).map_err(|error| named(error, self.pool.token().label()))
    }
}

/// Signs, and verifies what came out: a token with a damaged key can report success and return a wrong
/// signature.
pub(crate) fn sign_raw(
    session: &Session,
    key: ObjectHandle,
    message: &[u8],
    public: &PublicKey,
) -> Result<Vec<u8>, KeyError> {
    let signed = session.sign(&Mechanism::Sha256RsaPkcs, key, message);
    let bytes = signed.map_err(|source| KeyError::Hsm { doing: "sign", source })?;
    verified(bytes, message, public)
}

/// Hands a signature out only if it is one.
pub(crate) fn verified(bytes: Vec<u8>, message: &[u8], public: &PublicKey) -> Result<Vec<u8>, KeyError> {
    let signature = Signature::new(bytes);
    let verified = public.verify(message, &signature);
    verified.map_err(|_| KeyError::WrongSignature(String::new()))?;
    Ok(signature.as_bytes().to_vec())
}

/// Puts the token's name into an error that was made without it.
pub(crate) fn named(error: KeyError, token: &str) -> KeyError {
    match error {
        KeyError::WrongSignature(_) => KeyError::WrongSignature(token.to_owned()),
        other => other,
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Key")
            .field("token", &self.pool.token().label())
            .field("key_id", &self.key_id())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn openssl(dir: &std::path::Path, script: &str) -> Vec<u8> {
        let done = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// What a token with a damaged key does: it reports success and returns other bytes.
    #[test]
    fn a_signature_that_the_public_key_refuses_is_never_handed_out() {
        let dir = tempfile::tempdir().unwrap();
        let der = openssl(
            dir.path(),
            "openssl genrsa -out key.pem 2048 2>/dev/null; openssl rsa -in key.pem -pubout -outform DER 2>/dev/null",
        );
        let public = PublicKey::from_spki_der(&der).unwrap();
        let right = openssl(dir.path(), "printf text | openssl dgst -sha256 -sign key.pem");
        assert_eq!(verified(right.clone(), b"text", &public).unwrap(), right);
        for place in [0, right.len() / 2, right.len() - 1] {
            let mut wrong = right.clone();
            wrong[place] ^= 1;
            assert!(matches!(verified(wrong, b"text", &public), Err(KeyError::WrongSignature(_))));
        }
        assert!(matches!(verified(right, b"another text", &public), Err(KeyError::WrongSignature(_))));
    }
}
