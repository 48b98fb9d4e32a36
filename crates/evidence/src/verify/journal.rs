//! What an earlier run found good, so that one that was interrupted goes on where it was.
//!
//! A line a recording, added when it was verified: folder, base name and what was found, packed, in
//! base64, with a checksum. What was not written whole is passed over. Nothing that was wrong is
//! written: it is verified, and said, each time.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

use super::{
    ArchiveFile, VerifyError,
    packed::{Packer, Unpacker},
};
use crate::Sha256Hash;

/// Of another version nothing is taken.
const HEADING: &str = "Callseal verification journal 1";

/// What a journal is kept in: a file that can be read from its start and written at its end.
pub trait JournalFile: Read + Write + Seek + Send {}
impl<F: Read + Write + Seek + Send> JournalFile for F {}

/// The journal of a verification. Holds names of files, and with them numbers.
pub struct Journal {
    file: Box<dyn JournalFile>,
}

impl Journal {
    /// Goes on with what `file` holds, or begins it.
    ///
    /// # Errors
    /// It cannot be read or written, or is something else.
    pub fn new(file: impl JournalFile + 'static) -> io::Result<Self> {
        let mut journal = Self { file: Box::new(file) };
        journal.file.rewind()?;
        let mut heading = String::new();
        io::BufReader::new(&mut journal.file).take(100).read_line(&mut heading)?;
        if !heading.is_empty() && heading.trim_end() != HEADING {
            return Err(io::Error::other("this file is not a journal of callseal verify"));
        }
        journal.file.seek(SeekFrom::End(0))?;
        // The first byte ends a line that an interrupted run did not.
        writeln!(journal.file, "{}", if heading.is_empty() { HEADING } else { "" })?;
        Ok(journal)
    }

    /// Calls `take` with folder, base name and findings of each recording, in the order of the lines.
    pub(super) fn each(
        &mut self,
        mut take: impl FnMut(&str, &str, &[u8]) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        self.file.rewind().map_err(VerifyError::Journal)?;
        for line in io::BufReader::new(&mut self.file).split(b'\n') {
            let line = line.map_err(VerifyError::Journal)?;
            let Ok(record) = BASE64_STANDARD_NO_PAD.decode(&line) else { continue };
            let Some((sum, record)) = record.split_first_chunk::<4>() else { continue };
            if *sum != checksum(record) {
                continue;
            }
            let mut fields = Unpacker(record);
            if let (Some(folder), Some(base)) = (fields.text(), fields.text()) {
                take(folder, base, fields.0)?;
            }
        }
        self.file.seek(SeekFrom::End(0)).map_err(VerifyError::Journal)?;
        Ok(())
    }

    /// Adds one recording.
    pub(super) fn add(&mut self, folder: &str, base: &str, known: &[u8]) -> Result<(), VerifyError> {
        let mut record = Packer::default().text(folder).text(base).done();
        record.extend_from_slice(known);
        record.splice(0..0, checksum(&record));
        writeln!(self.file, "{}", BASE64_STANDARD_NO_PAD.encode(record)).map_err(VerifyError::Journal)
    }

    /// All that was added is on its way to the disk.
    pub(super) fn flush(&mut self) -> Result<(), VerifyError> {
        self.file.flush().map_err(VerifyError::Journal)
    }
}

fn checksum(record: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *Sha256Hash::of(record).as_bytes();
    [a, b, c, d]
}

/// One hash over names, sizes and times of a recording's files; `None` if the storage does not say
/// them, so that nothing can be taken as unchanged.
pub(super) fn stamp(files: &[ArchiveFile]) -> Option<Sha256Hash> {
    let packed = files.iter().try_fold(Packer::default(), |packer, file| {
        let stamp = file.stamp()?;
        Some(packer.text(file.name()).number(stamp.size).time(stamp.modified))
    });
    packed.map(|packer| Sha256Hash::of(&packer.done()))
}
