//! PKCS#11 libraries, each loaded and initialised once in a process.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use crate::KeyError;

/// `C_Initialize` counts per process (PKCS#11 § 5.4), so the libraries outlive every key. They are never
/// finalised: another part of the process may use the same one.
static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// The library at `path`, ready for use.
pub(crate) fn load(path: &Path) -> Result<Pkcs11, KeyError> {
    let failed = |error: Error| KeyError::Module(path.to_owned(), Box::new(error));
    // Two names of one file are one library.
    let file = fs::canonicalize(path).map_err(|error| KeyError::Module(path.to_owned(), Box::new(error)))?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(&file) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(&file).map_err(failed)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(failed(error)),
    }
    loaded.insert(file, module.clone());
    Ok(module)
}
