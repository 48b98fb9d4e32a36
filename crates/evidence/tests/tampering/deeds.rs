//! What somebody does to an archive.

use crate::logged::Making;
use crate::scene::{CALLS, Copy, whole};
use crate::signed::run;
use evidence::Section;
use evidence::log::tiles::{split_bundle, write_bundle};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Puts another letter of base64 in the place of the one in the middle.
pub(crate) fn change_letter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'B' { b'C' } else { b'B' };
    fs::write(path, bytes).unwrap();
}

pub(crate) fn swap(a: &Path, b: &Path) {
    let (first, second) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, second).unwrap();
    fs::write(b, first).unwrap();
}

pub(crate) fn replace_log(copy: &Copy, by: &Path) {
    fs::remove_dir_all(copy.path("log")).unwrap();
    run("cp", &["-R", by.to_str().unwrap(), copy.path("log").to_str().unwrap()], Path::new("/"));
}

/// The copy becomes this archive.
pub(crate) fn turn_into(copy: &Copy, making: &Making) {
    fs::remove_dir_all(copy.top.path()).unwrap();
    run("cp", &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()], Path::new("/"));
}

/// No log, and nothing that tells of one.
pub(crate) fn strip(copy: &mut Copy) {
    fs::remove_dir_all(copy.path("log")).unwrap();
    for call in CALLS {
        let _not_here = fs::remove_file(copy.file(call.number, Section::LogProof));
    }
}

/// The copy becomes an archive with a change of key.
pub(crate) fn rotated(copy: &mut Copy) {
    let (_top, mut making) = again([1, 3]);
    making.rotate(&whole().other_key, &whole().key);
    making.heartbeat();
    turn_into(copy, &making);
}

pub(crate) fn change_of_key(copy: &Copy) -> PathBuf {
    let files = fs::read_dir(copy.path("log/acme/keys")).unwrap().map(|entry| entry.unwrap().path());
    let mut texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    texts.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("change-")).unwrap()
}

/// The archive in the making, up to and with the call of this number, by the same keys.
pub(crate) fn again(calls: impl IntoIterator<Item = u32>) -> (tempfile::TempDir, Making) {
    let whole = whole();
    let top = tempfile::tempdir().unwrap();
    let mut making = Making::new(top.path(), &whole.key, Arc::clone(&whole.log_key), whole.start);
    for number in calls {
        making.call(&whole.key, CALLS[number as usize - 1]);
    }
    (top, making)
}

/// The text of an entry of the log, changed in its bundle; the tiles stay.
pub(crate) fn change_entry(copy: &Copy, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = bundle(copy);
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    fs::write(&path, [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()).unwrap();
}

pub(crate) fn bundle(copy: &Copy) -> PathBuf {
    let mut files = fs::read_dir(copy.path("log/acme/tile/entries/000.p")).unwrap();
    files.next().unwrap().unwrap().path()
}

pub(crate) fn reorder_entries(copy: &mut Copy) {
    let path = bundle(copy);
    let bytes = fs::read(&path).unwrap();
    let mut entries: Vec<&[u8]> = split_bundle(&bytes).0;
    entries.swap(3, 6);
    fs::write(&path, write_bundle(entries).unwrap()).unwrap();
}
