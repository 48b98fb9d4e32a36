//! What need not be kept of the published files: old copies of checkpoints, partial tiles that the tree
//! has outgrown.
//!
//! Of the copies the newest 200 stay, of older ones the last of each day and those that an authority
//! has stamped. Partial tiles of the checkpoint before stay, for whoever is reading it now.

use std::{
    io,
    time::{Duration, UNIX_EPOCH},
};

use evidence::log::{LogFiles, tiles};

use super::folder::{Copy, LogFolder};

/// Copies that stay whatever their age.
const NEWEST: usize = 200;
/// Old copies are looked for when this many more are there than have to stay.
const SLACK: usize = 50;
const DAY: Duration = Duration::from_secs(86_400);

/// Which copies go. `copies` by size. Pure.
fn outdated(copies: &[Copy]) -> Vec<u64> {
    let day =
        |copy: &Copy| copy.written.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY.as_secs();
    let old = copies.len().saturating_sub(NEWEST);
    let pairs = copies.iter().take(old).zip(copies.iter().skip(1));
    pairs
        .filter(|(copy, next)| !copy.is_stamped && day(copy) == day(next))
        .map(|(copy, _)| copy.size)
        .collect()
}

/// Deletes old copies, when there are many. Blocks.
///
/// # Errors
/// The folder cannot be read, or a file not deleted.
pub fn copies(folder: &LogFolder) -> io::Result<usize> {
    let copies = folder.copies()?;
    let gone = outdated(&copies);
    if copies.len() < NEWEST + SLACK || gone.is_empty() {
        return Ok(0);
    }
    for size in &gone {
        folder.delete(&tiles::checkpoint_path(*size))?;
    }
    Ok(gone.len())
}

/// Deletes the partial tiles and bundles on the right edge of the tree that neither the checkpoint of
/// `before` entries nor that of `now` needs. Blocks.
///
/// # Errors
/// A folder cannot be read, or a file not deleted.
pub fn partial(folder: &LogFolder, before: u64, now: u64) -> io::Result<()> {
    for level in 0..8_u8 {
        if before >> (8 * u32::from(level)) == 0 {
            break;
        }
        // All tiles between the two edges were made full, or never partial, by the last step.
        let number = before >> (8 * (u32::from(level) + 1));
        let width = |size| tiles::width_of(level, number, size);
        // Whoever looks for a partial tile that is gone takes the full one (C2SP tlog-tiles).
        let keep = if width(now) == tiles::WIDTH { Vec::new() } else { vec![width(before), width(now)] };
        one(folder, &format!("{}.p", tiles::tile_path(level, number, tiles::WIDTH)), &keep)?;
        if level == 0 {
            one(folder, &format!("{}.p", tiles::bundle_path(number, tiles::WIDTH)), &keep)?;
        }
    }
    Ok(())
}

fn one(folder: &LogFolder, partial: &str, keep: &[u64]) -> io::Result<()> {
    let names = folder.list(partial)?;
    for name in &names {
        if name.parse::<u64>().is_ok_and(|width| !keep.contains(&width)) {
            folder.delete(&format!("{partial}/{name}"))?;
        }
    }
    if !names.is_empty() && keep.is_empty() {
        folder.delete_empty(partial);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staging::Staging;

    #[test]
    fn of_old_copies_the_last_of_each_day_and_the_stamped_stay() {
        let copy = |size: u64, hours: u64, is_stamped| Copy {
            size,
            written: UNIX_EPOCH + Duration::from_secs(hours * 3600),
            is_stamped,
        };
        // Ten days before the newest 200, four copies a day.
        let mut copies: Vec<Copy> = (0..40).map(|n| copy(n + 1, n * 6, n == 5)).collect();
        copies.extend((0..200).map(|n| copy(1000 + n, 241 + n / 100, false)));
        let gone = outdated(&copies);
        let kept: Vec<u64> =
            copies.iter().map(|copy| copy.size).filter(|size| !gone.contains(size) && *size < 1000).collect();
        assert_eq!(kept, [4, 6, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
        assert!(gone.iter().all(|size| *size < 1000), "the newest stay");
        assert!(outdated(&copies[40..]).is_empty());
    }

    #[test]
    fn old_copies_are_deleted_when_there_are_many() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let folder = LogFolder::new(&staging, &"acme".parse().unwrap()).unwrap();
        let path = |size: u64| dir.path().join("log/acme").join(tiles::checkpoint_path(size));
        std::fs::create_dir_all(path(1).parent().unwrap()).unwrap();
        let make = |sizes: std::ops::RangeInclusive<u64>| {
            for size in sizes {
                std::fs::write(path(size), "a checkpoint").unwrap();
            }
        };
        make(1..=249);
        assert_eq!(copies(&folder).unwrap(), 0);
        std::fs::write(path(7).with_extension("tsr"), "a stamp").unwrap();
        make(250..=260);
        // Midnight may lie among them.
        assert!((58..=59).contains(&copies(&folder).unwrap()));
        let left: Vec<u64> = folder.copies().unwrap().into_iter().map(|copy| copy.size).collect();
        assert!(left.contains(&7) && left.ends_with(&(61..=260).collect::<Vec<u64>>()), "{left:?}");
    }
}
