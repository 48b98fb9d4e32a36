//! Staging, as the shipper sees it: it reads sealed files and is the only one that deletes them.

use std::{
    collections::BTreeSet,
    io::{self, Seek as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::TenantId;
use futures::TryStreamExt as _;
use object_store::{
    Error, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _, local::LocalFileSystem,
    path::Path as Key,
};
use targets::{Content, Digest, Reader, Source};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::StreamReader;
use wire::recording_v1::{RecordingSealed, SealedFile};

/// The staging folder.
#[derive(Debug, Clone)]
pub struct Staging {
    store: Arc<LocalFileSystem>,
}

/// The signer's object store writes to `<name>#<number>` and renames: a signer that died in between
/// has left such a file, with the numbers of the call in it.
async fn delete_unfinished(folder: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once('#')).map(|(_, number)| number);
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            // If it stays, so does the folder: somebody can see it.
            let _stays = tokio::fs::remove_file(entry.path()).await;
        }
    }
}

impl Staging {
    /// Opens the folder; it is made when missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(dir)?.with_fsync(true)) })
    }

    /// A sealed file as content for a target. `None` if what the announcement says of it cannot be.
    pub fn content(&self, sealed: &RecordingSealed, file: &SealedFile) -> Option<Content> {
        let sha256: Digest = file.sha256.as_slice().try_into().ok()?;
        let source = Staged { store: Arc::clone(&self.store), key: key(sealed, file), size: file.size };
        Some(Content::new(file.size, sha256, Arc::new(source)))
    }

    /// Deletes a recording's files and their folder; what is gone already is fine.
    ///
    /// # Errors
    /// One could not be deleted.
    pub async fn delete(&self, sealed: &RecordingSealed) -> Result<(), Error> {
        for file in &sealed.files {
            match self.store.delete(&key(sealed, file)).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // The folder is this recording's alone. If something else lies in it, it stays.
        if let Ok(folder) = self.store.path_to_filesystem(&Key::from(sealed.staging_prefix.as_str())) {
            delete_unfinished(&folder).await;
            let _not_empty_or_gone = tokio::fs::remove_dir(folder).await;
        }
        Ok(())
    }

    /// Whether this is staging at all: a folder whose disk is not mounted is there and empty.
    pub async fn is_there(&self) -> bool {
        let Ok(sealed) = self.store.path_to_filesystem(&Key::from("sealed")) else { return false };
        tokio::fs::metadata(sealed).await.is_ok_and(|found| found.is_dir())
    }

    /// The folder of a key, for what is read by its names and times: the published logs.
    pub fn folder(&self, key: &str) -> Option<PathBuf> {
        self.store.path_to_filesystem(&Key::from(key)).ok()
    }

    /// The recordings that have sealed files here, by tenant and recording id as the keys say them.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub async fn recordings(&self) -> Result<BTreeSet<(String, String)>, Error> {
        let mut found = BTreeSet::new();
        for tenant in self.store.list_with_delimiter(Some(&Key::from("sealed"))).await?.common_prefixes {
            for recording in self.store.list_with_delimiter(Some(&tenant)).await?.common_prefixes {
                let last = |key: &Key| key.filename().unwrap_or_default().to_owned();
                found.insert((last(&tenant), last(&recording)));
            }
        }
        Ok(found)
    }

    /// The certificates that the signer has put into staging for this tenant's recordings, the
    /// installation's and its own, as PEM texts.
    ///
    /// # Errors
    /// They cannot be listed or read.
    pub async fn certificates(&self, tenant: &TenantId) -> Result<Vec<Bytes>, Error> {
        let mut found = Vec::new();
        let mut listed = Vec::new();
        for folder in ["certificates".to_owned(), format!("certificates/{tenant}")] {
            listed.extend(self.store.list_with_delimiter(Some(&Key::from(folder))).await?.objects);
        }
        // The oldest first: it keeps the plain name at the target when keys are rotated.
        listed.sort_by_key(|object| (object.last_modified, object.location.clone()));
        for object in listed {
            if object.location.filename().is_some_and(|name| name.ends_with(".pem")) {
                found.push(self.store.get(&object.location).await?.bytes().await?);
            }
        }
        Ok(found)
    }

    /// The certificate that the signer put into staging last: the installation's, or the tenant's own if
    /// it has one. `None` if there is none, or it cannot be read.
    pub async fn newest_certificate(&self, tenant: Option<&TenantId>) -> Option<String> {
        let folder =
            tenant.map_or_else(|| "certificates".to_owned(), |tenant| format!("certificates/{tenant}"));
        let listed = self.store.list_with_delimiter(Some(&Key::from(folder))).await.ok()?.objects;
        let certificates = listed.into_iter().filter(|object| object.location.as_ref().ends_with(".pem"));
        let newest = certificates.max_by_key(|object| object.last_modified)?;
        let pem = self.store.get(&newest.location).await.ok()?.bytes().await.ok()?;
        String::from_utf8(pem.to_vec()).ok()
    }
}

fn key(sealed: &RecordingSealed, file: &SealedFile) -> Key {
    Key::from(sealed.staging_key(&file.name))
}

struct Staged {
    store: Arc<LocalFileSystem>,
    key: Key,
    size: u64,
}

#[async_trait]
impl Source for Staged {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        if offset > 0 && offset >= self.size {
            return Ok(Box::pin(tokio::io::empty()));
        }
        let options =
            GetOptions { range: (offset > 0).then_some(GetRange::Offset(offset)), ..GetOptions::default() };
        // The store's own texts repeat the key, and with it numbers.
        let hidden = |error: Error| {
            let kind = if matches!(error, Error::NotFound { .. }) {
                io::ErrorKind::NotFound
            } else {
                io::ErrorKind::Other
            };
            io::Error::new(kind, "staging does not hold it or cannot be read")
        };
        let got = self.store.get_opts(&self.key, options).await.map_err(hidden)?;
        let range = got.range.clone();
        match got.payload {
            // Its stream would come in pieces of 8 KiB.
            GetResultPayload::File(mut file, _) => {
                file.seek(io::SeekFrom::Start(range.start))?;
                let mut file = tokio::fs::File::from_std(file);
                file.set_max_buf_size(256 * 1024);
                Ok(Box::pin(file.take(range.end - range.start)))
            }
            GetResultPayload::Stream(stream) => {
                Ok(Box::pin(StreamReader::new(stream.map_err(io::Error::other))))
            }
        }
    }
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
    async fn a_sealed_file_can_be_read_from_anywhere_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let file =
            SealedFile { name: "20261122-091530.123Z_in_+4970_x.wav".into(), size: 6, sha256: vec![0; 32] };
        let sealed = RecordingSealed { staging_prefix: "sealed/acme/x".into(), ..Default::default() };
        staging.store.put(&key(&sealed, &file), "abcdef".into()).await.unwrap();
        let content = staging.content(&sealed, &file).unwrap();
        for (offset, rest) in [(0, "abcdef"), (4, "ef"), (6, ""), (9, "")] {
            let mut read = String::new();
            content.open(offset).await.unwrap().read_to_string(&mut read).await.unwrap();
            assert_eq!(read, rest);
        }
    }
}
