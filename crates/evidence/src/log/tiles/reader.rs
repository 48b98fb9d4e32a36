//! Hashes out of published tiles, and proofs made of them (RFC 6962 §§ 2.1.1, 2.1.2) by `tlog_tiles`.
//!
//! Whatever a tile holds, nothing leaves this file that was not proven to belong to the tree: a proof is
//! run before it is returned. `tlog_tiles::TileHashReader`, which is made for that, is not used: version
//! 0.2 passes over the tiles that it read right after the edge of the tree, as Go's did before
//! CVE-2026-56865.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
    io,
};

use tlog_tiles::{Hash, HashReader, Tile};

use super::{HEIGHT, MAX_SIZE, WIDTH, bundle_path, tile_path, width_of};
use crate::{
    Sha256Hash,
    log::{Checkpoint, LogFiles, is_continued, is_included},
};

/// Why the published tiles do not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file is not there.
    #[error("the log's file {0} is missing")]
    Missing(String),
    /// A file is there and has too few bytes, or others than it should.
    #[error("the log's file {0} is damaged")]
    Damaged(String),
    /// A file cannot be read.
    #[error("the log's file {0} cannot be read")]
    Read(String, #[source] io::Error),
    /// The tiles are not those of this tree.
    #[error("the log's tiles do not fit to the root hash of the tree")]
    Inconsistent,
    /// The tree has no such entry or no such earlier size.
    #[error("the log is not that large")]
    OutOfRange,
    /// An entry is longer than a bundle can hold.
    #[error("an entry of the log is longer than 65535 bytes")]
    LongEntry,
}

/// The file for a tile or bundle of this `width`, cut to nothing: a wider one serves as well, because
/// partial files are removed when the tree has grown.
fn read_widest(
    files: &dyn LogFiles,
    width: u64,
    path: impl Fn(u64) -> String,
) -> Result<Option<Vec<u8>>, TreeError> {
    let read = |path: String| files.read(&path).map_err(|error| TreeError::Read(path, error));
    for candidate in [width, WIDTH] {
        if let Some(bytes) = read(path(candidate))? {
            return Ok(Some(bytes));
        }
    }
    let folder = format!("{}.p", path(WIDTH));
    let names = files.list(&folder).map_err(|error| TreeError::Read(folder, error))?;
    let wider = names.iter().filter_map(|name| name.parse::<u64>().ok()).filter(|wide| *wide > width).min();
    wider.map_or(Ok(None), |wider| read(path(wider)))
}

/// The first `width` hashes of a tile; fewer bytes than that are damage.
fn read_tile(files: &dyn LogFiles, level: u8, number: u64, width: u64) -> Result<Vec<u8>, TreeError> {
    let path = || tile_path(level, number, width);
    let mut bytes = read_widest(files, width, |width| tile_path(level, number, width))?
        .ok_or_else(|| TreeError::Missing(path()))?;
    let expected = usize::try_from(width).map_or(usize::MAX, |width| width * 32);
    if bytes.len() < expected || bytes.len() % 32 != 0 {
        return Err(TreeError::Damaged(path()));
    }
    bytes.truncate(expected);
    Ok(bytes)
}

/// The bundle with at least the first `width` entries from `number * 256` on.
pub(in crate::log) fn read_bundle(
    files: &dyn LogFiles,
    number: u64,
    width: u64,
) -> Result<Option<Vec<u8>>, TreeError> {
    read_widest(files, width, |width| bundle_path(number, width))
}

/// The leaf hashes of a bundle as the tile has them: nothing proves them.
pub(in crate::log) fn read_leaves(
    files: &dyn LogFiles,
    number: u64,
    width: u64,
) -> Result<Vec<Sha256Hash>, TreeError> {
    let bytes = read_tile(files, 0, number, width)?;
    Ok(bytes.as_chunks::<32>().0.iter().map(|hash| Sha256Hash::from(*hash)).collect())
}

/// Published tiles of a tree of `size` entries as `tlog_tiles` reads them: nothing proves them yet. Why
/// reading failed does not fit into its errors and is kept here.
pub(super) struct Published<'a> {
    files: &'a dyn LogFiles,
    size: u64,
    failure: RefCell<Option<TreeError>>,
    /// By level and number.
    pub(super) tiles: RefCell<HashMap<(u8, u64), Vec<u8>>>,
    /// Hashes that were asked for, by their place in storage order: those between two tiles are computed
    /// from up to 256 others, and the proofs of neighbours share most of them.
    known: RefCell<HashMap<u64, Hash>>,
}

impl<'a> Published<'a> {
    /// The tiles in `files`.
    pub(super) fn new(files: &'a dyn LogFiles, size: u64) -> Result<Self, TreeError> {
        if size == 0 || size > MAX_SIZE {
            return Err(TreeError::OutOfRange);
        }
        let (failure, tiles, known) = (RefCell::default(), RefCell::default(), RefCell::default());
        Ok(Self { files, size, failure, tiles, known })
    }

    /// The result of `tlog_tiles`, or why the tiles could not be read.
    pub(super) fn told<T>(&self, result: Result<T, tlog_tiles::Error>) -> Result<T, TreeError> {
        result.map_err(|_| self.failure.take().unwrap_or(TreeError::Inconsistent))
    }

    fn hash(&self, index: u64) -> Result<Hash, TreeError> {
        if let Some(known) = self.known.borrow().get(&index) {
            return Ok(*known);
        }
        let tile = Tile::from_index(HEIGHT, index);
        let (level, number) = (tile.level(), tile.level_index());
        let width = width_of(level, number, self.size);
        if width < u64::from(tile.width()) {
            return Err(TreeError::OutOfRange);
        }
        let mut tiles = self.tiles.borrow_mut();
        let bytes = match tiles.entry((level, number)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(read_tile(self.files, level, number, width)?),
        };
        let hash = tile.hash_at_index(bytes, index).map_err(|_| TreeError::Inconsistent)?;
        self.known.borrow_mut().insert(index, hash);
        Ok(hash)
    }

    /// The root over the first `size` entries, out of its perfect subtrees.
    fn root_at(&self, size: u64) -> Result<Sha256Hash, TreeError> {
        let root = self.told(tlog_tiles::tree_hash(size, self))?;
        Ok(root.0.into())
    }
}

impl HashReader for Published<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let hash = |index: &u64| {
            self.hash(*index).map_err(|error| {
                self.failure.replace(Some(error));
                tlog_tiles::Error::InvalidTile
            })
        };
        indexes.iter().map(hash).collect()
    }
}

fn ours(hashes: Vec<Hash>) -> Vec<Sha256Hash> {
    hashes.into_iter().map(|hash| hash.0.into()).collect()
}

/// The hashes that prove entry `index` (from 0) to be in the tree of `head`, from the leaf's sibling up.
///
/// # Errors
/// See [`TreeError`].
pub fn inclusion(files: &dyn LogFiles, head: &Checkpoint, index: u64) -> Result<Vec<Sha256Hash>, TreeError> {
    Inclusions::new(files, head)?.of(index)
}

/// Proofs for many entries of one tree: what they share is read and hashed once.
pub struct Inclusions<'a> {
    head: &'a Checkpoint,
    published: Published<'a>,
}

impl<'a> Inclusions<'a> {
    /// Reads nothing yet.
    ///
    /// # Errors
    /// The tree of `head` has no entry.
    pub fn new(files: &'a dyn LogFiles, head: &'a Checkpoint) -> Result<Self, TreeError> {
        Ok(Self { head, published: Published::new(files, head.size)? })
    }

    /// As [`inclusion`].
    ///
    /// # Errors
    /// See [`TreeError`].
    pub fn of(&self, index: u64) -> Result<Vec<Sha256Hash>, TreeError> {
        let Self { head, published } = self;
        if index >= head.size {
            return Err(TreeError::OutOfRange);
        }
        let hashes = ours(published.told(tlog_tiles::prove_record(head.size, index, published))?);
        let leaf = published.hash(tlog_tiles::stored_hash_index(0, index))?.0.into();
        let is_proven = is_included(&hashes, head.size, &head.root, index, &leaf);
        if is_proven { Ok(hashes) } else { Err(TreeError::Inconsistent) }
    }
}

/// The hashes that prove the tree of `head` to begin with the tree that it was at `older` entries; none
/// if that was the empty one.
///
/// # Errors
/// See [`TreeError`].
pub fn consistency(
    files: &dyn LogFiles,
    head: &Checkpoint,
    older: u64,
) -> Result<Vec<Sha256Hash>, TreeError> {
    Ok(older_tree(files, head, older)?.1)
}

/// The root that the tree of `head` had when it held `size` entries.
///
/// # Errors
/// See [`TreeError`].
pub fn root_at(files: &dyn LogFiles, head: &Checkpoint, size: u64) -> Result<Sha256Hash, TreeError> {
    Ok(older_tree(files, head, size)?.0)
}

/// The root at `older` entries, and what proves that the tree of `head` begins so.
fn older_tree(
    files: &dyn LogFiles,
    head: &Checkpoint,
    older: u64,
) -> Result<(Sha256Hash, Vec<Sha256Hash>), TreeError> {
    if older == 0 {
        return Ok((Sha256Hash::of(b""), Vec::new()));
    }
    if older == head.size {
        return Ok((head.root, Vec::new()));
    }
    if older > head.size {
        return Err(TreeError::OutOfRange);
    }
    let published = Published::new(files, head.size)?;
    let hashes = ours(published.told(tlog_tiles::prove_tree(head.size, older, &published))?);
    let root = published.root_at(older)?;
    let is_proven = is_continued(&hashes, head.size, &head.root, older, &root);
    if is_proven { Ok((root, hashes)) } else { Err(TreeError::Inconsistent) }
}
