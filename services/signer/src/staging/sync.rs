//! What was written is on the disk.
//!
//! A sync of one small file costs as much as one of many: the journal of the filesystem is written, and
//! the disk empties its cache. So many files are synced by one `syncfs(2)`, where that promises the same as
//! an `fsync(2)` of each: on ext4, XFS and Btrfs, from Linux 5.8 on (before that it does not say that
//! writing failed). It waits for what others have written to the same filesystem as well: staging had
//! better have one of its own.

use std::{collections::BTreeSet, fs::File, io, path::Path, path::PathBuf};

/// Files from which on the whole filesystem is synced.
const MANY: usize = 4;
/// `f_type` of statfs(2) of ext4, XFS and Btrfs.
const SYNCED_AT_ONCE: [u64; 3] = [0xef53, 0x5846_5342, 0x9123_683e];
/// The first Linux whose syncfs(2) says that writing failed.
const HONEST_LINUX: (u32, u32) = (5, 8);

/// How files of a folder are synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// Each by itself.
    Each,
    /// Many of them at once.
    AtOnce,
}

impl Sync {
    /// Of the filesystem on which `folder` lies. Where that cannot be told: each by itself.
    pub(super) fn of(folder: &Path) -> Self {
        let kind = rustix::fs::statfs(folder).map(|stat| stat.f_type as u64);
        let is_known = kind.is_ok_and(|kind| SYNCED_AT_ONCE.contains(&(kind & 0xffff_ffff)));
        if is_known && linux().is_some_and(|linux| linux >= HONEST_LINUX) { Self::AtOnce } else { Self::Each }
    }
}

fn linux() -> Option<(u32, u32)> {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().ok()?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether so many files are synced by a sync of the whole filesystem, their folders' entries included.
pub(super) fn is_of_all(sync: Sync, files: usize) -> bool {
    sync == Sync::AtOnce && files >= MANY
}

/// Contents of files.
pub(super) fn contents(sync: Sync, files: &[&File]) -> io::Result<()> {
    match files {
        [] => Ok(()),
        [first, ..] if is_of_all(sync, files.len()) => Ok(rustix::fs::syncfs(first)?),
        _ => files.iter().try_for_each(|file| file.sync_all()),
    }
}

/// Entries of folders, after `files` were put into them.
pub(super) fn folders(sync: Sync, folders: &BTreeSet<PathBuf>, files: usize) -> io::Result<()> {
    match folders.first() {
        Some(first) if is_of_all(sync, files) => Ok(rustix::fs::syncfs(File::open(first)?)?),
        _ => folders.iter().try_for_each(|folder| File::open(folder)?.sync_all()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_in_memory_is_not_synced_at_once() {
        assert_eq!(Sync::of(Path::new("/proc")), Sync::Each);
        assert_eq!(Sync::of(Path::new("/not/there")), Sync::Each);
    }

    #[test]
    fn the_version_of_linux_is_known() {
        assert!(linux().is_some_and(|linux| linux >= (3, 0)));
    }
}
