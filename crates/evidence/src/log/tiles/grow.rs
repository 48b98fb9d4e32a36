//! What is to be published when entries came in; and the root computed anew, independently of
//! [`Frontier`](crate::log::Frontier), out of what lies published and the entries' bytes.

use std::collections::HashMap;

use tlog_tiles::{Hash, HashReader, Tile, stored_hash_index};

use super::{
    HEIGHT, MAX_SIZE, WIDTH, bundle_path, read_bundle, reader::Published, split_bundle, tile_path,
    write_bundle,
};
use crate::{
    Sha256Hash,
    log::{LogFiles, TreeError, leaf_hash},
};

/// A tree that has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The number of entries now.
    pub size: u64,
    /// The root now, as `tlog_tiles` computes it.
    pub root: Sha256Hash,
    /// Paths below `log/<tenant>/` and contents: first the bundles, then the tiles, each level after the
    /// one below. Full ones are new and stay for ever; a partial one is new as well (its path names its
    /// width), and what it replaces may be removed.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Adds the entries `new` to the tree of `size` and `root` whose tiles and bundles lie in `files`.
///
/// Only the right edge is read, a few files however large the log is; each hash in them is proven to
/// belong to `root` before it is used, and each entry in the last bundle to be the one that was hashed.
/// A log is built anew from nothing by calling this with size 0, in pieces.
///
/// # Errors
/// See [`TreeError`].
pub fn grow(files: &dyn LogFiles, size: u64, root: Sha256Hash, new: &[Vec<u8>]) -> Result<Growth, TreeError> {
    let grown = size.checked_add(new.len() as u64).filter(|grown| *grown <= MAX_SIZE);
    let grown = grown.ok_or(TreeError::OutOfRange)?;
    let (mut hashes, edge) = edge(files, size, root)?;
    for (number, entry) in (size..).zip(new) {
        let stored =
            tlog_tiles::stored_hashes(number, entry, &hashes).map_err(|_| TreeError::Inconsistent)?;
        hashes.0.extend((stored_hash_index(0, number)..).zip(stored));
    }
    let root = tlog_tiles::tree_hash(grown, &hashes).map_err(|_| TreeError::Inconsistent)?;
    let mut written = bundles(files, &edge, size, new)?;
    for tile in Tile::new_tiles(HEIGHT, size, grown) {
        let (level, number, width) = (tile.level(), tile.level_index(), u64::from(tile.width()));
        let mut bytes = edge.get(&(level, number)).cloned().unwrap_or_default();
        let from = number * WIDTH + bytes.len() as u64 / 32;
        for n in from..number * WIDTH + width {
            let hash = hashes.0.get(&stored_hash_index(HEIGHT * level, n)).ok_or(TreeError::Inconsistent)?;
            bytes.extend_from_slice(&hash.0);
        }
        written.push((tile_path(level, number, width), bytes));
    }
    Ok(Growth { size: grown, root: root.0.into(), files: written })
}

/// Hashes by their place in storage order, as `tlog_tiles` counts them.
struct Hashes(HashMap<u64, Hash>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let one = |index| self.0.get(index).copied().ok_or(tlog_tiles::Error::IndexesNotInTree);
        indexes.iter().map(one).collect()
    }
}

type PartialTiles = HashMap<(u8, u64), Vec<u8>>;

/// The roots of the perfect subtrees, which are all that appending asks for, and the partial tiles that
/// hold them: every partial tile of the tree holds at least one.
fn edge(files: &dyn LogFiles, size: u64, root: Sha256Hash) -> Result<(Hashes, PartialTiles), TreeError> {
    if size == 0 {
        return Ok((Hashes(HashMap::new()), HashMap::new()));
    }
    let indexes = tlog_tiles::sub_tree_index(0, size, Vec::new());
    let published = Published::new(files, size)?;
    let hashes = published.told(published.read_hashes(&indexes))?;
    let hashes = Hashes(indexes.into_iter().zip(hashes).collect());
    // The hash over these subtrees is the root: with it, every hash in the partial tiles is proven.
    let found = tlog_tiles::tree_hash(size, &hashes).map_err(|_| TreeError::Inconsistent)?;
    if found.0 != *root.as_bytes() {
        return Err(TreeError::Inconsistent);
    }
    let mut tiles = published.tiles.take();
    tiles.retain(|_, bytes| bytes.len() as u64 / 32 < WIDTH);
    Ok((hashes, tiles))
}

/// The bundles that hold entries of `new`.
fn bundles(
    files: &dyn LogFiles,
    edge: &PartialTiles,
    size: u64,
    new: &[Vec<u8>],
) -> Result<Vec<(String, Vec<u8>)>, TreeError> {
    let (mut number, begun) = (size / WIDTH, size % WIDTH);
    let last = if begun == 0 || new.is_empty() { None } else { Some(read_bundle(files, number, begun)?) };
    let last =
        last.map(|bytes| bytes.ok_or_else(|| TreeError::Missing(bundle_path(number, begun)))).transpose()?;
    let mut entries: Vec<&[u8]> = last.as_deref().map(|bytes| split_bundle(bytes).0).unwrap_or_default();
    entries.truncate(begun as usize);
    let leaves = edge.get(&(0, number)).map(Vec::as_slice).unwrap_or_default();
    let proven = entries.iter().map(|entry| *leaf_hash(entry).as_bytes());
    if !new.is_empty() && !proven.eq(leaves.as_chunks::<32>().0.iter().copied()) {
        return Err(TreeError::Damaged(bundle_path(number, begun)));
    }
    let mut written = Vec::new();
    let mut new = new.iter().map(Vec::as_slice).peekable();
    while new.peek().is_some() {
        entries.extend(new.by_ref().take(WIDTH as usize - entries.len()));
        let path = bundle_path(number, entries.len() as u64);
        written.push((path, write_bundle(entries.drain(..))?));
        number += 1;
    }
    Ok(written)
}
