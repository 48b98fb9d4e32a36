//! A key in a token, signing.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    error::{Error, RvError},
    mechanism::Mechanism,
    object::ObjectHandle,
    session::Session,
};
use evidence::{Certificate, KeyId, PublicKey, Signature};

use super::{Pkcs11Options, objects, token::Token};
use crate::{KeyError, SigningKey};

/// An RSA key in a token. Any number of threads may sign at once: each takes a session of its own from
/// the pool (a session is not to be shared, PKCS#11 § 2.6.7).
pub struct Pkcs11Key {
    token: Token,
    key_label: String,
    certificate: Certificate,
    certificate_pem: String,
    idle: Mutex<Vec<Worker>>,
}

/// A logged-in session that knows the key.
struct Worker {
    session: Session,
    key: ObjectHandle,
}

impl Pkcs11Key {
    /// Opens the key, finds its certificate and makes sure that it signs. Makes nothing: see
    /// [`create_key`](super::create_key).
    pub fn open(options: &Pkcs11Options) -> Result<Self, KeyError> {
        let token = Token::new(options)?;
        let session = token.session(false)?;
        let traces = objects::find_traces(&session, &options.key_label)?;
        let (held_by, key) = (token.label().to_owned(), options.key_label.clone());
        let Some(object) = objects::find_key(&session, token.label(), &options.key_label)? else {
            return Err(match traces.any {
                true => KeyError::KeyDamaged { token: held_by, key },
                false => KeyError::KeyMissing { token: held_by, key },
            });
        };
        let Some(certificate) = objects::find_certificate(&session, &object)? else {
            return Err(match traces.certificate {
                true => KeyError::KeyDamaged { token: held_by, key },
                false => KeyError::CertificateMissing { token: held_by, key },
            });
        };
        let certificate_pem =
            certificate.to_pem().map_err(|error| KeyError::Certificate(error.to_string()))?;
        let idle = Mutex::new(vec![Worker { session, key: object.handle }]);
        let key = Self { token, key_label: options.key_label.clone(), certificate, certificate_pem, idle };
        key.check()?;
        Ok(key)
    }

    /// The key's certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn worker(&self) -> Result<Worker, KeyError> {
        if let Some(worker) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(worker);
        }
        let session = self.token.session(false)?;
        let (token, key) = (self.token.label(), self.key_label.as_str());
        let missing = || KeyError::KeyMissing { token: token.to_owned(), key: key.to_owned() };
        let object = objects::find_key(&session, token, key)?.ok_or_else(missing)?;
        // The label may by now belong to another key: what that signs would be verified, and refused,
        // with the certificate of this one.
        if objects::public_key(&object)?.id() != self.key_id() {
            return Err(missing());
        }
        Ok(Worker { session, key: object.handle })
    }

    fn sign_once(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let worker = self.worker()?;
        let signed = sign_raw(&worker.session, worker.key, message, self.certificate.public_key());
        // After an error the session may be in the midst of an operation: it is closed instead.
        if signed.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        signed.map_err(|error| named(error, self.token.label()))
    }
}

impl SigningKey for Pkcs11Key {
    fn key_id(&self) -> KeyId {
        self.certificate.public_key().id()
    }

    fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let signed = match self.sign_once(message) {
            Err(error) if session_is_lost(&error) => {
                tracing::warn!(token = self.token.label(), "the HSM closed the session; logging in again");
                // The others are of the same connection.
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                self.sign_once(message)
            }
            other => other,
        };
        signed.map(Signature::new)
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
fn verified(bytes: Vec<u8>, message: &[u8], public: &PublicKey) -> Result<Vec<u8>, KeyError> {
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

/// Whether a new session may help: an HSM was restarted, a network HSM's connection broke.
fn session_is_lost(error: &KeyError) -> bool {
    use RvError::{
        DeviceError, DeviceRemoved, KeyHandleInvalid, ObjectHandleInvalid, SessionClosed,
        SessionHandleInvalid, TokenNotPresent, UserNotLoggedIn,
    };
    let KeyError::Hsm { source: Error::Pkcs11(code, _), .. } = error else { return false };
    matches!(
        code,
        DeviceError
            | DeviceRemoved
            | KeyHandleInvalid
            | ObjectHandleInvalid
            | SessionClosed
            | SessionHandleInvalid
            | TokenNotPresent
            | UserNotLoggedIn
    )
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Key")
            .field("token", &self.token.label())
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
