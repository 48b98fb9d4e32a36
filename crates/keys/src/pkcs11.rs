//! Keys in a token behind PKCS#11: an HSM, a smart card, SoftHSM.

mod create;
mod generate;
mod import;
mod key;
mod log_key;
mod module;
mod objects;
mod pool;
mod token;

use std::{env, fs, io, num::NonZeroU16, path::PathBuf, sync::Arc};

use domain::Sensitive;
use zeroize::Zeroizing;

pub use self::{create::create_key, key::Pkcs11Key, log_key::Pkcs11LogKey};
pub(crate) use self::{
    create::{create, create_log_key},
    import::import_certificate,
    module::load,
    token::find_slot,
};
pub use crate::certificate::CertificateSubject;
use crate::{KeyError, KeyName, KeySet};

/// Sessions in a token, where nothing else is said.
pub const SESSIONS: NonZeroU16 = NonZeroU16::new(8).expect("eight is not zero");

/// Where a key is.
#[derive(Debug, Clone)]
pub struct Pkcs11Options {
    /// The HSM's PKCS#11 library: an absolute path.
    pub module: PathBuf,
    /// Label of the token.
    pub token_label: String,
    /// PIN of the token's user.
    pub pin: Pin,
    /// The RSA key.
    pub key: KeyName,
    /// How many sessions may be open at once for signing with the RSA key; one more is for the log key.
    pub sessions: NonZeroU16,
}

/// Opens both keys. Makes none.
pub(crate) fn open(options: &Pkcs11Options) -> Result<KeySet, KeyError> {
    let token = Arc::new(token::Token::new(options)?);
    let signing = Pkcs11Key::in_token(token.clone(), options)?;
    let log = Pkcs11LogKey::in_token(token, signing.label())?;
    Ok(KeySet { signing: Arc::new(signing), log: Arc::new(log) })
}

/// The PIN of a token's user.
#[derive(Debug, Clone)]
pub enum Pin {
    /// The PIN itself.
    Given(Sensitive<String>),
    /// A file with the PIN; white space at its end does not count.
    File(PathBuf),
    /// An environment variable that holds the PIN.
    Variable(String),
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
            Self::Variable(name) => match env::var(name) {
                Ok(pin) if !pin.is_empty() => Ok(Zeroizing::new(pin)),
                _ => Err(KeyError::NotSaid(
                    "the HSM's PIN is needed: give --pkcs11-pin-file, or the PIN in CALLSEAL_PKCS11_PIN",
                )),
            },
        }
    }
}
