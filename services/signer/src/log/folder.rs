//! The published files of one log in staging: `log/<tenant>/…`. The shipper brings them to every
//! archive, [`http`](crate::http) serves them.

use std::{fs, io, path::PathBuf, time::SystemTime};

use bytes::Bytes;
use domain::TenantId;
use evidence::log::{CheckpointError, LogFiles, SignedCheckpoint, tiles};
use object_store::path::Path as Key;

use crate::staging::{Staging, StagingError};

/// The newest checkpoint, with its cosignatures.
pub const NEWEST: &str = "checkpoint";
/// Where each signed checkpoint lies, made once.
const COPIES: &str = "checkpoints";
const STAMP_ENDING: &str = ".tsr";

/// One log's folder. Reading blocks, writing does not.
#[derive(Debug, Clone)]
pub struct LogFolder {
    staging: Staging,
    tenant: TenantId,
    dir: PathBuf,
}

/// A copy of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// Entries that it covers.
    pub size: u64,
    /// When it was written.
    pub written: SystemTime,
    /// An authority has stamped it.
    pub is_stamped: bool,
}

impl LogFolder {
    /// The folder of `tenant`; it need not be there yet.
    ///
    /// # Errors
    /// Staging has no folder.
    pub fn new(staging: &Staging, tenant: &TenantId) -> Result<Self, StagingError> {
        let dir = staging
            .store()
            .path_to_filesystem(&Key::from(format!("log/{tenant}")))
            .map_err(StagingError::Read)?;
        Ok(Self { staging: staging.clone(), tenant: tenant.clone(), dir })
    }

    fn key(&self, path: &str) -> Key {
        Key::from(format!("log/{}/{path}", self.tenant))
    }

    /// Puts a file that is made once. The same bytes may be there already.
    ///
    /// # Errors
    /// [`StagingError::Different`] if others are.
    pub async fn put_once(
        &self,
        path: &str,
        content: Vec<u8>,
        what: &'static str,
    ) -> Result<(), StagingError> {
        self.staging.put_once(&self.key(path), Bytes::from(content), what).await
    }

    /// Puts a file in place of whatever was there.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn replace(&self, path: &str, content: Vec<u8>) -> Result<(), StagingError> {
        self.staging.replace(&self.key(path), Bytes::from(content)).await
    }

    /// The newest checkpoint. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn newest(&self) -> Result<Option<SignedCheckpoint>, FolderError> {
        self.checkpoint(NEWEST)
    }

    /// The copy of the checkpoint of this size. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn copy(&self, size: u64) -> Result<Option<SignedCheckpoint>, FolderError> {
        self.checkpoint(&tiles::checkpoint_path(size))
    }

    fn checkpoint(&self, path: &str) -> Result<Option<SignedCheckpoint>, FolderError> {
        let Some(bytes) = self.read(path)? else { return Ok(None) };
        Ok(Some(SignedCheckpoint::parse(&bytes)?))
    }

    /// All copies of checkpoints, smallest first. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn copies(&self) -> io::Result<Vec<Copy>> {
        let names = self.list(COPIES)?;
        let size = |name: &str| (name.len() == 20).then(|| name.parse::<u64>().ok()).flatten();
        let mut copies = Vec::new();
        for (name, size) in names.iter().filter_map(|name| Some((name, size(name)?))) {
            let written = match fs::metadata(self.dir.join(COPIES).join(name)) {
                Ok(file) => file.modified()?,
                // Deleted as outdated meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            copies.push(Copy { size, written, is_stamped: names.contains(&format!("{name}{STAMP_ENDING}")) });
        }
        copies.sort_by_key(|copy| copy.size);
        Ok(copies)
    }

    /// Where the time stamp of the checkpoint of this size lies.
    pub fn stamp_path(size: u64) -> String {
        format!("{}{STAMP_ENDING}", tiles::checkpoint_path(size))
    }

    /// Deletes a file; it may be gone already. Blocks.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn delete(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.dir.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes a folder if it is empty. Blocks.
    pub fn delete_empty(&self, path: &str) {
        // Whatever is still in it is looked at next time.
        let _ = fs::remove_dir(self.dir.join(path));
    }
}

/// Why a published checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk.
    #[error("a published file of the log cannot be read")]
    Read(#[from] io::Error),
    /// Its content.
    #[error("a published checkpoint is damaged")]
    Checkpoint(#[from] CheckpointError),
}

impl LogFiles for LogFolder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.dir.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(names)
    }
}
