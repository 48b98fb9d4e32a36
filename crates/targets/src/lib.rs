//! Storage targets: put, replace, verify, list, open, remove, test.
//!
//! A target takes files one by one. What [`Target::put`] answers for is written durably under its
//! final name and never over another file; [`Target::verify`] reads it back. Both may be repeated
//! at any time: a file that already stands there with the same content counts as done.
//!
//! File names hold phone numbers, so they stand in no error text and in no log above debug level:
//! the caller adds the recording id.

mod blocks;
mod content;
mod dispatch;
mod email;
mod error;
mod files;
mod folder;
mod listing;
mod names;
mod object;
pub mod one_drive;
mod pace;
mod script;
pub mod sftp;
mod smb;
pub mod sub_folder;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use domain::resources::{StorageKind, StorageTarget};

pub use content::{Bookmark, Content, Digest, Reader, Source};
pub use dispatch::{Dispatch, Enclosed, HandedOver, Kept, Parcel, Place, Tested};
pub use email::Email;
pub use error::{ErrorKind, TargetError};
pub use folder::Folder;
pub use listing::{Kind, Listed};
pub use object::ObjectStorage;
pub use one_drive::OneDrive;
pub use pace::Pace;
pub use script::Script;
pub use sftp::Sftp;
pub use smb::Smb;

/// A place that sealed recordings are brought to.
#[async_trait]
pub trait Target: Send + Sync {
    /// Stores `content` as `name` in `folder` (levels separated by `/`, made when missing; empty:
    /// the target's own folder). Durable when it returns. An interrupted put is resumed by the next.
    ///
    /// # Errors
    /// See [`ErrorKind`]; nothing stands under `name` then that was not there before.
    async fn put(&self, folder: &str, name: &str, content: &Content) -> Result<Put, TargetError>;

    /// Reads the file back and compares size (bytes) and SHA-256.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it is missing or different.
    async fn verify(
        &self,
        folder: &str,
        name: &str,
        size: u64,
        sha256: &Digest,
    ) -> Result<Verified, TargetError>;

    /// Stores `content` as `name` in `folder` over whatever file stands there: at each moment, and
    /// after a crash, either the old content stands there or the new one. For what is about the
    /// archive as a whole; recordings are only ever [put](Self::put). Durable when it returns.
    ///
    /// A server that cannot rename over a file (SFTP without `posix-rename@openssh.com`) has none
    /// under the name for the time of one request.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn replace(&self, folder: &str, name: &str, content: &Content) -> Result<(), TargetError>;

    /// Everything directly in `folder` (empty: the target's own folder), in any order; nothing when
    /// the folder is not there. What a [`put`](Self::put) has not finished is left out.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn list(&self, folder: &str) -> Result<Vec<Listed>, TargetError>;

    /// Opens a file for reading from its start; `None` if there is none.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn open(&self, folder: &str, name: &str) -> Result<Option<Reader>, TargetError>;

    /// Removes a file; one that is not there counts as removed.
    ///
    /// # Errors
    /// See [`ErrorKind`]; [`ErrorKind::Locked`] while the storage itself keeps it.
    async fn remove(&self, folder: &str, name: &str) -> Result<(), TargetError>;

    /// All files of a recording stand in `folder` under these names, each verified, the signature last:
    /// what is done to them together is done now, such as a retention label. May be repeated.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn complete(&self, _folder: &str, _names: &[String]) -> Result<(), TargetError> {
        Ok(())
    }

    /// A link with which a person opens `folder` in a browser; `None` where there is no such thing.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn web_link(&self, _folder: &str) -> Result<Option<String>, TargetError> {
        Ok(None)
    }

    /// What of its access ends at a known time: certificates, secrets, logins (F-77).
    ///
    /// # Errors
    /// See [`ErrorKind`].
    async fn expiries(&self) -> Result<Vec<Expiry>, TargetError> {
        Ok(Vec::new())
    }

    /// Writes, reads back and removes a small test file (F-74).
    ///
    /// # Errors
    /// Whatever would keep a recording from being stored, in plain words.
    async fn test(&self) -> Result<(), TargetError> {
        let content = Content::from_bytes(format!("Callseal test file {}\n", names::unique()).into_bytes());
        let name = format!("callseal-test-{}.txt", names::unique());
        let put = self.put("", &name, &content).await?;
        let verified = self.verify("", &put.name, content.size(), content.sha256()).await;
        // The file is removed also when it could not be read back.
        let removed = self.remove("", &put.name).await;
        verified?;
        removed
    }
}

/// What became of a put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The name under which the content now stands; sensitive as the name asked for.
    pub name: String,
    /// How it came to stand there.
    pub outcome: Outcome,
    /// By which method it was found that the same content stood there already: that verifies it, too.
    pub compared_by: Option<Method>,
}

impl Put {
    /// It was written now, under the name that was asked for or beside others.
    pub(crate) const fn written(name: String, aside: bool) -> Self {
        let outcome = if aside { Outcome::StoredAside } else { Outcome::Stored };
        Self { name, outcome, compared_by: None }
    }

    /// The same content stood there already.
    pub(crate) const fn there_already(name: String, compared_by: Method) -> Self {
        Self { name, outcome: Outcome::AlreadyThere, compared_by: Some(compared_by) }
    }
}

/// How a file came to stand in a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was written now.
    Stored,
    /// The same content stood there already.
    AlreadyThere,
    /// Another file has the name and was kept; this one stands beside it with a suffix ` (2)`.
    StoredAside,
}

/// Something of a target's access that ends at a known time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What ends, for a sentence: "the client certificate", "the login of …".
    pub what: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// Proof that a file stands in a target as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// By which method.
    pub method: Method,
}

/// How a stored file was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// All of it was read back and hashed.
    ReadBack,
    /// The server told the hash that it computed over what it stored, and it is that of the content.
    ServerHash(&'static str),
}

impl Method {
    /// The word for events and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadBack => "read-back",
            Self::ServerHash(hash) => hash,
        }
    }
}

/// What targets need of the place they are used from.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder that relative paths start from.
    pub data: PathBuf,
    /// The folder of the programs that script targets may run; `None`: none may be run.
    pub scripts: Option<PathBuf>,
}

impl Surroundings {
    /// Those of a place whose data lie in the folder `data`, and where no program may be run.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), scripts: None }
    }

    /// The same, but programs of the folder `scripts` may be run.
    #[must_use]
    pub fn with_scripts(self, scripts: Option<PathBuf>) -> Self {
        Self { scripts, ..self }
    }
}

/// Makes the place that a resource describes; nothing is contacted yet.
pub fn open(target: &StorageTarget, around: &Surroundings) -> Place {
    let storage: Arc<dyn Target> = match &target.kind {
        StorageKind::Email(email) => return Place::Dispatch(Arc::new(Email::new(email.clone()))),
        StorageKind::Script(script) => {
            return Place::Dispatch(Arc::new(Script::new(script.clone(), around)));
        }
        StorageKind::Folder(folder) => Arc::new(Folder::new(around.data.join(&folder.path))),
        StorageKind::OneDrive(drive) => {
            let logins = Arc::new(one_drive::sign_in::SealedLogins::in_folder(&around.data));
            let access = one_drive::Access { http: None, logins, patience: one_drive::Patience::default() };
            Arc::new(OneDrive::new(target.name.clone(), drive.clone(), access))
        }
        StorageKind::Sftp(sftp) => Arc::new(Sftp::new(sftp.clone())),
        StorageKind::Smb(smb) => Arc::new(Smb::new(smb.clone())),
        StorageKind::S3(s3) => Arc::new(ObjectStorage::s3(s3)),
        StorageKind::AzureBlob(blob) => Arc::new(ObjectStorage::azure_blob(blob)),
        StorageKind::Gcs(gcs) => Arc::new(ObjectStorage::gcs(gcs)),
    };
    Place::Storage(storage)
}
