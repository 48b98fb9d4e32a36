//! The one place where relative paths of resources find their folder.

use std::path::{Path, PathBuf};

use super::{FolderTarget, JournalDatabase, JournalTarget, StorageKind, StorageTarget};

/// `path` as a file of this machine: relative ones lie in `base`, the data directory.
pub fn resolve(path: &Path, base: &Path) -> PathBuf {
    base.join(path)
}

impl StorageTarget {
    /// This target with its folder resolved against `base`, the data directory.
    pub fn resolved(&self, base: &Path) -> Self {
        let mut target = self.clone();
        if let StorageKind::Folder(FolderTarget { path }) = &mut target.kind {
            *path = resolve(path, base);
        }
        target
    }
}

impl JournalTarget {
    /// This journal with its SQLite file resolved against `base`, the data directory.
    pub fn resolved(&self, base: &Path) -> Self {
        let mut journal = self.clone();
        if let JournalDatabase::Sqlite(sqlite) = &mut journal.database {
            sqlite.path = resolve(&sqlite.path, base);
        }
        journal
    }
}
