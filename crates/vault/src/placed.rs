//! Texts sealed for one place: copied to another they do not open.
//!
//! Format 2: one byte of version, 4 bytes that tell keys apart, 12 bytes of nonce, then what
//! ChaCha20-Poly1305 makes of the text, with a tag over version, key and place as well. Each part of the
//! place goes in with its length, so that ("a", "bc") and ("ab", "c") are two.

use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};

use crate::{KEY_LENGTH, Vault, VaultError};

const VERSION: u8 = 2;
/// Keeps texts for places apart from whatever else is sealed with the same key.
const PURPOSE: &[u8] = b"callseal vault 2";
const KEY_ID_LENGTH: usize = 4;

pub(crate) type KeyId = [u8; KEY_ID_LENGTH];

/// The first bytes of a hash of the key: enough to say "another key", of no use to find this one.
pub(crate) fn key_id(key: &[u8; KEY_LENGTH]) -> KeyId {
    let hash = digest(&SHA256, &[b"callseal vault key id", &key[..]].concat());
    *hash.as_ref().first_chunk().expect("a hash has 32 bytes")
}

impl Vault {
    /// The text, sealed for the place that `place` names part by part (tenant, secret, key); differently
    /// each time.
    ///
    /// # Panics
    /// The operating system gives no random numbers: nothing may be sealed then.
    pub fn seal_for(&self, place: &[&str], text: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the operating system gives random numbers");
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound_to(place)),
                &mut sealed,
            )
            .expect("texts are far shorter than the cipher's limit");
        [&[VERSION][..], &self.id, &nonce, &sealed].concat()
    }

    /// The text that was sealed for `place`.
    ///
    /// # Errors
    /// It was sealed with another key or for another place, or is damaged.
    pub fn open_for(&self, place: &[&str], sealed: &[u8]) -> Result<String, VaultError> {
        let (version, rest) = sealed.split_first().ok_or(VaultError::OtherPlace)?;
        if *version != VERSION {
            return Err(VaultError::Version(*version));
        }
        let (id, rest) = rest.split_first_chunk::<KEY_ID_LENGTH>().ok_or(VaultError::OtherPlace)?;
        if *id != self.id {
            return Err(VaultError::OtherKey);
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::OtherPlace)?;
        let mut rest = rest.to_vec();
        let opened = self.key.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(self.bound_to(place)),
            &mut rest,
        );
        let text = opened.map_err(|_| VaultError::OtherPlace)?;
        String::from_utf8(text.to_vec()).map_err(|_| VaultError::OtherPlace)
    }

    fn bound_to(&self, place: &[&str]) -> Vec<u8> {
        let mut bound = [PURPOSE, &[VERSION], &self.id].concat();
        for part in place {
            bound.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bound.extend(part.as_bytes());
        }
        bound
    }
}
