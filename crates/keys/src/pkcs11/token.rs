//! One token: found by its label, logged in to, with a pool of sessions.

use std::{
    collections::HashSet,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
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

use super::{
    Pkcs11Options,
    module::{self, InUse, Library},
};
use crate::KeyError;

/// PINs that a token refused in this process, as hashes over library, token and PIN: whoever tries again
/// gets the same answer without the token being asked, which would count towards its locking.
static REFUSED: Mutex<Option<HashSet<Sha256Hash>>> = Mutex::new(None);

/// A token that can be logged in to.
pub(crate) struct Token {
    library: Arc<Library>,
    label: String,
    pin: AuthPin,
    /// Stands for library, token and PIN in [`REFUSED`].
    attempt: Sha256Hash,
}

/// A logged-in session. Only one at a time in a thread: see [`InUse`].
pub(crate) struct TokenSession<'a> {
    // Closed before the library is given free.
    session: Session,
    _library: InUse<'a>,
}

impl Deref for TokenSession<'_> {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
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
        let library = module::load(&options.module)?;
        let label = options.token_label.clone();
        let pin = options.pin.read()?;
        let attempt = Zeroizing::new(format!("{}\0{label}\0{}", options.module.display(), pin.as_str()));
        let attempt = Sha256Hash::of(attempt.as_bytes());
        Ok(Self { library, label, pin: AuthPin::from(pin.as_str()), attempt })
    }

    /// The token's label.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The library that knows the token.
    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// A new session, logged in; when the token is not there, after a second look for it.
    pub(crate) fn session(&self, read_write: bool) -> Result<TokenSession<'_>, KeyError> {
        let opened = || {
            let library = self.library.in_use()?;
            let session = self.open(&library, read_write)?;
            Ok(TokenSession { session, _library: library })
        };
        match opened() {
            Err(error) if self.is_back_after(&error)? => opened(),
            other => other,
        }
    }

    /// Whether another try may go better, because the library was started anew. The library must not be
    /// in use by this thread.
    pub(crate) fn is_back_after(&self, error: &KeyError) -> Result<bool, KeyError> {
        match error {
            KeyError::TokenMissing(_)
            | KeyError::Hsm { source: Error::Pkcs11(RvError::CryptokiNotInitialized, _), .. } => {
                self.library.restart()
            }
            _ => Ok(false),
        }
    }

    /// A session, logged in. The token is looked for by its label each time, because slots change their
    /// numbers when an HSM comes back.
    pub(crate) fn open(&self, library: &InUse<'_>, read_write: bool) -> Result<Session, KeyError> {
        let failed = |source| KeyError::Hsm { doing: "open a session", source };
        let slot = find_slot(library, &self.label)?;
        let opened = if read_write { library.open_rw_session(slot) } else { library.open_ro_session(slot) };
        let session = opened.map_err(failed)?;
        self.login(&session)?;
        Ok(session)
    }

    /// What the token can do. The library is in use by `session`'s owner.
    pub(crate) fn mechanisms(&self, session: &Session) -> Result<Vec<MechanismType>, Error> {
        self.library.functions().get_mechanism_list(session.get_session_info()?.slot_id())
    }

    fn login(&self, session: &Session) -> Result<(), KeyError> {
        // Held while the token is asked: two threads must not both try the same wrong PIN.
        let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_some_and(|refused| refused.contains(&self.attempt)) {
            return Err(KeyError::PinWrong(self.label.clone()));
        }
        // Some tokens say beforehand what a try would only confirm.
        let info = session
            .get_session_info()
            .and_then(|info| self.library.functions().get_token_info(info.slot_id()));
        if info.is_ok_and(|info| info.user_pin_locked()) {
            return Err(KeyError::PinLocked(self.label.clone()));
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
