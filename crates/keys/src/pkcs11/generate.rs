//! Key pairs that stay in the token.

use cryptoki::{
    error::{Error, RvError},
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType, ObjectHandle},
    session::Session,
};

use super::token::Token;
use crate::{KeyError, RsaBits};

/// Curves by name: edwards25519 (RFC 8410 § 3) and P-256 (RFC 5480 § 2.1.1.1), as `OBJECT IDENTIFIER`.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `PrintableString` "edwards25519": what some tokens understand in place of the identifier (PKCS#11
/// 3.0 § 2.3.10).
const ED25519_PRINTABLE: &[u8] = b"\x13\x0cedwards25519";

/// Makes an RSA key pair.
pub(super) fn rsa_key(session: &Session, token: &Token, label: &str, bits: RsaBits) -> Result<(), KeyError> {
    let failed = |source| KeyError::Hsm { doing: "make an RSA key", source };
    let length = cryptoki::types::Ulong::from(u64::from(bits.count()));
    let public = [
        Attribute::ModulusBits(length),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
    ];
    make(session, token, label, &Mechanism::RsaPkcsKeyPairGen, &public, &NO_DECRYPTION, failed)
}

/// Makes an Ed25519 key pair, or P-256 where the token has no Ed25519.
pub(super) fn log_key(session: &Session, token: &Token, label: &str) -> Result<(), KeyError> {
    let failed = |source| KeyError::Hsm { doing: "make the log key", source };
    let curve = |parameters: &[u8]| [Attribute::EcParams(parameters.to_vec())];
    if can_sign_ed25519(session, token).map_err(failed)? {
        for parameters in [&ED25519[..], ED25519_PRINTABLE] {
            let mechanism = Mechanism::EccEdwardsKeyPairGen;
            match make(session, token, label, &mechanism, &curve(parameters), &[], failed) {
                Err(KeyError::Hsm { source, .. }) if is_about_the_curve(&source) => {}
                other => return other,
            }
        }
    }
    make(session, token, label, &Mechanism::EccKeyPairGen, &curve(&P256), &[], failed)
}

const NO_DECRYPTION: [Attribute; 2] = [Attribute::Decrypt(false), Attribute::Unwrap(false)];

fn can_sign_ed25519(session: &Session, token: &Token) -> Result<bool, Error> {
    let known = token.mechanisms(session)?;
    Ok([MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, MechanismType::EDDSA].iter().all(|one| known.contains(one)))
}

/// What a token says of parameters that it does not know.
fn is_about_the_curve(error: &Error) -> bool {
    use RvError::{
        ArgumentsBad, AttributeValueInvalid, CurveNotSupported, DomainParamsInvalid, FunctionFailed,
        GeneralError, MechanismInvalid, TemplateInconsistent,
    };
    let Error::Pkcs11(code, _) = error else { return false };
    matches!(
        code,
        ArgumentsBad
            | AttributeValueInvalid
            | CurveNotSupported
            | DomainParamsInvalid
            | FunctionFailed
            | GeneralError
            | MechanismInvalid
            | TemplateInconsistent
    )
}

/// Makes a key pair with what every key of ours has.
fn make(
    session: &Session,
    token: &Token,
    label: &str,
    mechanism: &Mechanism<'_>,
    public: &[Attribute],
    private: &[Attribute],
    failed: impl Fn(Error) -> KeyError,
) -> Result<(), KeyError> {
    let id = rand::random::<[u8; 16]>().to_vec();
    let named = [Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec()), Attribute::Id(id)];
    let every_public = [Attribute::Private(false), Attribute::Verify(true)];
    let every_private = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let public = [&named[..], &every_public, public].concat();
    let private = [&named[..], &every_private, private].concat();
    let made = session.generate_key_pair(mechanism, &public, &private).map_err(&failed)?;
    if !stays_inside(session, made.1).map_err(&failed)? {
        // It has signed nothing yet.
        for handle in [made.0, made.1] {
            session.destroy_object(handle).map_err(&failed)?;
        }
        return Err(KeyError::KeyLeaves(token.label().to_owned()));
    }
    Ok(())
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
