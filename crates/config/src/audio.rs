//! The audio of announcements: found, read and checked.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::resources::{Audio, AudioLibrary, AudioSource, ResourceKey};
use media::announcement::{Announcement, built_in, built_in_names};
use sha2::{Digest, Sha256};

/// A larger file is no announcement, bytes.
const MAX_SIZE: u64 = 20 << 20;

/// What changes whenever a file is changed, replaced, added or removed; `None`: it is not there.
type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// Files that announcements consist of, as they were when they were read.
pub(crate) type Stamps = BTreeMap<PathBuf, Stamp>;

/// How these files are now.
pub(crate) fn stamps<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Stamps {
    files.map(|file| (file.clone(), stamp(file))).collect()
}

fn stamp(file: &Path) -> Stamp {
    // Follows links: a mounted ConfigMap changes by its link.
    let m = fs::metadata(file).ok()?;
    Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()))
}

/// Reads audio for the resources of one folder.
pub(crate) struct Library<'a> {
    folder: &'a Path,
    /// Which file of the folder each resource stands in.
    origins: &'a BTreeMap<ResourceKey, PathBuf>,
    read: RefCell<Stamps>,
}

impl<'a> Library<'a> {
    pub fn new(folder: &'a Path, origins: &'a BTreeMap<ResourceKey, PathBuf>) -> Self {
        Self { folder, origins, read: RefCell::default() }
    }

    /// Every file that was asked for, there or not.
    pub fn into_stamps(self) -> Stamps {
        self.read.into_inner()
    }

    fn file(&self, key: &ResourceKey, path: &Path) -> Result<Arc<[u8]>, String> {
        let origin = self.origins.get(key).and_then(|origin| origin.parent());
        let relative = within(origin.unwrap_or(Path::new("")), path)?;
        let file = self.folder.join(relative);
        // Before it is read: what changes in between is seen at the next look.
        self.read.borrow_mut().insert(file.clone(), stamp(&file));
        read_within(self.folder, &file)
    }
}

impl AudioLibrary for Library<'_> {
    fn audio(&self, key: &ResourceKey, source: &AudioSource) -> Result<Audio, String> {
        let bytes = match source {
            AudioSource::File(path) => self.file(key, path)?,
            AudioSource::BuiltIn(name) => shipped(name)?,
            AudioSource::Data(bytes) => bytes.clone(),
        };
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let duration = checked(sha256, &bytes)?;
        Ok(Audio { sha256: hex::encode(sha256), bytes, duration })
    }
}

/// Checks the bytes of a file as configuration does, for who wants to add one. Error: why it cannot
/// be played.
pub fn check_audio(bytes: &[u8]) -> Result<Duration, String> {
    if bytes.len() as u64 > MAX_SIZE {
        return Err(too_large());
    }
    checked(Sha256::digest(bytes).into(), bytes)
}

fn too_large() -> String {
    format!("is larger than {} MiB", MAX_SIZE >> 20)
}

fn shipped(name: &str) -> Result<Arc<[u8]>, String> {
    built_in(name).map(Arc::from).ok_or_else(|| {
        let names: Vec<&str> = built_in_names().collect();
        format!("is none that is shipped with Callseal; there are {}", names.join(", "))
    })
}

/// `path` as seen from `folder`, as a path below the configuration folder.
fn within(folder: &Path, path: &Path) -> Result<PathBuf, String> {
    let mut whole = folder.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !whole.pop() {
                    return Err("leads out of the configuration folder".to_owned());
                }
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err("must be relative to the folder of the file that it stands in".to_owned());
            }
        }
    }
    if path.as_os_str().is_empty() { Err("must not be empty".to_owned()) } else { Ok(whole) }
}

/// Links may lead anywhere within the configuration folder (a mounted ConfigMap consists of them),
/// but not out of it: who may write a tenant's configuration must not play the machine's files.
fn read_within(folder: &Path, file: &Path) -> Result<Arc<[u8]>, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let folder = fs::canonicalize(folder).map_err(failed)?;
    let file = fs::canonicalize(file).map_err(failed)?;
    if !file.starts_with(&folder) {
        return Err("is a link that leads out of the configuration folder".to_owned());
    }
    // A pipe or device would never end.
    if !fs::metadata(&file).map_err(failed)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(&file).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_SIZE { Err(too_large()) } else { Ok(bytes.into()) }
}

/// More are not remembered: they are decoded again.
const MAX_REMEMBERED: usize = 1_000;

/// How long it takes, or why it cannot be played. Decoding takes its time, the services of one
/// process read the same folder, and each change of it reads all: every file is decoded once.
fn checked(sha256: [u8; 32], bytes: &[u8]) -> Result<Duration, String> {
    type Checked = HashMap<[u8; 32], Result<Duration, String>>;
    static CHECKED: Mutex<Option<Checked>> = Mutex::new(None);
    // Each entry is whole: a poisoned lock is still good.
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let checked = checked.get_or_insert_default();
    if checked.len() >= MAX_REMEMBERED {
        checked.clear();
    }
    let check = || Announcement::from_file(bytes).map(|a| a.duration()).map_err(|error| error.to_string());
    checked.entry(sha256).or_insert_with(check).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_configuration_folder() {
        let acme = Path::new("acme/rules");
        let found = |path: &str| within(acme, Path::new(path));
        assert_eq!(found("hello.wav"), Ok("acme/rules/hello.wav".into()));
        assert_eq!(found("./../audio/hello.wav"), Ok("acme/audio/hello.wav".into()));
        assert_eq!(found("../../shared.mp3"), Ok("shared.mp3".into()));
        assert_eq!(found("../../../x.wav"), Err("leads out of the configuration folder".into()));
        assert_eq!(found("../../../acme/x.wav"), Err("leads out of the configuration folder".into()));
        assert!(found("/etc/passwd").unwrap_err().starts_with("must be relative"));
        assert_eq!(found(""), Err("must not be empty".into()));
    }
}
