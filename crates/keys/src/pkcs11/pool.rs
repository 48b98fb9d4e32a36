//! Sessions that know a key: a bounded number, each used by one thread at a time (PKCS#11 § 2.6.7).

use std::{
    num::NonZeroU16,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use cryptoki::{
    error::{Error, RvError},
    object::ObjectHandle,
    session::Session,
};

use super::{module::InUse, token::Token};
use crate::KeyError;

/// Finds the key in a session.
type Locate = dyn Fn(&Session, &Token) -> Result<ObjectHandle, KeyError> + Send + Sync;

/// Sessions of one token that know one key.
pub(crate) struct Pool {
    token: Arc<Token>,
    locate: Box<Locate>,
    state: Mutex<State>,
    given_back: Condvar,
}

/// A logged-in session that knows the key.
struct Worker {
    session: Session,
    key: ObjectHandle,
}

struct State {
    idle: Vec<Worker>,
    /// Idle, working, and being opened.
    open: u16,
    /// As told, or less when the token said that it allows no more.
    limit: u16,
}

impl Pool {
    /// A pool without a session yet; at most `limit`.
    pub(crate) fn new(
        token: Arc<Token>,
        limit: NonZeroU16,
        locate: impl Fn(&Session, &Token) -> Result<ObjectHandle, KeyError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let state = Mutex::new(State { idle: Vec::new(), open: 0, limit: limit.get() });
        let pool = Arc::new(Self { token, locate: Box::new(locate), state, given_back: Condvar::new() });
        pool.token.library().add(&pool);
        pool
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// Does `work` in a session of its own; waits for one when all are at work. When the token closed
    /// the session or was away, once more in a new one.
    pub(crate) fn with<T>(
        &self,
        work: impl Fn(&Session, ObjectHandle) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        match self.once(&work) {
            Err(error) if session_is_lost(&error) => {
                tracing::warn!(token = self.token.label(), "the HSM closed the session; logging in again");
                self.close_idle();
            }
            Err(error) if self.token.is_back_after(&error)? => {}
            other => return other,
        }
        match self.once(&work) {
            // The library may have to look for its tokens first.
            Err(error) if self.token.is_back_after(&error)? => self.once(&work),
            other => other,
        }
    }

    fn once<T>(&self, work: impl Fn(&Session, ObjectHandle) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let library = self.token.library().in_use()?;
        let worker = self.take(&library)?;
        let done = work(&worker.session, worker.key);
        let mut state = self.lock();
        match done {
            Ok(_) => state.idle.push(worker),
            // The session may be in the midst of an operation: it is closed instead.
            Err(_) => {
                state.open -= 1;
                drop(worker);
            }
        }
        drop(state);
        self.given_back.notify_one();
        done
    }

    fn take(&self, library: &InUse<'_>) -> Result<Worker, KeyError> {
        let mut state = self.lock();
        loop {
            if let Some(worker) = state.idle.pop() {
                return Ok(worker);
            }
            if state.open < state.limit {
                state.open += 1;
                drop(state);
                let opened = self.open(library);
                state = self.lock();
                let Err(error) = opened else { return opened };
                state.open -= 1;
                if state.open == 0 || !no_more_sessions(&error) {
                    // Another thread may take the place.
                    self.given_back.notify_one();
                    return Err(error);
                }
                tracing::warn!(
                    token = self.token.label(),
                    sessions = state.open,
                    "the HSM allows no more sessions"
                );
                state.limit = state.open;
            } else {
                state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn open(&self, library: &InUse<'_>) -> Result<Worker, KeyError> {
        let session = self.token.open(library, false)?;
        let key = (self.locate)(&session, &self.token)?;
        Ok(Worker { session, key })
    }

    /// Closes the sessions that are not at work: they are of the same connection as one that was lost.
    pub(crate) fn close_idle(&self) {
        let mut state = self.lock();
        let closed = std::mem::take(&mut state.idle);
        state.open -= u16::try_from(closed.len()).unwrap_or(state.open);
        drop(state);
        drop(closed);
        self.given_back.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_more_sessions(error: &KeyError) -> bool {
    matches!(error, KeyError::Hsm { source: Error::Pkcs11(RvError::SessionCount, _), .. })
}

/// Whether a new session may help: an HSM was restarted, a network HSM's connection broke.
fn session_is_lost(error: &KeyError) -> bool {
    use RvError::{
        DeviceError, DeviceRemoved, KeyHandleInvalid, ObjectHandleInvalid, SessionClosed,
        SessionHandleInvalid, TokenNotPresent, UserNotLoggedIn,
    };
    let KeyError::Hsm { source: Error::Pkcs11(code, _), .. } = error else { return false };
    matches!(
        code,
        DeviceError
            | DeviceRemoved
            | KeyHandleInvalid
            | ObjectHandleInvalid
            | SessionClosed
            | SessionHandleInvalid
            | TokenNotPresent
            | UserNotLoggedIn
    )
}
