//! One table: each kind of tampering, and what has to be said of it.

mod certificates;
mod files;
mod log;
mod recordings;
mod time;

use crate::deeds::flip;
use crate::scene::{Copy, said, whole};
use crate::signed::run;

/// One kind of tampering, and what has to be said of it.
pub(super) type Row = (&'static str, fn(&mut Copy), &'static str);

#[test]
fn every_kind_of_tampering_is_found_and_named() {
    let mut wrong = Vec::new();
    let areas = [files::ROWS, recordings::ROWS, log::ROWS, certificates::ROWS, time::ROWS];
    for (kind, tamper, expected) in areas.into_iter().flatten() {
        let mut copy = Copy::new();
        tamper(&mut copy);
        let said = said(&copy.verify());
        if !said.iter().any(|finding| finding.contains(expected)) {
            wrong.push(format!("{kind}: expected {expected:?}, but it was said: {said:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_flipped_byte_in_any_file_of_the_archive_is_found() {
    let files = run("find", &[".", "-type", "f"], whole().top.path());
    let mut overlooked = Vec::new();
    let mut copy = Copy::new();
    for file in files.lines().filter(|file| !file.ends_with("archive.txt")) {
        flip(&copy.path(file));
        if copy.verify().is_good() {
            overlooked.push(file.to_owned());
        }
        flip(&copy.path(file));
    }
    assert!(copy.verify().is_good());
    assert_eq!(overlooked, [] as [String; 0]);
}
