//! Hashes out of published tiles, each proven to belong to the tree before it is used; and proofs made
//! of them (RFC 6962 §§ 2.1.1, 2.1.2), all by `tlog_tiles`.

use std::{cell::RefCell, collections::HashMap, io};

use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader};

use super::{HEIGHT, MAX_SIZE, WIDTH, bundle_path, tile_path};
use crate::{
    Sha256Hash,
    log::{Checkpoint, LogFiles},
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

/// Published tiles as `tlog_tiles` reads them. Why reading failed does not fit into its errors and is
/// kept here; so are the tiles that it proved.
pub(super) struct Published<'a> {
    files: &'a dyn LogFiles,
    failure: RefCell<Option<TreeError>>,
    pub(super) proven: RefCell<HashMap<(u8, u64), Vec<u8>>>,
}

impl<'a> Published<'a> {
    pub(super) fn new(files: &'a dyn LogFiles) -> Self {
        Self { files, failure: RefCell::default(), proven: RefCell::default() }
    }

    /// `read` with a reader that proves each hash to be one of the tree of `size` and `root`.
    pub(super) fn with<T>(
        &self,
        size: u64,
        root: Sha256Hash,
        read: impl FnOnce(&TileHashReader<'_>) -> Result<T, tlog_tiles::Error>,
    ) -> Result<T, TreeError> {
        if size == 0 || size > MAX_SIZE {
            return Err(TreeError::OutOfRange);
        }
        let reader = TileHashReader::new(size, Hash(*root.as_bytes()), self);
        read(&reader).map_err(|_| self.failure.take().unwrap_or(TreeError::Inconsistent))
    }
}

impl TileReader for Published<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            read_tile(self.files, tile.level(), tile.level_index(), u64::from(tile.width())).map_err(
                |error| {
                    self.failure.replace(Some(error));
                    tlog_tiles::Error::InvalidTile
                },
            )
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, tiles: &[Tile], data: &[Vec<u8>]) {
        let named = tiles.iter().map(|tile| (tile.level(), tile.level_index())).zip(data.iter().cloned());
        self.proven.borrow_mut().extend(named);
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
    if index >= head.size {
        return Err(TreeError::OutOfRange);
    }
    let prove = |reader: &TileHashReader<'_>| tlog_tiles::prove_record(head.size, index, reader);
    Published::new(files).with(head.size, head.root, prove).map(ours)
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
    match older {
        0 => Ok(Vec::new()),
        _ if older > head.size => Err(TreeError::OutOfRange),
        _ => {
            let prove = |reader: &TileHashReader<'_>| tlog_tiles::prove_tree(head.size, older, reader);
            Published::new(files).with(head.size, head.root, prove).map(ours)
        }
    }
}

/// The root that the tree of `head` had when it held `size` entries.
///
/// # Errors
/// See [`TreeError`].
pub fn root_at(files: &dyn LogFiles, head: &Checkpoint, size: u64) -> Result<Sha256Hash, TreeError> {
    match size {
        0 => Ok(Sha256Hash::of(b"")),
        _ if size == head.size => Ok(head.root),
        _ if size > head.size => Err(TreeError::OutOfRange),
        _ => {
            // The subtrees of the smaller tree are subtrees of the larger one.
            let indexes = tlog_tiles::sub_tree_index(0, size, Vec::new());
            let hashes =
                Published::new(files).with(head.size, head.root, |reader| reader.read_hashes(&indexes))?;
            let mut right_first = hashes.into_iter().rev();
            let last = right_first.next().ok_or(TreeError::OutOfRange)?;
            Ok(right_first.fold(last, |right, left| tlog_tiles::node_hash(left, right)).0.into())
        }
    }
}
