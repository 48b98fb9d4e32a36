//! A token of SoftHSM in a folder of ours: for `callseal demo`, a single machine and tests. It keeps the
//! key in files; whoever can read the folder and the PIN has the key. In production, use an HSM.
//!
//! SoftHSM reads its configuration from the path in the environment variable `SOFTHSM2_CONF`, when it is
//! initialised. Changing the environment of a running process is not safe, so the variable has to be set
//! *before*: write the configuration with [`write_conf`], start the process (again) with the variable,
//! then call [`prepare`]. [`is_selected`] tells whether that is done.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use cryptoki::{context::Pkcs11, session::UserType, types::AuthPin};

use crate::{
    KeyError, KeyName,
    pkcs11::{Pin, Pkcs11Options, SESSIONS, find_slot, load},
};

/// The environment variable with the path of SoftHSM's configuration.
pub const CONF_VARIABLE: &str = "SOFTHSM2_CONF";

/// Where distributions put the library.
const PLACES: [&str; 8] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/// SoftHSM's library, if it is installed.
pub fn find_module() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The configuration of the token under `dir`: what [`CONF_VARIABLE`] has to hold.
pub fn conf_path(dir: &Path) -> PathBuf {
    dir.join("softhsm2.conf")
}

/// True if this process was started with the configuration of the token under `dir`.
pub fn is_selected(dir: &Path) -> bool {
    let same = |a: &Path, b: &Path| {
        fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b)
    };
    env::var_os(CONF_VARIABLE).is_some_and(|value| same(Path::new(&value), &conf_path(dir)))
}

/// Makes the folder `dir` for a token, readable for this user alone, and the configuration in it.
pub fn write_conf(dir: &Path) -> Result<(), KeyError> {
    let tokens = dir.join("tokens");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&tokens);
    made.map_err(|error| KeyError::Storage(tokens.clone(), error))?;
    // SoftHSM takes the path as it stands, and other processes have other working directories.
    let tokens = fs::canonicalize(&tokens).map_err(|error| KeyError::Storage(tokens, error))?;
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        tokens.display()
    );
    let path = conf_path(dir);
    fs::write(&path, text).map_err(|error| KeyError::Storage(path, error))
}

/// A token of SoftHSM that is ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftHsmToken {
    /// SoftHSM's library.
    pub module: PathBuf,
    /// Label of the token.
    pub label: String,
    /// File with the PIN of its user.
    pub pin_file: PathBuf,
}

impl SoftHsmToken {
    /// How to open the key with that label in this token.
    pub fn key(&self, label: &str) -> Pkcs11Options {
        Pkcs11Options {
            module: self.module.clone(),
            token_label: self.label.clone(),
            pin: Pin::File(self.pin_file.clone()),
            key: KeyName::from(label),
            sessions: SESSIONS,
        }
    }
}

/// The token `label` under `dir`, whether or not it is there: opening a key says so. Makes nothing; this
/// is for a key that once was made. Needs [`is_selected`].
///
/// # Errors
/// SoftHSM is not installed, or its configuration is another one.
pub fn existing(dir: &Path, label: &str) -> Result<SoftHsmToken, KeyError> {
    Ok(SoftHsmToken { module: module(dir)?, label: label.to_owned(), pin_file: dir.join("pin") })
}

/// The token `label` under `dir`; initialised with a random PIN if there is none yet. Needs
/// [`is_selected`].
///
/// Order: 1 both PINs in files, 2 token with the security officer's PIN, 3 PIN of the user. After a
/// crash the next call goes on where it was.
pub fn prepare(dir: &Path, label: &str) -> Result<SoftHsmToken, KeyError> {
    // Where an earlier token was lost with its folder; SoftHSM does not start without.
    if !conf_path(dir).exists() || !dir.join("tokens").exists() {
        write_conf(dir)?;
    }
    let module = module(dir)?;
    let (pin_file, officer_file) = (dir.join("pin"), dir.join("so-pin"));
    let (pin, officer) = (pin(&pin_file)?, pin(&officer_file)?);
    let library = load(&module)?;
    initialise(&*library.in_use()?, label, &pin, &officer)?;
    Ok(SoftHsmToken { module, label: label.to_owned(), pin_file })
}

fn module(dir: &Path) -> Result<PathBuf, KeyError> {
    let not_installed =
        io::Error::new(io::ErrorKind::NotFound, "SoftHSM (Debian: softhsm2) is not installed");
    let module = find_module().ok_or_else(|| KeyError::Module(PLACES[0].into(), Box::new(not_installed)))?;
    if !is_selected(dir) {
        let why = format!("{CONF_VARIABLE} does not name the configuration of this token");
        return Err(KeyError::Module(module, why.into()));
    }
    Ok(module)
}

fn initialise(library: &Pkcs11, label: &str, pin: &AuthPin, officer: &AuthPin) -> Result<(), KeyError> {
    let failed = |source| KeyError::Hsm { doing: "initialise the token", source };
    let slot = match find_slot(library, label) {
        Err(KeyError::TokenMissing(_)) => {
            let slots = library.get_slots_with_token().map_err(failed)?;
            let free = |slot: &cryptoki::slot::Slot| {
                library.get_token_info(*slot).is_ok_and(|info| !info.token_initialized())
            };
            // SoftHSM always offers one more slot than there are tokens.
            let slot =
                slots.into_iter().find(free).ok_or_else(|| KeyError::TokenMissing(label.to_owned()))?;
            library.init_token(slot, officer, label).map_err(failed)?;
            find_slot(library, label)?
        }
        other => other?,
    };
    if library.get_token_info(slot).map_err(failed)?.user_pin_initialized() {
        return Ok(());
    }
    let session = library.open_rw_session(slot).map_err(failed)?;
    session.login(UserType::So, Some(officer)).map_err(failed)?;
    session.init_pin(pin).map_err(failed)?;
    session.logout().map_err(failed)
}

fn pin(path: &Path) -> Result<AuthPin, KeyError> {
    create_pin(path)?;
    Ok(AuthPin::from(Pin::File(path.to_owned()).read()?.as_str()))
}

/// A random PIN in a file that this user alone can read; one that is there stays.
fn create_pin(path: &Path) -> Result<(), KeyError> {
    let failed = |error| KeyError::Storage(path.to_owned(), error);
    let text = hex::encode(rand::random::<[u8; 16]>());
    // Under another name first: a crash must not leave half a PIN.
    let new = path.with_extension("new");
    if path.exists() {
        return Ok(());
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}
