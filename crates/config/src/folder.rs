//! A folder of files, read once.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::resources::{ResourceKey, Resources};

use crate::{
    ConfigError, Problem,
    interpret::{History, interpret},
    sealed::KeyFile,
    source,
};

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What is in force.
    pub resources: Arc<Resources>,
    /// Where each resource stands that was seen, in force or not.
    pub places: Arc<BTreeMap<ResourceKey, Place>>,
    /// What is wrong, by file and line.
    pub problems: Arc<Vec<Problem>>,
}

/// Where a resource stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the configuration folder.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// Nothing else stands in the file.
    pub alone: bool,
    /// It is a Secret with a value in plain text.
    pub plain: bool,
}

/// Reads the folder `dir`. Broken resources are no error: they are among the problems, and the
/// others are in force. Error: `dir` is not a folder.
///
/// For those who have no use for secrets: what is sealed stays closed, and whatever refers to it is
/// silently not in force.
pub fn load(dir: &Path) -> Result<Loaded, ConfigError> {
    read(dir, &KeyFile::none())
}

/// The same, for those who use secrets: sealed values are opened with the key in the file `key`, which
/// is never made. A value that cannot be opened is a problem, and is missing.
pub fn load_with_key(dir: &Path, key: &Path) -> Result<Loaded, ConfigError> {
    read(dir, &KeyFile::at(key))
}

fn read(dir: &Path, key: &KeyFile) -> Result<Loaded, ConfigError> {
    check(dir)?;
    Ok(interpret(dir, source::read(dir), &History::default(), key).0)
}

/// Error: `dir` is not a folder that can be listed.
pub(crate) fn check(dir: &Path) -> Result<(), ConfigError> {
    std::fs::read_dir(dir).map(drop).map_err(|_| ConfigError::NoFolder(dir.to_owned()))
}
