//! What can go wrong with a key, in words that tell what to do.

use std::{fmt, path::PathBuf};

use crate::CloudError;

/// Why there is no signature, or no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Something was not said on the command line.
    #[error("{0}")]
    NotSaid(&'static str),
    /// The library of the HSM is not there or cannot be loaded.
    #[error("the PKCS#11 library {} cannot be loaded: install the HSM's software or correct the path", .0.display())]
    Module(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The library is there and does not start.
    #[error(
        "the PKCS#11 library {} does not start: the HSM cannot be reached, or the library's configuration (for SoftHSM: the folder of its tokens) is not in order", .0.display()
    )]
    ModuleDoesNotStart(PathBuf, #[source] cryptoki::error::Error),
    /// No token has this label.
    #[error("there is no token with the label '{0}': is the HSM connected, and was the token initialised?")]
    TokenMissing(String),
    /// Several tokens have this label.
    #[error("{1} tokens have the label '{0}': give each its own label")]
    TokenAmbiguous(String, usize),
    /// The file with the PIN cannot be read.
    #[error("the file with the PIN, {}, cannot be read", .0.display())]
    PinFile(PathBuf, #[source] std::io::Error),
    /// The PIN is wrong. It is not tried again: HSMs lock after a few wrong ones.
    #[error(
        "the token '{0}' refused the PIN; the same one is not tried again, because tokens lock after a few wrong ones: correct the PIN"
    )]
    PinWrong(String),
    /// The PIN is locked.
    #[error(
        "the PIN of the token '{0}' is locked: its security officer has to set a new one (with most tokens: pkcs11-tool --init-pin)"
    )]
    PinLocked(String),
    /// No such key.
    #[error(
        "the token '{token}' holds no RSA key '{key}': make it once with `callseal key init`, or correct its name. No key is made unasked"
    )]
    KeyMissing {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// Something of the key is there, the key itself is not usable.
    #[error(
        "the token '{token}' holds something named '{key}', but not a usable key with its certificate: the token is damaged or was changed, restore it from the HSM's backup. No key is made in its place"
    )]
    KeyDamaged {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// Several such keys.
    #[error("the token '{token}' holds several keys '{key}': one label, one key")]
    KeyAmbiguous {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// A key of that label is there already.
    #[error(
        "the token '{token}' already holds an object with the label '{key}': a key is never replaced; choose another label for a new one"
    )]
    KeyExists {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// The key has no certificate in the token.
    #[error(
        "the token '{token}' holds the key '{key}' but no certificate: its creation was cut short, start it again to finish it (`callseal key init`)"
    )]
    CertificateMissing {
        /// Label of the token.
        token: String,
        /// Label of the key.
        key: String,
    },
    /// There is an RSA key, but no log key beside it.
    #[error(
        "the token '{token}' holds the key '{key}', but no log key beside it (it is of an older version): make one with `callseal key init --log`"
    )]
    LogKeyMissing {
        /// Label of the token.
        token: String,
        /// Label of the RSA key.
        key: String,
    },
    /// The certificate cannot be made or read.
    #[error("the certificate of the key is not usable: {0}")]
    Certificate(String),
    /// The token made a signature that the public key does not accept.
    #[error(
        "the token '{0}' returned a wrong signature: its key is damaged, restore it from the HSM's backup"
    )]
    WrongSignature(String),
    /// The token does not keep what it promised of a new key. The key was deleted again.
    #[error("the token '{0}' did not make a key that stays inside it: use another token")]
    KeyLeaves(String),
    /// Anything else that the HSM says.
    #[error("the HSM refused to {doing}")]
    Hsm {
        /// What was asked of it.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: cryptoki::error::Error,
    },
    /// The certificate that was to be imported is none of this key, or no valid one.
    #[error("the certificate was not taken: {0}")]
    ImportRefused(String),
    /// What a key service in a cloud says.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A folder or file of a software token cannot be written.
    #[error("{} cannot be written", .0.display())]
    Storage(PathBuf, #[source] std::io::Error),
}

/// What kind of thing has to be put right; for conditions and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyFault {
    /// The command line, or software that is not installed.
    Setup,
    /// The PIN.
    Pin,
    /// Who Callseal is to a key service, and what it may do there.
    Identity,
    /// The token is not there, or does not answer.
    Token,
    /// The key, its log key or its certificate is not there.
    Key,
    /// Something is there and is not what it was.
    Integrity,
}

impl KeyFault {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Pin => "pin",
            Self::Identity => "identity",
            Self::Token => "token",
            Self::Key => "key",
            Self::Integrity => "integrity",
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl KeyError {
    /// What kind of thing has to be put right.
    pub const fn fault(&self) -> KeyFault {
        match self {
            Self::NotSaid(_) | Self::Module(..) | Self::Storage(..) | Self::KeyLeaves(_) => KeyFault::Setup,
            Self::PinFile(..) | Self::PinWrong(_) | Self::PinLocked(_) => KeyFault::Pin,
            Self::ModuleDoesNotStart(..)
            | Self::TokenMissing(_)
            | Self::TokenAmbiguous(..)
            | Self::Hsm { .. } => KeyFault::Token,
            Self::KeyMissing { .. }
            | Self::KeyAmbiguous { .. }
            | Self::KeyExists { .. }
            | Self::LogKeyMissing { .. }
            | Self::CertificateMissing { .. }
            | Self::ImportRefused(_) => KeyFault::Key,
            Self::Cloud(error) => error.fault(),
            Self::KeyDamaged { .. } | Self::WrongSignature(_) | Self::Certificate(_) => KeyFault::Integrity,
        }
    }
}
