//! Staging: the folder (an object store) where segments and sealed files lie until the shipper has
//! delivered them.
//!
//! Keys: `segments/<recording>/<track>/<first sample>-<hash>.raw`, `sealed/<tenant>/<recording>/<file>`,
//! `certificates/<key id>.pem`. Objects are made once and never changed: a repeat after a crash finds
//! its own bytes. Every write is synced to the disk, the folder's entry included.

use std::{fs, io, path::Path, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, local::LocalFileSystem,
    path::Path as Key,
};

/// Why something cannot be put into staging or read from it. Keys are not repeated: names of sealed
/// files hold numbers.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The folder cannot be made or opened.
    #[error("the staging folder cannot be used")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Writing failed.
    #[error("a file cannot be written to staging (is the disk full?)")]
    Write(#[source] Error),
    /// What a death in mid-write has left could not be deleted.
    #[error("an unfinished file cannot be deleted from staging")]
    Delete(#[source] io::Error),
    /// Another content lies under the name.
    #[error("staging already holds another content under the name of {0}; it was not touched")]
    Different(&'static str),
    /// Reading failed.
    #[error("a file in staging cannot be read")]
    Read(#[source] Error),
    /// The content is not what was written.
    #[error("a segment in staging is damaged: its hash is not the one it was written with")]
    Damaged,
}

/// The staging folder.
#[derive(Debug, Clone)]
pub struct Staging {
    store: Arc<LocalFileSystem>,
}

impl Staging {
    /// Opens the folder; it is made when missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StagingError> {
        std::fs::create_dir_all(dir).map_err(|e| StagingError::Open(e.into()))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| StagingError::Open(e.into()))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)) })
    }

    /// The object store itself.
    pub fn store(&self) -> &Arc<LocalFileSystem> {
        &self.store
    }

    /// Puts an object that is made once; the same content is there already after a repeat. `what`
    /// names it in errors.
    ///
    /// # Errors
    /// Writing failed, or another content lies there.
    pub async fn put_once(&self, key: &Key, content: Bytes, what: &'static str) -> Result<(), StagingError> {
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(key, PutPayload::from(content.clone()), options).await {
            Ok(_) => Ok(()),
            Err(Error::AlreadyExists { .. }) => {
                let there = self.read(key).await?;
                if there == content { Ok(()) } else { Err(StagingError::Different(what)) }
            }
            Err(error) => Err(StagingError::Write(error)),
        }
    }

    /// Puts an object, whatever lay there before.
    ///
    /// # Errors
    /// Writing failed.
    pub async fn replace(&self, key: &Key, content: Bytes) -> Result<(), StagingError> {
        self.store.put(key, PutPayload::from(content)).await.map_err(StagingError::Write)?;
        Ok(())
    }

    /// The whole of a (small) object.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub async fn read(&self, key: &Key) -> Result<Bytes, StagingError> {
        self.store.get(key).await.map_err(StagingError::Read)?.bytes().await.map_err(StagingError::Read)
    }

    /// Names of the folders in a folder.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn folders(&self, prefix: &Key) -> Result<Vec<String>, StagingError> {
        let listed = self.store.list_with_delimiter(Some(prefix)).await.map_err(StagingError::Read)?;
        Ok(listed.common_prefixes.iter().filter_map(|key| key.filename().map(str::to_owned)).collect())
    }

    /// Deletes everything under a prefix, also what a death in mid-write has left; what is gone already
    /// is fine.
    ///
    /// # Errors
    /// The folder cannot be listed, or a file not deleted.
    pub async fn delete_all(&self, prefix: &Key) -> Result<(), StagingError> {
        let objects: Vec<_> =
            self.store.list(Some(prefix)).try_collect().await.map_err(StagingError::Read)?;
        for object in objects {
            match self.store.delete(&object.location).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(StagingError::Write(error)),
            }
        }
        let folder = self.store.path_to_filesystem(prefix).map_err(StagingError::Read)?;
        let deleted = tokio::task::spawn_blocking(move || delete_unfinished(&folder)).await;
        deleted.map_err(io::Error::other).and_then(|deleted| deleted).map_err(StagingError::Delete)
    }
}

/// The object store writes to `<name>#<number>` and renames. It neither lists nor deletes such a file
/// of a process that died in between, and there is audio in it.
fn delete_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once('#')).map(|(_, number)| number);
        if entry.file_type()?.is_dir() {
            delete_unfinished(&entry.path())?;
        } else if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let shown = format!("{:?}", Staging::open(dir.path()).unwrap().store);
        assert!(shown.contains("fsync: true"), "{shown}");
    }

    #[tokio::test]
    async fn an_object_is_made_once_and_a_repeat_with_the_same_bytes_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let key = Key::from("segments/a/1/0.raw");
        staging.put_once(&key, Bytes::from_static(b"one"), "a segment").await.unwrap();
        staging.put_once(&key, Bytes::from_static(b"one"), "a segment").await.unwrap();
        let other = staging.put_once(&key, Bytes::from_static(b"two"), "a segment").await;
        assert!(matches!(other, Err(StagingError::Different("a segment"))));
        assert_eq!(staging.read(&key).await.unwrap(), "one");
        // As a process leaves it that dies in mid-write.
        let unfinished = dir.path().join("segments/a/1/8000.raw#1");
        std::fs::write(&unfinished, "audi").unwrap();
        staging.delete_all(&Key::from("segments/a")).await.unwrap();
        assert!(staging.read(&key).await.is_err());
        assert!(!unfinished.exists());
        staging.delete_all(&Key::from("segments/a")).await.unwrap();
        staging.delete_all(&Key::from("segments/never-there")).await.unwrap();
    }
}
