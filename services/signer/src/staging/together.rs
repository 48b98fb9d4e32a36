//! Several files at once: written by one thread, made durable together.
//!
//! Order: 1 contents, beside their places; 2 they are synced; 3 each gets its place; 4 the folders are
//! synced. A crash before 3 leaves unfinished files beside (`<name>#<number>`, as the object store calls
//! its own), after 3 whole ones.
//!
//! A file that a repeat [replaces](Put::Replace) is written in its place at once when nothing lies there:
//! so it needs neither 3 nor, when all are of this kind and the filesystem is synced as a whole, 4. A crash
//! leaves an unfinished file in the place, which the repeat replaces: nobody knows of it yet. What lies there
//! already is never opened for writing, nor deleted: by then it may be another replica's, sealed and about
//! to be read.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use object_store::path::Path as Key;
use rustix::{
    fs::{CWD, RenameFlags},
    io::Errno,
};

use super::{Staging, StagingError, sync};
use crate::cost::{Costs, Stage};

/// What becomes of a file that lies in the place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It has to have the same content; else an error names it so.
    Once(&'static str),
    /// It is replaced.
    Replace,
}

/// Files on their way into staging. Blocks. Those that were not [put](Together::put) are deleted.
pub struct Together<'a> {
    staging: &'a Staging,
    files: Vec<Unfinished>,
    /// Folders that have got a folder.
    grown: BTreeSet<PathBuf>,
}

/// A file that is not durable in its place yet.
struct Unfinished {
    file: Option<File>,
    /// Where it lies until then; `None`: in its place.
    beside: Option<PathBuf>,
    place: PathBuf,
    put: Put,
}

impl Staging {
    /// Begins with no file.
    pub fn together(&self) -> Together<'_> {
        Together { staging: self, files: Vec::new(), grown: BTreeSet::new() }
    }

    /// Puts files of a known content, in one hop to a thread that may block. The outcome of each group
    /// by itself, in order: what fails in one leaves the others alone.
    pub async fn put_groups(
        &self,
        groups: Vec<Vec<NewFile>>,
        costs: &Costs,
    ) -> Vec<Result<(), StagingError>> {
        let (staging, count, costs) = (self.clone(), groups.len(), costs.clone());
        let work = move || {
            let mut together = staging.together();
            let written: Vec<_> = groups.iter().map(|group| together.write_all(group)).collect();
            let mut outcomes = together.put().into_iter();
            let mut all = Vec::with_capacity(written.len());
            for group in written {
                all.push(group.and_then(|files| {
                    outcomes.by_ref().take(files).collect::<Vec<_>>().into_iter().collect()
                }));
            }
            all
        };
        let ended = tokio::task::spawn_blocking(move || costs.of(Stage::Announce, work)).await;
        ended.unwrap_or_else(|_| {
            (0..count).map(|_| Err(StagingError::Write(ErrorKind::Interrupted.into()))).collect()
        })
    }
}

/// A file to be put.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Its place.
    pub key: Key,
    /// What is in it.
    pub content: bytes::Bytes,
    /// What becomes of one that is there.
    pub put: Put,
}

impl Together<'_> {
    /// Number of files until now, to [`take_back`](Self::take_back) what came after.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file yet.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Deletes the files after the first `count`.
    pub fn take_back(&mut self, count: usize) {
        self.files.truncate(count);
    }

    /// A new file, to be written.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(&mut self, key: &Key, put: Put) -> Result<&mut File, StagingError> {
        let place = self.staging.path(key)?;
        let (file, beside) = self.open(&place, put).map_err(StagingError::Write)?;
        let unfinished = self.files.len();
        self.files.push(Unfinished { file: None, beside, place, put });
        Ok(self.files[unfinished].file.insert(file))
    }

    fn open(&mut self, place: &Path, put: Put) -> io::Result<(File, Option<PathBuf>)> {
        if put == Put::Replace {
            match self.new_file(place) {
                Ok(file) => return Ok((file, None)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        self.beside(place).map(|(file, beside)| (file, Some(beside)))
    }

    /// Writes these files: their number, or nothing of them.
    fn write_all(&mut self, files: &[NewFile]) -> Result<usize, StagingError> {
        let before = self.files.len();
        for new in files {
            let written = self
                .create(&new.key, new.put)
                .and_then(|file| file.write_all(&new.content).map_err(StagingError::Write));
            if let Err(error) = written {
                self.take_back(before);
                return Err(error);
            }
        }
        Ok(files.len())
    }

    /// Steps 2 to 4. The outcome of each file, in the order in which they were created.
    pub fn put(mut self) -> Vec<Result<(), StagingError>> {
        let files: Vec<&File> = self.files.iter().filter_map(|one| one.file.as_ref()).collect();
        let synced = sync::contents(self.staging.sync, &files);
        let were_in_place = self.files.iter().all(|one| one.beside.is_none());
        let mut outcomes: Vec<Result<(), io::Error>> = match synced {
            Ok(()) => self.files.iter_mut().map(Unfinished::settle).collect(),
            Err(error) => self.files.iter().map(|_| Err(again(&error))).collect(),
        };
        // A sync of the whole filesystem that found all files in their places was one of the folders, too.
        if !(sync::is_of_all(self.staging.sync, self.files.len()) && were_in_place) {
            let mut folders = std::mem::take(&mut self.grown);
            folders.extend(self.files.iter().filter_map(|one| one.place.parent().map(Path::to_owned)));
            if let Err(error) = sync::folders(self.staging.sync, &folders, self.files.len()) {
                outcomes = outcomes.into_iter().map(|one| one.and(Err(again(&error)))).collect();
            }
        }
        let files = std::mem::take(&mut self.files);
        files.iter().zip(outcomes).map(|(file, outcome)| file.judged(outcome)).collect()
    }

    /// An unfinished file beside its place.
    fn beside(&mut self, place: &Path) -> io::Result<(File, PathBuf)> {
        for number in 1.. {
            let mut beside = place.as_os_str().to_owned();
            beside.push(format!("#{number}"));
            let beside = PathBuf::from(beside);
            match self.new_file(&beside) {
                Ok(file) => return Ok((file, beside)),
                // Of a process that died in mid-write.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// A file that is not there yet; its folders are made when they are missing.
    fn new_file(&mut self, path: &Path) -> io::Result<File> {
        let open = || OpenOptions::new().write(true).create_new(true).open(path);
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), |folder| self.make_folder(folder))?;
                open()
            }
            opened => opened,
        }
    }

    fn make_folder(&mut self, folder: &Path) -> io::Result<()> {
        let made = match fs::create_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                folder.parent().map_or(Err(error), |above| self.make_folder(above))?;
                fs::create_dir(folder)
            }
            made => made,
        };
        match made {
            // Whoever else made it may not have synced it yet.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => {
                self.grown.extend(folder.parent().map(Path::to_owned));
                Ok(())
            }
        }
    }
}

impl Unfinished {
    /// Puts the file, whose content is durable, into its place.
    fn settle(&mut self) -> io::Result<()> {
        self.file = None;
        let Some(beside) = &self.beside else { return Ok(()) };
        let put = match self.put {
            Put::Replace => fs::rename(beside, &self.place),
            Put::Once(_) => rename_once(beside, &self.place),
        };
        match put {
            Ok(()) => self.beside = None,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_same = fs::read(beside)? == fs::read(&self.place)?;
                if !is_same {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn judged(&self, outcome: io::Result<()>) -> Result<(), StagingError> {
        outcome.map_err(|error| match (self.put, error.kind()) {
            (Put::Once(what), ErrorKind::AlreadyExists) => StagingError::Different(what),
            _ => StagingError::Write(error),
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Of no use any more. What stays is deleted with its folder.
        if let Some(beside) = &self.beside {
            let _ = fs::remove_file(beside);
        }
    }
}

/// Gives the file the place unless another lies there.
fn rename_once(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A filesystem that cannot do this at once.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// The same error for another file.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
