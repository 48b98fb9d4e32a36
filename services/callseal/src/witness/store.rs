//! What a witness must not forget: for each log the checkpoint it cosigned last.
//!
//! One file for each log below `logs/`, named by a hash of the log's origin, holding the signed
//! checkpoint with the witness' own line: a note that everybody can read. It is replaced as a whole:
//!
//! 1. the new note beside it, fsync — a crash leaves the old one in force;
//! 2. rename, fsync of the folder — a crash leaves the new one in force, and nobody has its cosignature
//!    yet: the log asks again, is told the size (409), and gets it;
//! 3. only then the cosignature leaves this process.
//!
//! So no cosignature is ever out whose checkpoint could be forgotten. A lock on the folder keeps a
//! second witness from remembering something else in the same place.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use evidence::{
    Sha256Hash,
    log::{
        Checkpoint, WitnessKey,
        witness::{Head, parse_answer},
    },
};

/// So many proofs against one log are kept; the first one convicts it.
const MOST_FORKS: usize = 100;

/// What a witness saw last of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The tree.
    pub head: Head,
    /// The note, byte for byte: the log's checkpoint and our cosignature.
    pub note: Vec<u8>,
}

/// Why the folder is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Another process works in it.
    #[error("another witness works in {}: each needs a folder of its own", .0.display())]
    Taken(PathBuf),
    /// A file that is not what was written. To forget it would be to sign anything.
    #[error(
        "{} is damaged, or was signed by another key than the one beside it; bring both back from a backup. \
         Without it this witness would sign a rewritten log",
        .0.display()
    )]
    Damaged(PathBuf),
}

/// The folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held as long as this value lives.
    _lock: File,
}

impl Store {
    /// Opens the folder, makes it when missing, and locks it.
    ///
    /// # Errors
    /// It cannot be written, or another process has it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::Io(folder.to_owned(), error);
        fs::create_dir_all(folder.join("logs")).map_err(failed)?;
        let lock = File::options().create(true).append(true).open(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Taken(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// What was cosigned last of the log of this origin; `None`: nothing yet. It has to bear a good
    /// signature of `own`: nothing else was ever written here, whole.
    ///
    /// # Errors
    /// The file is there, but cannot be read.
    pub fn last(&self, origin: &str, own: &WitnessKey) -> Result<Option<Seen>, StoreError> {
        let path = self.file(origin);
        let note = match fs::read(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::Io(path, error)),
        };
        match cosigned_head(&note, origin, own) {
            Some(head) => Ok(Some(Seen { head, note })),
            None => Err(StoreError::Damaged(path)),
        }
    }

    /// Remembers `note`, for good when this returns. After an error the old one may be in force or the
    /// new one; either way nobody must get the new cosignature.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember(&self, origin: &str, note: &[u8]) -> Result<(), StoreError> {
        let path = self.file(origin);
        replace(&path, note).map_err(|error| StoreError::Io(path, error))
    }

    /// Keeps a checkpoint that contradicts what was seen: with the other one it proves what its log did.
    /// Returns where it lies, if there is room for it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_fork(&self, origin: &str, head: Head, note: &[u8]) -> Result<Option<PathBuf>, StoreError> {
        let folder = self.folder.join("forks");
        let root = &head.root.to_string()[..16];
        let path = folder.join(format!("{}-{}-{root}", short(origin), head.size));
        let failed = |error| StoreError::Io(folder.clone(), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        if !path.exists() {
            if fs::read_dir(&folder).map_err(failed)?.count() >= MOST_FORKS {
                return Ok(None);
            }
            replace(&path, note).map_err(failed)?;
        }
        Ok(Some(path))
    }

    fn file(&self, origin: &str) -> PathBuf {
        self.folder.join("logs").join(short(origin))
    }
}

/// A file name for an origin, which holds slashes.
fn short(origin: &str) -> String {
    Sha256Hash::of(origin.as_bytes()).to_string()[..32].to_owned()
}

/// The tree in a note about this log, if the witness cosigned all of its text.
fn cosigned_head(note: &[u8], origin: &str, own: &WitnessKey) -> Option<Head> {
    let (body, lines) = std::str::from_utf8(note).ok()?.rsplit_once("\n\n")?;
    let body = format!("{body}\n");
    let mut lines = parse_answer(lines.as_bytes())?.into_iter();
    lines.find(|line| own.verify(&body, line).is_some())?;
    // Extension lines may follow the first three.
    let (end, _) = body.match_indices('\n').nth(2)?;
    let checkpoint = Checkpoint::parse(&body[..=end]).ok()?;
    (checkpoint.origin == origin).then_some(Head { size: checkpoint.size, root: checkpoint.root })
}

/// Replaces a file as a whole, for good when this returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
