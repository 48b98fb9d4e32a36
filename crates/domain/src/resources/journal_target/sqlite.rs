//! A SQLite file.

use std::path::PathBuf;

use serde::Deserialize;

use super::required;
use crate::resources::{FieldPath, field::Findings};

/// A SQLite file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteJournal {
    /// The file; made when missing.
    pub path: PathBuf,
}

/// The raw form of a [`SqliteJournal`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqliteSpec {
    /// The file; relative ones lie in the data directory.
    pub path: String,
}

impl SqliteSpec {
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> SqliteJournal {
        required(&self.path, &path.key("path"), findings);
        SqliteJournal { path: PathBuf::from(&self.path) }
    }
}
