//! The three texts of a recording that are made at its sealing.

use std::fmt;

use crate::{BaseName, HashList, HashedFile, Info, Section, journal_json};

/// Info, journal text and hash list of one recording: the exact bytes, to be kept before the key is
/// asked, so that a replay signs the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Documents {
    /// The name that all files of the recording begin with.
    pub base: BaseName,
    /// Audio (as given), info, journal text: what the hash list names, in its order.
    pub hashed: Vec<HashedFile>,
    /// `_info.txt`.
    pub info: Vec<u8>,
    /// `_journal.json`.
    pub journal: Vec<u8>,
    /// `_hash.txt`: this is the message to sign.
    pub hash_list: Vec<u8>,
}

impl Documents {
    /// Makes them from what is known and the audio files as written. `Info::files` is taken from
    /// `audio`.
    pub fn new(info: &Info, audio: Vec<HashedFile>) -> Self {
        let base = info.base_name();
        let mut info = info.clone();
        info.files = audio.iter().map(|file| file.name.clone()).collect();
        let mut hashed = audio;
        let info_bytes = info.to_bytes();
        hashed.push(HashedFile::of(base.file(Section::Info), &info_bytes));
        let journal = journal_json::to_bytes(&info, &hashed);
        hashed.push(HashedFile::of(base.file(Section::Journal), &journal));
        let hash_list = HashList::new(&hashed).to_bytes();
        Self { base, hashed, info: info_bytes, journal, hash_list }
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("base", &self.base)
            .field("hashed", &self.hashed)
            .finish_non_exhaustive()
    }
}
