//! PKCS#11 libraries, each loaded once in a process.
//!
//! A library knows the tokens that were there when it was initialised: SoftHSM, and the libraries of many
//! network HSMs, find a token that went away and came back only after `C_Finalize` and `C_Initialize`.
//! Both count for the whole process (PKCS#11 § 5.4) and make every session's handle void, which a new
//! session may then get again. So whoever has a session at work holds the library [`InUse`], and a
//! restart waits for them and closes the idle sessions of all pools before.

use std::{
    collections::BTreeMap,
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak},
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use super::pool::Pool;
use crate::KeyError;

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Library>>> = Mutex::new(BTreeMap::new());

/// A library is not started again sooner.
const PAUSE: Duration = Duration::from_secs(2);

/// A PKCS#11 library.
pub(crate) struct Library {
    path: PathBuf,
    functions: Pkcs11,
    /// When it was last started; `None`: it is not running. Read by whoever works with it.
    started: RwLock<Option<Instant>>,
    pools: Mutex<Vec<Weak<Pool>>>,
}

/// A library that runs and is not restarted as long as this is held. Not to be taken twice by a thread:
/// a restart that waits between would never come.
pub(crate) struct InUse<'a> {
    functions: &'a Pkcs11,
    _running: RwLockReadGuard<'a, Option<Instant>>,
}

impl Deref for InUse<'_> {
    type Target = Pkcs11;
    fn deref(&self) -> &Pkcs11 {
        self.functions
    }
}

/// The library at `path`.
pub(crate) fn load(path: &Path) -> Result<Arc<Library>, KeyError> {
    // Two names of one file are one library.
    let file = fs::canonicalize(path).map_err(|error| KeyError::Module(path.to_owned(), Box::new(error)))?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(&file) {
        return Ok(library.clone());
    }
    let functions = Pkcs11::new(&file).map_err(|error| KeyError::Module(path.to_owned(), Box::new(error)))?;
    let (started, pools) = (RwLock::default(), Mutex::default());
    let library = Arc::new(Library { path: path.to_owned(), functions, started, pools });
    loaded.insert(file, library.clone());
    Ok(library)
}

impl Library {
    /// The library, running.
    pub(crate) fn in_use(&self) -> Result<InUse<'_>, KeyError> {
        loop {
            let running = self.started.read().unwrap_or_else(PoisonError::into_inner);
            if running.is_some() {
                return Ok(InUse { functions: &self.functions, _running: running });
            }
            drop(running);
            let mut started = self.started.write().unwrap_or_else(PoisonError::into_inner);
            if started.is_none() {
                *started = Some(self.start()?);
            }
        }
    }

    /// Its functions, for who has it [`InUse`] already.
    pub(crate) fn functions(&self) -> &Pkcs11 {
        &self.functions
    }

    fn start(&self) -> Result<Instant, KeyError> {
        match self.functions.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(Instant::now()),
            Err(error) => Err(KeyError::ModuleDoesNotStart(self.path.clone(), error)),
        }
    }

    /// Starts the library anew, so that it looks for its tokens again, unless it was started just now.
    /// True if it was. The calling thread must not have it [`InUse`].
    pub(crate) fn restart(&self) -> Result<bool, KeyError> {
        let mut started = self.started.write().unwrap_or_else(PoisonError::into_inner);
        if started.is_some_and(|at| at.elapsed() < PAUSE) {
            return Ok(false);
        }
        for pool in self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade)
        {
            pool.close_idle();
        }
        if started.take().is_some() {
            match self.functions.clone().finalize() {
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
                Err(error) => return Err(KeyError::ModuleDoesNotStart(self.path.clone(), error)),
            }
        }
        *started = Some(self.start()?);
        Ok(true)
    }

    /// From now on the pool's idle sessions are closed before a restart.
    pub(crate) fn add(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }
}
