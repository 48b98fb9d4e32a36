//! A folder of files, read once.

use std::{path::Path, sync::Arc};

use domain::resources::Resources;

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
    /// What is wrong, by file and line.
    pub problems: Arc<Vec<Problem>>,
}

/// Reads the folder `dir`. Broken resources are no error: they are among the problems, and the
/// others are in force. Error: `dir` is not a folder.
pub fn load(dir: &Path) -> Result<Loaded, ConfigError> {
    check(dir)?;
    Ok(interpret(source::read(dir), &History::default()).0)
}

/// Error: `dir` is not a folder that can be listed.
pub(crate) fn check(dir: &Path) -> Result<(), ConfigError> {
    std::fs::read_dir(dir).map(drop).map_err(|_| ConfigError::NoFolder(dir.to_owned()))
}
