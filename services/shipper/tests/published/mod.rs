//! A transparency log as the signer publishes it in staging, and an auditor who looks at an archive.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evidence::{
    Sha256Hash,
    log::{
        Checkpoint, Entry, Frontier, LogFiles, SignedCheckpoint, What, leaf_hash,
        tiles::{self, WIDTH},
    },
};
use jiff::Timestamp;

/// The name of the statement of a change of key.
pub const CHANGE: &str = "change-0123456789abcdef";

/// The log of a tenant in staging.
pub struct Log {
    folder: PathBuf,
    tenant: String,
    origin: String,
    pub size: u64,
    root: Sha256Hash,
    partial: Vec<String>,
    /// By how many seconds its entries are later.
    later: u64,
}

impl Log {
    /// An empty one, with a statement of its key.
    pub fn new(staging: &Path, tenant: &str, number: u32) -> Self {
        let folder = staging.join("log").join(tenant);
        fs::create_dir_all(folder.join("keys")).unwrap();
        fs::create_dir_all(folder.join("checkpoints")).unwrap();
        fs::write(folder.join("keys/0a1b2c3d.txt"), "the statement").unwrap();
        fs::write(folder.join("keys/0a1b2c3d.txt.SHA256withRSA.sig"), "its signature").unwrap();
        Self {
            folder,
            tenant: tenant.to_owned(),
            origin: format!("callseal.io/test/{tenant}/{number:08x}"),
            size: 0,
            root: Frontier::default().root(),
            partial: Vec::new(),
            later: 0,
        }
    }

    /// The same log, its history from here on another one.
    pub const fn fork(mut self) -> Self {
        self.later = 1;
        self
    }

    /// A change of key is published: statement and signatures, before the checkpoint that tells of it.
    pub fn change_key(&self) {
        for ending in [".txt", ".old.sig", ".new.sig"] {
            write(&self.folder.join(format!("keys/{CHANGE}{ending}")), ending.as_bytes());
        }
    }

    /// Adds so many entries and publishes a checkpoint, in the order of the signer.
    pub fn grow(&mut self, entries: u64) {
        let at: Timestamp = "2026-11-22T09:15:30Z".parse().unwrap();
        let entry = |number: u64| {
            let at = at + std::time::Duration::from_secs(number + self.later);
            Entry { at, tenant: self.tenant.parse().unwrap(), what: What::Heartbeat }.to_bytes()
        };
        let new: Vec<Vec<u8>> = (self.size..self.size + entries).map(entry).collect();
        let growth = tiles::grow(&Files(self.folder.clone()), self.size, self.root, &new).unwrap();
        for (path, bytes) in &growth.files {
            write(&self.folder.join(path), bytes);
        }
        (self.size, self.root) = (growth.size, growth.root);
        let head = Checkpoint { origin: self.origin.clone(), size: self.size, root: self.root };
        // Mirrors bring checkpoints; whether they are signed rightly is for verification to say.
        let text = format!("{}\n\u{2014} {} {}=\n", head.body(), self.origin, "A".repeat(91));
        SignedCheckpoint::parse(text.as_bytes()).unwrap();
        write(&self.folder.join(tiles::checkpoint_path(self.size)), text.as_bytes());
        write(&self.folder.join("checkpoint"), text.as_bytes());
        // Those that the new tree has not are removed; one of a higher level mostly stays.
        let old = std::mem::replace(&mut self.partial, partial(self.size));
        for path in old.iter().filter(|path| !self.partial.contains(path)) {
            fs::remove_file(self.folder.join(path)).unwrap();
        }
    }

    /// A time stamp of the newest checkpoint comes.
    pub fn stamp(&self) {
        let path = format!("{}.tsr", tiles::checkpoint_path(self.size));
        write(&self.folder.join(path), b"the token");
    }
}

fn partial(size: u64) -> Vec<String> {
    let edges = (0..8).map(|level| (level, size >> (8 * u32::from(level))));
    let edges: Vec<(u8, u64, u64)> = edges.map(|(level, n)| (level, n / WIDTH, n % WIDTH)).collect();
    let tiles =
        edges.iter().map(|(level, number, width)| (*width, tiles::tile_path(*level, *number, *width)));
    let bundle = (edges[0].2, tiles::bundle_path(edges[0].1, edges[0].2));
    tiles.chain([bundle]).filter(|(width, _)| *width > 0).map(|(_, path)| path).collect()
}

/// As the signer's object store does: aside, then renamed.
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let aside = PathBuf::from(format!("{}#1", path.display()));
    fs::write(&aside, bytes).unwrap();
    fs::rename(aside, path).unwrap();
}

struct Files(PathBuf);

impl LogFiles for Files {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

/// How many entries the log in an archive has: each is hashed, all tiles have to be there, and the root
/// has to be that of the checkpoint. `None` if there is no log yet.
///
/// # Panics
/// The archive does not hold what its checkpoint says.
pub fn audited(archive: &Path, tenant: &str) -> Option<u64> {
    let log = archive.join("log").join(tenant);
    loop {
        let checkpoint = fs::read(log.join("checkpoint")).ok()?;
        match audit(&log, &checkpoint) {
            Ok(size) => return Some(size),
            // The next one came while this one was audited: the auditor begins again.
            Err(_) if fs::read(log.join("checkpoint")).is_ok_and(|now| now != checkpoint) => {}
            Err(problem) => panic!("{problem}"),
        }
    }
}

fn audit(log: &Path, checkpoint: &[u8]) -> Result<u64, String> {
    let head = SignedCheckpoint::parse(checkpoint).unwrap().checkpoint;
    let mut frontier = Frontier::default();
    for number in 0..head.size.div_ceil(WIDTH) {
        let path = tiles::bundle_path(number, tiles::width_of(0, number, head.size));
        let bundle = fs::read(log.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        let (entries, whole) = tiles::split_bundle(&bundle);
        assert!(whole);
        entries.into_iter().for_each(|entry| frontier.append(leaf_hash(entry)));
    }
    for level in 0..8 {
        let hashes = head.size >> (8 * u32::from(level));
        for number in 0..hashes.div_ceil(WIDTH) {
            let path = tiles::tile_path(level, number, tiles::width_of(level, number, head.size));
            let tile = fs::metadata(log.join(&path)).map_err(|error| format!("{path}: {error}"))?;
            assert_eq!(tile.len(), 32 * tiles::width_of(level, number, head.size));
        }
    }
    assert_eq!(frontier.root(), head.root);
    Ok(head.size)
}
