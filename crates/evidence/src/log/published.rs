//! A log as it lies in an archive, judged with nothing but its files and trusted certificates.

mod entries;
mod trust;

use super::{
    LogFiles, LogKey, LogProblem, LogProof, Origin, SignedCheckpoint,
    tiles::{self, checkpoint_path, split_bundle},
};
use crate::{Sha256Hash, verify::Keyring};

pub use self::entries::Entries;
pub(crate) use self::trust::log_keys;

/// The published log of one tenant. Its newest checkpoint is signed by a log key that a trusted RSA
/// key vouches for; whether the entries fit to it shows when they are read ([`entries`](Self::entries)).
pub struct PublishedLog<'a> {
    files: &'a dyn LogFiles,
    origin: Origin,
    keys: Vec<LogKey>,
    newest: SignedCheckpoint,
    problems: Vec<LogProblem>,
}

impl<'a> PublishedLog<'a> {
    /// Opens the log in `files`: reads the log key statements, each of which must be signed by a key
    /// with a certificate in `trusted`, and takes the newest checkpoint that one of these log keys signed:
    /// the file `checkpoint`, or a copy if that is missing, bad or older. What was wrong on the way is
    /// in [`problems`](Self::problems).
    ///
    /// # Errors
    /// When there is no checkpoint that can be believed: all that was found wrong.
    pub fn open(files: &'a dyn LogFiles, trusted: &Keyring) -> Result<Self, Vec<LogProblem>> {
        let (keys, mut problems) = trust::log_keys(files, trusted);
        let mut good: Vec<SignedCheckpoint> = Vec::new();
        match trust::checkpoint(files, "checkpoint", &keys) {
            Ok(Some(newest)) => good.push(newest),
            Ok(None) => problems.push(LogProblem::NoCheckpoint),
            Err(problem) => problems.push(problem),
        }
        let copies = trust::copies(files).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let has = good.first().map(|newest| newest.checkpoint.size);
        // Only copies that are larger tell something here; the others are compared while entries are read.
        for size in copies.iter().rev().take_while(|size| has.is_none_or(|has| **size > has)) {
            match trust::checkpoint(files, &checkpoint_path(*size), &keys) {
                Ok(Some(copy)) => {
                    if let Some(has) = has {
                        problems.push(LogProblem::RolledBack { had: copy.checkpoint.size, has });
                    }
                    good.push(copy);
                    break;
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        let Some(newest) = good.into_iter().max_by_key(|signed| signed.checkpoint.size) else {
            return Err(problems);
        };
        let Ok(origin) = newest.checkpoint.origin.parse() else {
            problems.push(LogProblem::BadOrigin(newest.checkpoint.origin.clone()));
            return Err(problems);
        };
        Ok(Self { files, origin, keys, newest, problems })
    }

    /// What was wrong when it was opened.
    pub fn problems(&self) -> &[LogProblem] {
        &self.problems
    }

    /// The name of the log; with it, whose it is.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The newest checkpoint that can be believed.
    pub const fn newest(&self) -> &SignedCheckpoint {
        &self.newest
    }

    /// The log keys that trusted certificates vouch for, of this log.
    pub fn keys(&self) -> impl Iterator<Item = &LogKey> {
        self.keys.iter().filter(|key| key.name == self.origin.as_str())
    }

    /// All entries in their order, each after its number (from 0), and what is wrong with them. The root
    /// is computed from the entries' bytes: that they are what was signed is known only when this has
    /// come to its end without a [`LogProblem`]. One bundle of 256 entries is in memory at a time.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self)
    }

    /// The proof of entry `index`, from 0, under the newest checkpoint.
    ///
    /// # Errors
    /// When its bundle or the tiles are missing or are not those of the tree.
    pub fn proof(&self, index: u64) -> Result<LogProof, LogProblem> {
        let head = &self.newest.checkpoint;
        let of_tree = |error| LogProblem::of_tree(error, head.size);
        let hashes = tiles::inclusion(self.files, head, index).map_err(of_tree)?;
        let (number, within) = (index / tiles::WIDTH, index % tiles::WIDTH);
        let width = tiles::width_of(0, number, head.size);
        let path = tiles::bundle_path(number, width);
        let bundle = tiles::read_bundle(self.files, number, width).map_err(of_tree)?;
        let missing = || LogProblem::EntriesMissing { from: index, to: index, path: path.clone() };
        let bundle = bundle.ok_or_else(missing)?;
        let entry =
            split_bundle(&bundle).0.get(within as usize).map(|entry| entry.to_vec()).ok_or_else(missing)?;
        let leaf = super::leaf_hash(&entry);
        if !super::is_included(&hashes, head.size, &head.root, index, &leaf) {
            return Err(LogProblem::RootDiffers {
                size: head.size,
                good_until: 0,
                first_changed: Some(index),
            });
        }
        Ok(LogProof { entry, index, hashes, checkpoint: self.newest.to_bytes() })
    }

    /// Whether this log continues the one of `earlier`: a checkpoint that the auditor kept, a witness
    /// saw or another archive holds.
    ///
    /// # Errors
    /// When it was not signed by this log, when this log is smaller (rolled back), when it had another
    /// root at that size (forked), or when too much is missing to tell.
    pub fn is_consistent_with(&self, earlier: &SignedCheckpoint) -> Result<(), LogProblem> {
        let (other, own) = (&earlier.checkpoint, &self.newest.checkpoint);
        if other.origin != own.origin {
            return Err(LogProblem::OtherLog { path: String::new(), origin: other.origin.clone() });
        }
        if !self.keys().any(|key| earlier.is_signed_by(key)) {
            return Err(LogProblem::NotSigned { path: String::new() });
        }
        if other.size > own.size {
            return Err(LogProblem::RolledBack { had: other.size, has: own.size });
        }
        // The tiles are quick and may be damaged; the entries themselves tell as well.
        let root = match tiles::root_at(self.files, own, other.size) {
            Ok(root) => root,
            Err(_) => self.root_of_entries(other.size)?,
        };
        if root == other.root { Ok(()) } else { Err(LogProblem::Forked { size: other.size }) }
    }

    /// The root over the first `size` entries, if all of them are as they were signed.
    fn root_of_entries(&self, size: u64) -> Result<Sha256Hash, LogProblem> {
        let mut entries = self.entries();
        let mut root = (size == 0).then(|| Sha256Hash::of(b""));
        entries.watch(size, &mut root);
        root.ok_or(LogProblem::RootUnknown { size: self.newest.checkpoint.size })
    }
}

impl std::fmt::Debug for PublishedLog<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublishedLog({}, {} entries)", self.origin, self.newest.checkpoint.size)
    }
}
