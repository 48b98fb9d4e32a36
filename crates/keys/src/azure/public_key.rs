//! A vault's keys (RFC 7517) as everybody else writes public keys.

use azure_security_keyvault_keys::models::{JsonWebKey, KeyType};
use rsa::{BoxedUint, RsaPublicKey, pkcs8::EncodePublicKey};

use crate::cloud::p256_spki;

/// `SubjectPublicKeyInfo` in DER; `None` if it is neither RSA nor ECDSA on P-256.
pub(super) fn spki(key: &JsonWebKey) -> Option<Vec<u8>> {
    match key.kty.as_ref()? {
        KeyType::Rsa | KeyType::RsaHsm => {
            let number = |bytes: &Option<Vec<u8>>| Some(BoxedUint::from_be_slice_vartime(bytes.as_ref()?));
            let public = RsaPublicKey::new(number(&key.n)?, number(&key.e)?).ok()?;
            Some(public.to_public_key_der().ok()?.into_vec())
        }
        KeyType::Ec | KeyType::EcHsm => p256_spki(key.x.as_ref()?, key.y.as_ref()?),
        _ => None,
    }
}
