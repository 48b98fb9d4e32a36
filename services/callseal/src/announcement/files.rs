//! Files of the library, changed so that a crash never leaves half of one.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Writes `bytes` to `path`, whole or not at all. What is not whole yet has a name that begins with
/// a dot: the services that watch the folder pass it over.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    hidden.push(format!(".{}", std::process::id()));
    let hidden = folder.join(hidden);
    let written = write(&hidden, bytes).and_then(|()| fs::rename(&hidden, path));
    if written.is_err() {
        // Nothing more can be done about what is left.
        let _ = fs::remove_file(&hidden);
    }
    written?;
    sync(folder)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Takes a file away; it is gone for good when this returns.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync(path.parent().unwrap_or(Path::new(".")))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
