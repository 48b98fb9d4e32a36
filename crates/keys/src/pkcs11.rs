//! Keys in a token behind PKCS#11: an HSM, a smart card, SoftHSM.

mod certificate;
mod create;
mod key;
mod module;
mod objects;
mod token;

use std::{fs, io, path::PathBuf};

use domain::Sensitive;
use zeroize::Zeroizing;

pub use self::{certificate::CertificateSubject, create::create_key, key::Pkcs11Key};
pub(crate) use self::{module::load, token::find_slot};
use crate::KeyError;

/// Where a key is.
#[derive(Debug, Clone)]
pub struct Pkcs11Options {
    /// The HSM's PKCS#11 library: an absolute path.
    pub module: PathBuf,
    /// Label of the token.
    pub token_label: String,
    /// PIN of the token's user.
    pub pin: Pin,
    /// Label of the private key.
    pub key_label: String,
}

/// The PIN of a token's user.
#[derive(Debug, Clone)]
pub enum Pin {
    /// The PIN itself.
    Given(Sensitive<String>),
    /// A file with the PIN; white space at its end does not count.
    File(PathBuf),
}

impl Pin {
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, KeyError> {
        match self {
            Self::Given(pin) => Ok(Zeroizing::new(pin.expose().clone())),
            Self::File(path) => {
                let failed = |error| KeyError::PinFile(path.clone(), error);
                let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
                let pin = text.trim_end();
                if pin.is_empty() {
                    return Err(failed(io::Error::other("the file is empty")));
                }
                Ok(Zeroizing::new(pin.to_owned()))
            }
        }
    }
}
