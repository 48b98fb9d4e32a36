//! Seals short texts that are credentials (refresh tokens, upload URLs) with a key of the
//! installation, so that a copy of its databases or backups gives nobody access (F-81).
//!
//! A sealed text is one byte of version, 12 bytes of nonce, then what ChaCha20-Poly1305 (RFC 8439)
//! makes of it with its 16 bytes of tag. Nonces are random: good for 2³² texts a key, which is more
//! than an installation starts uploads in its life.
//!
//! Texts that people carry about in files are sealed for a place ([`Vault::seal_for`]).

mod key_file;
mod placed;

use std::{fmt, io, path::Path, path::PathBuf};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};

/// The version that this code writes.
const VERSION: u8 = 1;
/// Keeps texts apart from whatever else may once be sealed with the same key.
const PURPOSE: &[u8] = b"callseal vault 1";
/// Length of a key in bytes.
pub const KEY_LENGTH: usize = 32;

/// Seals and opens texts with one key.
#[derive(Clone)]
pub struct Vault {
    key: LessSafeKey,
    /// Tells keys apart in texts sealed for a place; says nothing about the key.
    id: placed::KeyId,
}

impl Vault {
    /// The vault whose key lies in the file `path`: 64 hexadecimal digits and a line end. A missing
    /// file is made with mode 0600; of several processes that do so at once, all end up with one key.
    ///
    /// # Errors
    /// The file cannot be made or read, is no key, or others than its owner and group may read it.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        Ok(Self::with_key(&key_file::read_or_make(path)?))
    }

    /// The vault whose key lies in the file `path`; never makes one.
    ///
    /// # Errors
    /// The file is missing or cannot be read, is no key, or others than its owner and group may read it.
    pub fn open_existing(path: &Path) -> Result<Self, VaultError> {
        Ok(Self::with_key(&key_file::read_existing(path)?))
    }

    /// The vault of a key that was handed over as text, by a Secret or the environment: 64
    /// hexadecimal digits, white space around them ignored.
    ///
    /// # Errors
    /// The text is no key.
    pub fn from_key_text(text: &str) -> Result<Self, VaultError> {
        key_file::parse(text).map(|key| Self::with_key(&key)).ok_or(VaultError::NoKey)
    }

    /// The vault of this key.
    pub fn with_key(key: &[u8; KEY_LENGTH]) -> Self {
        let id = placed::key_id(key);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the length of the cipher");
        Self { key: LessSafeKey::new(key), id }
    }

    /// The text, sealed; differently each time.
    ///
    /// # Panics
    /// The operating system gives no random numbers: nothing may be sealed then.
    pub fn seal(&self, text: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the operating system gives random numbers");
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(PURPOSE), &mut sealed)
            .expect("texts are far shorter than the cipher's limit");
        [&[VERSION][..], &nonce, &sealed].concat()
    }

    /// The text that was sealed.
    ///
    /// # Errors
    /// It was sealed with another key, or is damaged.
    pub fn open_sealed(&self, sealed: &[u8]) -> Result<String, VaultError> {
        let (version, rest) = sealed.split_first().ok_or(VaultError::Damaged)?;
        if *version != VERSION {
            return Err(VaultError::Version(*version));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Damaged)?;
        let mut rest = rest.to_vec();
        let opened =
            self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(PURPOSE), &mut rest);
        let text = opened.map_err(|_| VaultError::Damaged)?;
        String::from_utf8(text.to_vec()).map_err(|_| VaultError::Damaged)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault { .. }")
    }
}

/// Why a vault or a sealed text cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or made.
    #[error("the key file {} cannot be read or made; check the owner and the rights of its folder", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody on the machine may read the key file.
    #[error("everybody may read the key file {0}; set its rights by chmod 600")]
    ReadableByAll(PathBuf),
    /// The key file is not there, and was not to be made.
    #[error("there is no key file {0}; restore it from its backup")]
    Missing(PathBuf),
    /// The key file holds something else.
    #[error("the file {0} is damaged: it should hold 64 hexadecimal digits; restore it from a backup")]
    FileDamaged(PathBuf),
    /// A text that should be a key is none.
    #[error("the key of the installation should be 64 hexadecimal digits")]
    NoKey,
    /// A sealed text that a newer version has written.
    #[error("this was sealed by a newer version of Callseal (format {0})")]
    Version(u8),
    /// A text for a place that another key has sealed.
    #[error("this was sealed with another key")]
    OtherKey,
    /// A text for a place that the right key does not open there.
    #[error("this was sealed for another place, or is damaged")]
    OtherPlace,
    /// A sealed text that the key does not open.
    #[error("this was sealed with the key of another installation, or is damaged")]
    Damaged,
}
