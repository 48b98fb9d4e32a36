//! `_hash.txt` (F-50): the format of `sha256sum`, one line a file. It is what gets signed.

use crate::{HashedFile, Sha256Hash};

/// Why a text is not a hash list; line numbers count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashListError {
    /// Not UTF-8, or the last line has no end.
    #[error("the hash list is not a text of whole lines")]
    NotText,
    /// A line is not `<hash>  <name>`.
    #[error("line {0} of the hash list is not a SHA-256 hash, two spaces and a file name")]
    Line(usize),
    /// A name stands in it twice.
    #[error("line {0} of the hash list names a file that an earlier line names")]
    Twice(usize),
    /// It names nothing.
    #[error("the hash list is empty")]
    Empty,
}

/// Hashes of the files of one recording, in the order of the lines.
#[derive(Clone, PartialEq, Eq)]
pub struct HashList {
    entries: Vec<(Sha256Hash, String)>,
}

impl HashList {
    /// The list of these files, in this order. Names come from [`crate::BaseName::file`], which makes
    /// none that would have to be escaped.
    pub fn new<'a>(files: impl IntoIterator<Item = &'a HashedFile>) -> Self {
        Self { entries: files.into_iter().map(|file| (file.sha256, file.name.clone())).collect() }
    }

    /// Hash and file name, line by line.
    pub fn entries(&self) -> impl Iterator<Item = (&Sha256Hash, &str)> {
        self.entries.iter().map(|(hash, name)| (hash, name.as_str()))
    }

    /// The exact bytes of the file: `<hex>  <name>\n` a line, as `sha256sum` writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.entries.iter().map(|(hash, name)| format!("{hash}  {name}\n")).collect::<String>().into_bytes()
    }

    /// Reads exactly what [`to_bytes`](Self::to_bytes) writes; nothing else passes, so that two
    /// readers cannot understand one list differently.
    pub fn parse(bytes: &[u8]) -> Result<Self, HashListError> {
        let text = str::from_utf8(bytes).map_err(|_| HashListError::NotText)?;
        if text.is_empty() {
            return Err(HashListError::Empty);
        }
        let lines = text.strip_suffix('\n').ok_or(HashListError::NotText)?;
        let mut entries: Vec<(Sha256Hash, String)> = Vec::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            let (hash, name) = line.split_once("  ").ok_or(HashListError::Line(number))?;
            let hash = hash.parse().map_err(|_| HashListError::Line(number))?;
            let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
            if name.is_empty() || matches!(name, "." | "..") || !name.chars().all(plain) {
                return Err(HashListError::Line(number));
            }
            if entries.iter().any(|(_, other)| other == name) {
                return Err(HashListError::Twice(number));
            }
            entries.push((hash, name.to_owned()));
        }
        Ok(Self { entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two_files() -> HashList {
        HashList::new(&[HashedFile::of("a.wav".into(), b"abc"), HashedFile::of("a_info.txt".into(), b"")])
    }

    #[test]
    fn the_list_reads_as_sha256sum_writes_it() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.wav\n\
                        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a_info.txt\n";
        assert_eq!(two_files().to_bytes(), expected.as_bytes());
        assert!(HashList::parse(expected.as_bytes()).unwrap() == two_files());
    }

    #[test]
    fn anything_but_that_format_is_refused() {
        let hash = "a".repeat(64);
        for (text, error) in [
            (String::new(), HashListError::Empty),
            (format!("{hash}  a"), HashListError::NotText),
            (format!("{hash}  a\n\n"), HashListError::Line(2)),
            (format!("{hash} *a\n"), HashListError::Line(1)),
            (format!("{}  a\n", "A".repeat(64)), HashListError::Line(1)),
            (format!("{hash}  a\r\n"), HashListError::Line(1)),
            (format!("{hash}  ../a\n"), HashListError::Line(1)),
            (format!("{hash}  a\n{hash}  a\n"), HashListError::Twice(2)),
        ] {
            assert_eq!(HashList::parse(text.as_bytes()).err(), Some(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_is_written_back_byte_for_byte(bytes in any::<Vec<u8>>(), name in "[a-z_.+]{1,20}") {
            if let Ok(list) = HashList::parse(&bytes) {
                prop_assert_eq!(list.to_bytes(), bytes);
            }
            let line = format!("{}  {name}\n", "0".repeat(64));
            if let Ok(list) = HashList::parse(line.as_bytes()) {
                prop_assert_eq!(list.to_bytes(), line.as_bytes());
            }
        }
    }
}
