//! The file with the key.
//!
//! It is written and synced under a name of its own and then linked to its place, which fails if
//! somebody else was faster. Crash before the link: a stray hidden file; after it: the key is there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::{KEY_LENGTH, VaultError};

/// Rights that would let everybody read the key.
const OTHERS_READ: u32 = 0o004;

/// The key in the file, which has to be there.
pub(crate) fn read_existing(path: &Path) -> Result<[u8; KEY_LENGTH], VaultError> {
    read(path).map_err(|error| match error {
        VaultError::File { path, source } if source.kind() == io::ErrorKind::NotFound => {
            VaultError::Missing(path)
        }
        error => error,
    })
}

/// The key in the file, which is made if it is missing.
pub(crate) fn read_or_make(path: &Path) -> Result<[u8; KEY_LENGTH], VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    match read(path) {
        Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(failed)?;
            read(path)
        }
        read => read,
    }
}

/// The key that a text says.
pub(crate) fn parse(text: &str) -> Option<[u8; KEY_LENGTH]> {
    hex::decode(text.trim()).ok()?.try_into().ok()
}

fn read(path: &Path) -> Result<[u8; KEY_LENGTH], VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & OTHERS_READ != 0 {
        return Err(VaultError::ReadableByAll(path.to_owned()));
    }
    let text = match io::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(VaultError::FileDamaged(path.to_owned()));
        }
        text => text.map_err(failed)?,
    };
    parse(&text).ok_or_else(|| VaultError::FileDamaged(path.to_owned()))
}

fn make(path: &Path) -> io::Result<()> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut key = [0; KEY_LENGTH];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let unfinished = folder.join(format!(".callseal-key-{}-{number}", std::process::id()));
    // What a process of the same id once left has no use.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}
