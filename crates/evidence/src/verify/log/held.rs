//! The files of a log within an archive, held at one moment.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    thread,
    time::Duration,
};

use domain::TenantId;

use super::super::{Archive, Listed, inventory::join};
use crate::log::{LogFiles, SignedCheckpoint, tiles};

/// No file of a log is longer: a full entry bundle holds 256 entries of up to 64 KiB.
const LONGEST: u64 = 32 * 1024 * 1024;

/// The files of a log within an archive.
pub(in crate::verify) struct LogInArchive<'a> {
    archive: &'a dyn Archive,
    folder: String,
}

impl<'a> LogInArchive<'a> {
    /// `<top>/log/<tenant>`.
    pub(in crate::verify) fn new(archive: &'a dyn Archive, top: &str, tenant: &TenantId) -> Self {
        Self { archive, folder: join(top, &format!("log/{tenant}")) }
    }
}

impl LogFiles for LogInArchive<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match self.archive.open(&join(&self.folder, path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            reader => reader?.take(LONGEST).read_to_end(&mut bytes)?,
        };
        Ok(Some(bytes))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.archive.list(&join(&self.folder, folder), &mut |listed| {
            if let Listed::File(file) = listed {
                names.push(file.name().to_owned());
            }
        })?;
        Ok(names)
    }
}

/// A log that goes on while it is verified, held at one moment: the newest checkpoint and what will be
/// replaced are read at once, all else never changes.
pub(in crate::verify) struct Held<'a> {
    files: LogInArchive<'a>,
    kept: BTreeMap<String, Vec<u8>>,
    /// Names in the folder of copies.
    copies: Option<Vec<String>>,
}

impl<'a> Held<'a> {
    /// As it is now.
    pub(in crate::verify) fn now(files: LogInArchive<'a>) -> Self {
        let mut held = Self { files, kept: BTreeMap::new(), copies: None };
        for attempt in 1..=ATTEMPTS {
            if held.take() {
                break;
            }
            if attempt < ATTEMPTS {
                thread::sleep(PAUSE);
            }
        }
        held
    }

    /// False if it was changing. What is unreadable or missing is found when the log is judged.
    fn take(&mut self) -> bool {
        // First: what comes later than the checkpoint is of no use.
        self.copies = self.files.list(COPIES).ok();
        let newest = || self.files.read(NEWEST).ok().flatten();
        self.kept.clear();
        let Some(head) = newest() else { return true };
        let size = SignedCheckpoint::parse(&head).map_or(0, |signed| signed.checkpoint.size);
        for path in partial_files(size) {
            if let Ok(Some(bytes)) = self.files.read(&path) {
                self.kept.insert(path, bytes);
            }
        }
        let is_settled = newest().as_ref() == Some(&head)
            && self
                .copies
                .iter()
                .flatten()
                .filter_map(|name| name.parse::<u64>().ok())
                .all(|copy| copy <= size);
        self.kept.insert(NEWEST.to_owned(), head);
        is_settled
    }
}

const NEWEST: &str = "checkpoint";
const COPIES: &str = "checkpoints";
/// A log grows every few seconds, and its right edge is read in less. A copy of a checkpoint is brought
/// a moment before it becomes the newest one; one that stays alone is of a log that was rolled back.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// The partial bundle and tiles of a tree of this size.
fn partial_files(size: u64) -> Vec<String> {
    let (last, width) = (size / tiles::WIDTH, size % tiles::WIDTH);
    let mut paths = Vec::new();
    if width > 0 {
        paths.push(tiles::bundle_path(last, width));
    }
    for level in 0..8 {
        let (number, width) = ((size >> (8 * level)) / tiles::WIDTH, (size >> (8 * level)) % tiles::WIDTH);
        if width > 0 {
            paths.push(tiles::tile_path(level, number, width));
        }
    }
    paths
}

impl LogFiles for Held<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.kept.get(path) {
            Some(kept) => Ok(Some(kept.clone())),
            None => self.files.read(path),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        match &self.copies {
            Some(copies) if folder == COPIES => Ok(copies.clone()),
            _ => self.files.list(folder),
        }
    }
}

/// How many entries the logs have that lie right below the folders that were given.
pub(in crate::verify) fn sizes_now(archive: &dyn Archive) -> io::Result<BTreeMap<(String, TenantId), u64>> {
    let mut tops = vec![String::new()];
    archive.list("", &mut |listed| {
        if let Listed::Folder(path) = listed {
            tops.push(path);
        }
    })?;
    let mut sizes = BTreeMap::new();
    for top in tops {
        let mut tenants: Vec<TenantId> = Vec::new();
        archive.list(&join(&top, "log"), &mut |listed| {
            if let Listed::Folder(path) = listed {
                tenants.extend(path.rsplit('/').next().and_then(|name| name.parse().ok()));
            }
        })?;
        for tenant in tenants {
            let newest = LogInArchive::new(archive, &top, &tenant).read(NEWEST).ok().flatten();
            if let Some(signed) = newest.and_then(|newest| SignedCheckpoint::parse(&newest).ok()) {
                sizes.insert((top.clone(), tenant), signed.checkpoint.size);
            }
        }
    }
    Ok(sizes)
}
