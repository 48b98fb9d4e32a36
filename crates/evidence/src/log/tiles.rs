//! Tiles and entry bundles (C2SP tlog-tiles, height 8): where they lie, what they hold, and which are
//! to be written when the tree has grown.

mod grow;
mod reader;

pub(super) use self::reader::{read_bundle, read_leaves};
pub use self::{
    grow::{Growth, grow},
    reader::{Inclusions, TreeError, consistency, inclusion, root_at},
};

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Two to this power is [`WIDTH`].
const HEIGHT: u8 = 8;
/// No log has more entries: the tiles' levels end at 63, and nobody seals so many calls.
pub const MAX_SIZE: u64 = 1 << 48;

/// Where the hashes lie that stand `level` tiles above the entries, below `log/<tenant>/`. `width` is
/// the number of hashes: [`WIDTH`] for a full tile.
pub fn tile_path(level: u8, number: u64, width: u64) -> String {
    format!("tile/{level}/{}", number_path(number, width))
}

/// Where the entries from `number * 256` on lie, below `log/<tenant>/`. `width` as in [`tile_path`].
pub fn bundle_path(number: u64, width: u64) -> String {
    format!("tile/entries/{}", number_path(number, width))
}

/// Where the checkpoint of a tree of this size lies, below `log/<tenant>/`.
pub fn checkpoint_path(size: u64) -> String {
    format!("checkpoints/{size:020}")
}

/// True for what never changes once it is written: full tiles and bundles, copies of checkpoints,
/// statements. `checkpoint` is replaced and partial tiles are removed.
pub fn is_immutable(path: &str) -> bool {
    path != "checkpoint" && !path.contains(".p/")
}

/// Three digits for each folder, an `x` before all but the last: 1234067 is `x001/x234/067`.
fn number_path(number: u64, width: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// The number of hashes in tile `number` of `level`, in a tree of `size` entries; 0 if it has none.
pub fn width_of(level: u8, number: u64, size: u64) -> u64 {
    let hashes = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
    hashes.saturating_sub(number.saturating_mul(WIDTH)).min(WIDTH)
}

/// An entry bundle: each entry after its length in two bytes, big-endian. Entries are never longer than
/// [`MAX_ENTRY_BYTES`](super::entry::MAX_ENTRY_BYTES).
///
/// # Errors
/// When one is; nothing that Callseal writes.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TreeError> {
    let mut out = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TreeError::LongEntry)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// The entries of a bundle, and whether the bytes end where the last of them ends. What follows a wrong
/// length cannot be told apart and is not among them.
pub fn split_bundle(mut bytes: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let Some((entry, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            return (entries, false);
        };
        entries.push(entry);
        bytes = rest;
    }
    (entries, bytes.is_empty())
}
