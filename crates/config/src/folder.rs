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
}

/// Reads the folder `dir`. Broken resources are no error: they are among the problems, and the
/// others are in force. Error: `dir` is not a folder.
pub fn load(dir: &Path) -> Result<Loaded, ConfigError> {
    check(dir)?;
    Ok(interpret(dir, source::read(dir), &History::default()).0)
}

/// Error: `dir` is not a folder that can be listed.
pub(crate) fn check(dir: &Path) -> Result<(), ConfigError> {
    std::fs::read_dir(dir).map(drop).map_err(|_| ConfigError::NoFolder(dir.to_owned()))
}
