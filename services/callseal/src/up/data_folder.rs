//! The data folder: where each service keeps what, and the lock that keeps a second process out.

use std::{
    fs::{self, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// The folder of `--data`, held by this process alone.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing (readable by its owner only) and takes its lock.
    ///
    /// # Errors
    /// Another process works in it, or it cannot be written.
    pub fn take(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root).context("the data folder has no absolute path")?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .with_context(|| format!("the data folder {} cannot be made", root.display()))?;
        let lock = root.join("lock");
        let lock_file = File::create(&lock)
            .with_context(|| format!("the data folder {} cannot be written", root.display()))?;
        if lock_file.try_lock().is_err() {
            bail!("another callseal works with the data folder {}: stop it first", root.display());
        }
        Ok(Self { root, _lock: lock_file })
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What may still be written on its disk, bytes.
    ///
    /// # Errors
    /// The system does not say.
    pub fn free_bytes(&self) -> anyhow::Result<u64> {
        let disk = nix::sys::statvfs::statvfs(&self.root)
            .with_context(|| format!("the disk of {} does not say what is free", self.root.display()))?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    /// Where signer and shipper find segments and sealed files.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// Where ingest keeps what the bus did not take.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// The key that seals credentials.
    pub fn vault_key(&self) -> PathBuf {
        self.root.join("vault.key")
    }

    /// Where NATS keeps its streams.
    pub fn nats(&self) -> PathBuf {
        self.root.join("nats")
    }

    /// URL of the state database of one service.
    ///
    /// # Errors
    /// The folder for them cannot be made.
    pub fn state(&self, service: &str) -> anyhow::Result<String> {
        let folder = self.root.join("state");
        fs::create_dir_all(&folder).context("the folder for state databases cannot be made")?;
        Ok(format!("sqlite:{}", folder.join(format!("{service}.sqlite")).display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_kept_out_of_the_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::take(dir.path()).unwrap();
        let refused = DataFolder::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("another callseal"), "{refused}");
        drop(first);
        assert!(DataFolder::take(dir.path()).is_ok());
    }
}
