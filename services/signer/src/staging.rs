//! Staging: the folder (an object store) where segments and sealed files lie until the shipper has
//! delivered them.
//!
//! Keys: `segments/<recording>/<track>/<first sample>-<hash>.raw`, `sealed/<tenant>/<recording>/<file>`,
//! `certificates/<key id>.pem`, `certificates/<tenant>/<key id>.pem`, `halted/<tenant>.txt`. Objects are made once and never changed: a repeat after a crash finds
//! its own bytes. Every write is synced to the disk, the folder's entry included.

mod sync;
mod together;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, local::LocalFileSystem,
    path::Path as Key,
};

pub use self::together::{NewFile, Put, Together};

/// Why something cannot be put into staging or read from it. Keys are not repeated: names of sealed
/// files hold numbers.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The folder cannot be made or opened.
    #[error("the staging folder cannot be used")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Writing failed.
    #[error("a file cannot be written to staging (is the disk full?)")]
    Write(#[source] io::Error),
    /// Something that is not needed any more could not be deleted.
    #[error("a folder cannot be deleted from staging")]
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
    sync: sync::Sync,
}

impl Staging {
    /// Opens the folder; it is made when missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StagingError> {
        std::fs::create_dir_all(dir).map_err(|e| StagingError::Open(e.into()))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| StagingError::Open(e.into()))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), sync: sync::Sync::of(dir) })
    }

    /// The object store itself.
    pub fn store(&self) -> &Arc<LocalFileSystem> {
        &self.store
    }

    /// Where an object lies.
    ///
    /// # Errors
    /// There is no such place.
    pub fn path(&self, key: &Key) -> Result<PathBuf, StagingError> {
        self.store.path_to_filesystem(key).map_err(StagingError::Read)
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
            Err(error) => Err(StagingError::Write(error.into())),
        }
    }

    /// Puts an object, whatever lay there before.
    ///
    /// # Errors
    /// Writing failed.
    pub async fn replace(&self, key: &Key, content: Bytes) -> Result<(), StagingError> {
        self.store
            .put(key, PutPayload::from(content))
            .await
            .map_err(|error| StagingError::Write(error.into()))?;
        Ok(())
    }

    /// The whole of a (small) object.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub async fn read(&self, key: &Key) -> Result<Bytes, StagingError> {
        self.store.get(key).await.map_err(StagingError::Read)?.bytes().await.map_err(StagingError::Read)
    }

    /// The same; blocks.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn read_now(&self, key: &Key) -> Result<Vec<u8>, StagingError> {
        let read = fs::read(self.path(key)?);
        read.map_err(|error| {
            StagingError::Read(Error::Generic { store: "the staging folder", source: error.into() })
        })
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
        self.delete_folders(std::slice::from_ref(prefix)).await
    }

    /// The same for several.
    ///
    /// # Errors
    /// As [`delete_all`](Self::delete_all).
    pub async fn delete_folders(&self, prefixes: &[Key]) -> Result<(), StagingError> {
        let folders: Vec<PathBuf> = prefixes.iter().map(|key| self.path(key)).collect::<Result<_, _>>()?;
        // The object store neither lists nor deletes what a process left that died in between, nor folders.
        let delete = move || folders.iter().try_for_each(|folder| delete_folder(folder));
        let deleted = tokio::task::spawn_blocking(delete).await;
        deleted.map_err(io::Error::other).and_then(|deleted| deleted).map_err(StagingError::Delete)
    }
}

/// A folder and all that is in it; it need not be there.
fn delete_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Costs;

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
        assert!(!unfinished.exists() && !dir.path().join("segments/a").exists());
        staging.delete_all(&Key::from("segments/a")).await.unwrap();
        staging.delete_all(&Key::from("segments/never-there")).await.unwrap();
    }

    fn new(key: &str, content: &'static str, put: Put) -> NewFile {
        NewFile { key: Key::from(key), content: Bytes::from_static(content.as_bytes()), put }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn costs() -> Costs {
        Costs::register(&prometheus::Registry::new()).unwrap()
    }

    #[tokio::test]
    async fn files_that_are_put_together_fail_by_themselves_and_leave_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let (once, costs) = (Put::Once("a text"), costs());
        let groups = || {
            let groups = (0..5).map(|n| {
                let key = |name: &str| format!("sealed/acme/{n}/{name}");
                vec![new(&key("info"), "info", once), new(&key("proof"), "proof", Put::Replace)]
            });
            groups.collect::<Vec<_>>()
        };
        assert!(staging.put_groups(groups(), &costs).await.iter().all(Result::is_ok));
        // Another content lies in place of one, and an unfinished file of another beside it.
        fs::write(dir.path().join("sealed/acme/1/info"), "other").unwrap();
        fs::write(dir.path().join("sealed/acme/2/proof#1"), "pro").unwrap();
        fs::write(dir.path().join("sealed/acme/3/proof"), "an older one").unwrap();
        let outcomes = staging.put_groups(groups(), &costs).await;
        let failed: Vec<usize> = (0..5).filter(|at| outcomes[*at].is_err()).collect();
        assert_eq!(failed, [1]);
        assert!(matches!(outcomes[1], Err(StagingError::Different("a text"))));
        assert_eq!(staging.read(&Key::from("sealed/acme/1/info")).await.unwrap(), "other");
        assert_eq!(staging.read(&Key::from("sealed/acme/3/proof")).await.unwrap(), "proof");
        assert_eq!(names(&dir.path().join("sealed/acme/0")), ["info", "proof"]);
        assert_eq!(names(&dir.path().join("sealed/acme/2")), ["info", "proof", "proof#1"]);
        assert_eq!(staging.put_groups(Vec::new(), &costs).await.len(), 0);
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_written_leaves_the_others_alone() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let costs = costs();
        // A file where a folder belongs.
        fs::write(dir.path().join("b"), "").unwrap();
        let put = |folder: &str| {
            vec![
                new(&format!("{folder}/1"), "1", Put::Replace),
                new(&format!("{folder}/2"), "2", Put::Replace),
            ]
        };
        let outcomes = staging.put_groups(vec![put("a"), put("b"), put("c")], &costs).await;
        assert!(matches!(outcomes[..], [Ok(()), Err(StagingError::Write(_)), Ok(())]), "{outcomes:?}");
        assert_eq!(names(&dir.path().join("c")), ["1", "2"]);
    }

    #[tokio::test]
    async fn what_lies_in_a_place_is_replaced_as_a_whole_and_never_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let costs = costs();
        let place = dir.path().join("sealed/audio");
        let audio = |content| vec![vec![new("sealed/audio", content, Put::Replace)]];
        // As a process leaves it that dies in mid-write.
        fs::create_dir(dir.path().join("sealed")).unwrap();
        fs::write(&place, "aud").unwrap();
        let mut reader = fs::File::open(&place).unwrap();
        assert!(staging.put_groups(audio("audio"), &costs).await.iter().all(Result::is_ok));
        assert_eq!(fs::read(&place).unwrap(), b"audio");
        let mut read = String::new();
        io::Read::read_to_string(&mut reader, &mut read).unwrap();
        assert_eq!(read, "aud");
        assert_eq!(names(&dir.path().join("sealed")), ["audio"]);
    }

    #[test]
    fn who_gives_up_deletes_nothing_that_another_replica_has_put_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let key = Key::from("sealed/audio");
        let put = |content: &[u8]| {
            let mut together = staging.together();
            io::Write::write_all(together.create(&key, Put::Replace).unwrap(), content).unwrap();
            together
        };
        let stalled = put(b"aud");
        assert!(put(b"audio").put().iter().all(Result::is_ok));
        drop(stalled);
        assert_eq!(fs::read(dir.path().join("sealed/audio")).unwrap(), b"audio");
        assert_eq!(names(&dir.path().join("sealed")), ["audio"]);
    }
}
