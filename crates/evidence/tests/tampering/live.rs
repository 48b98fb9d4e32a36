//! Archives that change while they are verified, and verifications that are broken off.

use crate::deeds::{again, flip};
use crate::logged::Making;
use crate::scene::{CALLS, Copy, remove, said, whole};
use evidence::Section;
use evidence::verify::{Archive, Folder, Journal, Keyring, Listed, Options, verify_with};
use jiff::SignedDuration;
use std::io::Read;
use std::sync::Mutex;
use std::{fs, io};

#[test]
fn an_interrupted_verification_goes_on_where_it_was_and_reads_changed_files_again() {
    let mut copy = Copy::new();
    let journal = tempfile::NamedTempFile::new().unwrap();
    let verify = |copy: &mut Copy| {
        let file = fs::OpenOptions::new().read(true).write(true).open(journal.path()).unwrap();
        copy.options.journal = Some(Journal::new(file).unwrap());
        let report = copy.verify();
        let before = report.recordings.iter().filter(|recording| recording.verified_before).count();
        (said(&report), before)
    };
    assert_eq!(verify(&mut copy), (Vec::new(), 0));
    assert_eq!(verify(&mut copy), (Vec::new(), 7));
    // A line that was not written to its end.
    let text = fs::read(journal.path()).unwrap();
    fs::write(journal.path(), &text[..text.len() - 30]).unwrap();
    let (said, before) = verify(&mut copy);
    assert_eq!((said, before < 7), (Vec::new(), true));
    // What was removed is missed although it stands in the journal; what was changed is read.
    remove(&copy.sealed(10));
    flip(&copy.file(5, Section::STEREO));
    let (said, before) = verify(&mut copy);
    assert_eq!((said.len(), before), (2, 5), "{said:?}");
    // And what is wrong is said each time.
    assert_eq!(verify(&mut copy).0, said);
}

/// An archive in which calls go on: one is sealed and delivered when its newest folder has just been
/// listed, and one when the first recording is read.
struct Busy {
    folder: Folder,
    making: Mutex<(Making, Vec<u32>)>,
}

impl Busy {
    fn call(&self, number: u32) {
        let mut making = self.making.lock().unwrap();
        if let Some(at) = making.1.iter().position(|due| *due == number) {
            making.1.remove(at);
            making.0.call(&whole().key, CALLS[number as usize - 1]);
        }
    }
}

impl Archive for Busy {
    fn list(&self, folder: &str, visit: &mut dyn FnMut(Listed)) -> io::Result<()> {
        self.folder.list(folder, visit)?;
        if folder.ends_with("2026") {
            self.call(6);
        }
        Ok(())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        if path.ends_with(".wav") {
            self.call(7);
        }
        self.folder.open(path)
    }
}

#[test]
fn calls_that_are_sealed_while_the_archive_is_verified_are_neither_missed_nor_make_the_log_wrong() {
    let (top, making) = again(1..=5);
    remove(&making.sealed[3]);
    let mut folder = Folder::new();
    folder.add(top.path()).unwrap();
    let mut keys = Keyring::new();
    keys.add(whole().key.certificate.clone());
    let busy = Busy { folder, making: Mutex::new((making, vec![6, 7])) };
    let mut options = Options { grace: SignedDuration::ZERO, ..Options::default() };
    let report = verify_with(&busy, &keys, &mut options).unwrap();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!((report.recordings.len(), busy.making.lock().unwrap().1.len()), (4, 0));
    // The first of the two was in the log already, and could not be among the names.
    assert_eq!(report.lanes[0].absent.on_the_way, 1);
    assert!(verify_with(&busy, &keys, &mut options).unwrap().is_good());
}
