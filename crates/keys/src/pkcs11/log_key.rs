//! The log key in a token: Ed25519, or ECDSA P-256 where the token has no Ed25519.

use std::{fmt, num::NonZeroU16, sync::Arc};

use cryptoki::{
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use evidence::{Sha256Hash, log::LogPublicKey};

use super::{pool::Pool, token::Token};
use crate::{
    KeyError, KeyName, LogSigningKey,
    log_key::{ecdsa_asn1, verified},
};

/// Checkpoints are signed one after the other.
const SESSIONS: NonZeroU16 = NonZeroU16::MIN;
/// `SubjectPublicKeyInfo` of a P-256 key up to its uncompressed point (RFC 5480 § 2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Lengths of the points, as they are and as `OCTET STRING`.
const ED25519_POINT: usize = 32;
const P256_POINT: usize = 65;

/// A log key in a token.
pub struct Pkcs11LogKey {
    pool: Arc<Pool>,
    public: LogPublicKey,
}

/// A log key as the token shows it.
pub(super) struct LogKeyObject {
    handle: ObjectHandle,
    pub(super) public: LogPublicKey,
}

impl Pkcs11LogKey {
    /// Opens the log key beside the RSA key with the label `beside`, and makes sure that it signs.
    pub(crate) fn in_token(token: Arc<Token>, beside: &str) -> Result<Self, KeyError> {
        let label = KeyName::of_log_key(beside);
        let missing = {
            let beside = beside.to_owned();
            move |token: &Token| KeyError::LogKeyMissing {
                token: token.label().to_owned(),
                key: beside.clone(),
            }
        };
        let found = find(&*token.session(false)?, token.label(), &label)?;
        let public = found.ok_or_else(|| missing(&token))?.public;
        let expected = public.clone();
        let pool =
            Pool::new(token, SESSIONS, move |session, token| match find(session, token.label(), &label)? {
                Some(object) if object.public == expected => Ok(object.handle),
                _ => Err(missing(token)),
            });
        let key = Self { pool, public };
        key.check()?;
        Ok(key)
    }
}

impl LogSigningKey for Pkcs11LogKey {
    fn public(&self) -> LogPublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pool.with(|session, key| {
            let failed = |source| KeyError::Hsm { doing: "sign with the log key", source };
            let signature = match &self.public {
                LogPublicKey::Ed25519(_) => {
                    let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                    session.sign(&mechanism, key, message).map_err(failed)?
                }
                // The hash is made here: more tokens have CKM_ECDSA than CKM_ECDSA_SHA256.
                LogPublicKey::P256(_) => {
                    let hash = Sha256Hash::of(message);
                    ecdsa_asn1(&session.sign(&Mechanism::Ecdsa, key, hash.as_bytes()).map_err(failed)?)?
                }
            };
            verified(signature, message, &self.public, self.pool.token().label())
        })
    }
}

/// The log key with that label; `None` if nothing has it.
pub(super) fn find(session: &Session, token: &str, label: &str) -> Result<Option<LogKeyObject>, KeyError> {
    let asking = |source| KeyError::Hsm { doing: "list its keys", source };
    let labelled = |class| [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
    let private = session.find_objects(&labelled(ObjectClass::PRIVATE_KEY)).map_err(asking)?;
    let public = session.find_objects(&labelled(ObjectClass::PUBLIC_KEY)).map_err(asking)?;
    let key = || (token.to_owned(), label.to_owned());
    let (handle, public) = match (private.as_slice(), public.as_slice()) {
        ([], []) => return Ok(None),
        ([private], [public]) => (*private, *public),
        ([] | [_], [] | [_]) => {
            let (token, key) = key();
            return Err(KeyError::KeyDamaged { token, key });
        }
        _ => {
            let (token, key) = key();
            return Err(KeyError::KeyAmbiguous { token, key });
        }
    };
    let (mut kind, mut point) = (None, Vec::new());
    let wanted = [AttributeType::KeyType, AttributeType::EcPoint];
    for attribute in session.get_attributes(public, &wanted).map_err(asking)? {
        match attribute {
            Attribute::KeyType(value) => kind = Some(value),
            Attribute::EcPoint(value) => point = value,
            _ => {}
        }
    }
    let public = kind.and_then(|kind| public_key(kind, &point)).ok_or_else(|| {
        let (token, key) = key();
        KeyError::KeyDamaged { token, key }
    })?;
    Ok(Some(LogKeyObject { handle, public }))
}

/// `CKA_EC_POINT` is an `OCTET STRING` in PKCS#11 2.40, a `BIT STRING` or the bytes themselves for
/// Edwards curves in 3.0: tokens differ.
fn public_key(kind: KeyType, point: &[u8]) -> Option<LogPublicKey> {
    let bare = |length: usize| {
        let head = point.len().checked_sub(length)?;
        let fits = match &point[..head] {
            [] => true,
            [0x04, n] => usize::from(*n) == length,
            [0x03, n, 0] => usize::from(*n) == length + 1,
            _ => false,
        };
        fits.then_some(&point[head..])
    };
    match kind {
        KeyType::EC_EDWARDS => Some(LogPublicKey::Ed25519(bare(ED25519_POINT)?.try_into().ok()?)),
        KeyType::EC => {
            let point = bare(P256_POINT)?;
            Some(LogPublicKey::P256([&P256_SPKI, point].concat()))
        }
        _ => None,
    }
}

impl fmt::Debug for Pkcs11LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11LogKey")
            .field("token", &self.pool.token().label())
            .field("public", &self.public)
            .finish()
    }
}
