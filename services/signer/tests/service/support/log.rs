//! The published log of the tenant `acme`, as an auditor reads it.

use std::{collections::BTreeMap, path::Path};

use evidence::{
    Certificate,
    log::{Entry, PublishedLog, SignedCheckpoint},
    verify::Keyring,
};

use super::bench::{Bench, files_below};

/// The files, at one moment: `checkpoint` first, so that all it needs is there.
pub fn published(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    published_in(&bench.path("staging/log/acme"))
}

/// The same of any folder.
pub fn published_in(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let newest = std::fs::read(dir.join("checkpoint"));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for path in files_below(dir) {
        let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
        // Unfinished, or deleted meanwhile.
        if let (false, Ok(content)) = (name.contains('#'), std::fs::read(&path)) {
            files.insert(name, content);
        }
    }
    if let Ok(newest) = newest {
        // Copies that came meanwhile are of a tree whose tiles may not have been read.
        let size = SignedCheckpoint::parse(&newest).unwrap().checkpoint.size;
        let is_later = |name: &str| {
            name.strip_prefix("checkpoints/").is_some_and(|copy| copy[..20].parse::<u64>().unwrap() > size)
        };
        files.retain(|name, _| !is_later(name));
        files.insert("checkpoint".to_owned(), newest);
    }
    files
}

/// The newest checkpoint, if there is one.
pub fn newest(bench: &Bench) -> Option<SignedCheckpoint> {
    let bytes = std::fs::read(bench.path("staging/log/acme/checkpoint")).ok()?;
    Some(SignedCheckpoint::parse(&bytes).unwrap())
}

/// The certificates of the bench's keys.
pub fn keyring(bench: &Bench) -> Keyring {
    trusting(&bench.keys.certificates())
}

/// These certificates.
pub fn trusting(certificates: &str) -> Keyring {
    let mut keys = Keyring::new();
    for pem in certificates.split_inclusive("-----END CERTIFICATE-----\n") {
        keys.add(Certificate::from_pem(pem).unwrap());
    }
    keys
}

/// All entries; fails unless log key, checkpoint, every entry and the root are good.
pub fn entries(bench: &Bench) -> Vec<Entry> {
    entries_of(&published(bench), &keyring(bench))
}

/// The same of any files.
pub fn entries_of(files: &BTreeMap<String, Vec<u8>>, keys: &Keyring) -> Vec<Entry> {
    let log = PublishedLog::open(files, keys).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(log.problems().is_empty(), "{:?}", log.problems());
    log.entries().map(|entry| entry.unwrap_or_else(|problem| panic!("{problem:?}")).1).collect()
}
