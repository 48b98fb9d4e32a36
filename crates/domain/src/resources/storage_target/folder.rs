//! A folder of this machine.

use std::path::PathBuf;

use serde::Deserialize;

use crate::resources::{FieldPath, field::Findings, journal_target::required};

/// A local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTarget {
    /// The folder; made when missing.
    pub path: PathBuf,
}

/// The raw form of a [`FolderTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FolderSpec {
    /// The folder; relative ones lie in the data directory.
    pub path: String,
}

impl FolderSpec {
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<FolderTarget> {
        required(&self.path, &path.key("path"), findings);
        Some(FolderTarget { path: PathBuf::from(&self.path) })
    }
}
