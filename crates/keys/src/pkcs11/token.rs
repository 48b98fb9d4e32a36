//! One token: found by its label, logged in to, with a pool of sessions.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    mechanism::MechanismType,
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};

use evidence::Sha256Hash;
use zeroize::Zeroizing;

use super::{Pkcs11Options, module};
use crate::KeyError;

/// PINs that a token refused in this process, as hashes over library, token and PIN: whoever tries again
/// gets the same answer without the token being asked, which would count towards its locking.
static REFUSED: Mutex<Option<HashSet<Sha256Hash>>> = Mutex::new(None);

/// A token that can be logged in to.
pub(crate) struct Token {
    module: Pkcs11,
    label: String,
    pin: AuthPin,
    /// Stands for library, token and PIN in [`REFUSED`].
    attempt: Sha256Hash,
}

/// The slot of the one token with `label`.
pub(crate) fn find_slot(module: &Pkcs11, label: &str) -> Result<Slot, KeyError> {
    let failed = |source| KeyError::Hsm { doing: "list its tokens", source };
    let mut found = Vec::new();
    for slot in module.get_slots_with_token().map_err(failed)? {
        // A slot whose card was drawn in this moment is none.
        let Ok(info) = module.get_token_info(slot) else { continue };
        if info.token_initialized() && info.label() == label {
            found.push(slot);
        }
    }
    match found.as_slice() {
        [] => Err(KeyError::TokenMissing(label.to_owned())),
        [slot] => Ok(*slot),
        several => Err(KeyError::TokenAmbiguous(label.to_owned(), several.len())),
    }
}

impl Token {
    /// Loads the library and reads the PIN. The token itself is asked by [`Token::session`].
    pub(crate) fn new(options: &Pkcs11Options) -> Result<Self, KeyError> {
        let module = module::load(&options.module)?;
        let label = options.token_label.clone();
        let pin = options.pin.read()?;
        let attempt = Zeroizing::new(format!("{}\0{label}\0{}", options.module.display(), pin.as_str()));
        let attempt = Sha256Hash::of(attempt.as_bytes());
        Ok(Self { module, label, pin: AuthPin::from(pin.as_str()), attempt })
    }

    /// The token's label.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// A new session, logged in. The token is looked for by its label each time, because slots change
    /// their numbers when an HSM comes back.
    pub(crate) fn session(&self, read_write: bool) -> Result<Session, KeyError> {
        let failed = |source| KeyError::Hsm { doing: "open a session", source };
        let slot = find_slot(&self.module, &self.label)?;
        let opened =
            if read_write { self.module.open_rw_session(slot) } else { self.module.open_ro_session(slot) };
        let session = opened.map_err(failed)?;
        self.login(&session)?;
        Ok(session)
    }

    /// What the token can do.
    pub(crate) fn mechanisms(&self, session: &Session) -> Result<Vec<MechanismType>, Error> {
        self.module.get_mechanism_list(session.get_session_info()?.slot_id())
    }

    fn login(&self, session: &Session) -> Result<(), KeyError> {
        // Held while the token is asked: two threads must not both try the same wrong PIN.
        let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_some_and(|refused| refused.contains(&self.attempt)) {
            return Err(KeyError::PinWrong(self.label.clone()));
        }
        match session.login(UserType::User, Some(&self.pin)) {
            // A login holds for all sessions of the process (PKCS#11 § 5.6.8).
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => {
                refused.get_or_insert_default().insert(self.attempt);
                Err(KeyError::PinWrong(self.label.clone()))
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(KeyError::PinLocked(self.label.clone())),
            Err(source) => Err(KeyError::Hsm { doing: "log the user in", source }),
        }
    }
}
