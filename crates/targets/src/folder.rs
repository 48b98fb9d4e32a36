//! A folder of this machine.

mod aside;

use std::{
    fs,
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};

use self::aside::Aside;
use crate::{
    Content, ErrorKind, Kind, Listed, TargetError,
    blocks::Blocks,
    content::Reader,
    files::{Files, Published},
};

/// So long one call may take: syncing a large file to a slow disk takes minutes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);

/// A local folder as a target (F-72).
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    aside: Aside,
}

impl Folder {
    /// A target in the folder `root`, which is made when missing.
    pub fn new(root: PathBuf) -> Self {
        Self::answering_within(root, ANSWERS_WITHIN)
    }

    /// The same, taken for unreachable when a call to its file system takes longer than `limit`.
    pub fn answering_within(root: PathBuf, limit: Duration) -> Self {
        Self { root, aside: Aside::new(limit) }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Runs blocking file work aside.
    async fn aside<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, TargetError> {
        self.aside.run(work).await.map_err(|error| self.fault(doing, error))
    }

    fn fault(&self, doing: &str, error: io::Error) -> TargetError {
        let (kind, advice) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (ErrorKind::Full, "the disk or the quota is full; make space")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::Denied, "permission denied; check the owner and the rights of the folder")
            }
            io::ErrorKind::InvalidFilename => {
                (ErrorKind::Name, "its file system does not take a name of this length or form")
            }
            io::ErrorKind::NotADirectory => (ErrorKind::Denied, "a part of its path is a file, not a folder"),
            // Host, network and stale handles: folders are often mounted from elsewhere.
            io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::TimedOut => {
                (ErrorKind::Unreachable, "the server it is mounted from does not answer")
            }
            _ => (ErrorKind::Io, "see the cause"),
        };
        TargetError::new(kind, format!("{doing} the folder {} failed: {advice}", self.root.display()))
            .caused_by(error)
    }
}

#[async_trait]
impl Files for Folder {
    async fn make_folder(&self, folder: &str) -> Result<(), TargetError> {
        let path = self.path(folder.trim_matches('/'));
        self.aside("making a sub-folder in", move || make_durable_folder(&path)).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, TargetError> {
        let path = self.path(path);
        self.aside("looking into", move || match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<Reader, TargetError> {
        let path = self.path(path);
        let file = self.aside("reading from", move || fs::File::open(path)).await?;
        Ok(self.aside.read(file))
    }

    async fn entries(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let path = self.path(folder);
        self.aside("listing", move || listed_in(&path)).await
    }

    async fn write(&self, path: &str, content: &Content, offset: u64) -> Result<(), TargetError> {
        const DOING: &str = "writing to";
        let path = self.path(path);
        let open = move || {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.seek(io::SeekFrom::Start(offset))?;
            Ok(file)
        };
        let mut file = self.aside(DOING, open).await?;
        let mut blocks = Blocks::open(content, offset).await?;
        while let Some(block) = blocks.next().await? {
            file = self.aside(DOING, move || file.write_all(&block).map(|()| file)).await?;
        }
        self.aside(DOING, move || file.sync_all()).await
    }

    async fn publish(&self, from: &str, to: &str) -> Result<Published, TargetError> {
        let (from, to) = (self.path(from), self.path(to));
        self.aside("naming a file in", move || {
            let published = rename_without_overwriting(&from, &to)?;
            sync_folder(to.parent().unwrap_or(Path::new(".")))?;
            Ok(published)
        })
        .await
    }

    async fn publish_over(&self, from: &str, to: &str) -> Result<(), TargetError> {
        let (from, to) = (self.path(from), self.path(to));
        self.aside("naming a file in", move || {
            fs::rename(&from, &to)?;
            sync_folder(to.parent().unwrap_or(Path::new(".")))
        })
        .await
    }

    async fn secure(&self, path: &str) -> Result<(), TargetError> {
        let path = self.path(path);
        self.aside("syncing a file in", move || {
            fs::File::open(&path)?.sync_all()?;
            sync_folder(path.parent().unwrap_or(Path::new(".")))
        })
        .await
    }

    async fn delete(&self, path: &str) -> Result<(), TargetError> {
        let path = self.path(path);
        self.aside("removing a file from", move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    fn unreadable(&self, error: io::Error) -> TargetError {
        self.fault("reading from", error)
    }
}

/// A name that is not UTF-8 is shown with replacement characters: it is none of ours.
fn listed_in(path: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        // The target of a link, or nothing when it was removed since it was listed.
        let metadata = match fs::metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let kind = match (kind.is_dir(), metadata.is_file()) {
            (true, _) => Kind::Folder,
            (false, true) => Kind::File {
                size: metadata.len(),
                modified: metadata.modified().ok().and_then(|at| Timestamp::try_from(at).ok()),
            },
            (false, false) => continue,
        };
        listed.push(Listed { name: entry.file_name().to_string_lossy().into_owned(), kind });
    }
    Ok(listed)
}

/// Makes the missing levels of `path` and syncs the folder above each, so that a power cut cannot
/// take a folder with what was stored in it.
fn make_durable_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent != path {
        make_durable_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                Ok(())
            } else {
                Err(io::ErrorKind::NotADirectory.into())
            }
        }
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match fs::File::open(path)?.sync_all() {
        // Some network file systems cannot sync a folder and say so.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done,
    }
}

fn rename_without_overwriting(from: &Path, to: &Path) -> io::Result<Published> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => Ok(Published::Done),
        Err(Errno::EEXIST) => Ok(Published::NameTaken),
        // The file system (NFS, FUSE) does not know the flag: a hard link has the same property.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from).map(|()| Published::Done),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Published::NameTaken),
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    }
}
