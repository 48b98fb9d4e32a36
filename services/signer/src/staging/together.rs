//! Several files at once: written beside their places by one thread, made durable together, then put in
//! their places.
//!
//! Order: 1 contents, beside their places; 2 they are synced; 3 each gets its place; 4 the folders are
//! synced. A crash before 3 leaves unfinished files beside (`<name>#<number>`, as the object store calls
//! its own), after 3 whole ones.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use object_store::path::Path as Key;

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

/// A file beside its place.
struct Unfinished {
    file: Option<File>,
    beside: PathBuf,
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
        let (file, beside) = self.beside(&place).map_err(StagingError::Write)?;
        let unfinished = self.files.len();
        self.files.push(Unfinished { file: None, beside, place, put });
        Ok(self.files[unfinished].file.insert(file))
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
        let mut outcomes: Vec<Result<(), io::Error>> = match synced {
            Ok(()) => self.files.iter_mut().map(Unfinished::settle).collect(),
            Err(error) => self.files.iter().map(|_| Err(again(&error))).collect(),
        };
        let mut folders = std::mem::take(&mut self.grown);
        folders.extend(self.files.iter().filter_map(|one| one.place.parent().map(Path::to_owned)));
        if let Err(error) = sync::folders(self.staging.sync, &folders, self.files.len()) {
            outcomes = outcomes.into_iter().map(|one| one.and(Err(again(&error)))).collect();
        }
        let files = std::mem::take(&mut self.files);
        files.iter().zip(outcomes).map(|(file, outcome)| file.judged(outcome)).collect()
    }

    /// An unfinished file; its folders are made when they are missing.
    fn beside(&mut self, place: &Path) -> io::Result<(File, PathBuf)> {
        for number in 1.. {
            let mut beside = place.as_os_str().to_owned();
            beside.push(format!("#{number}"));
            let beside = PathBuf::from(beside);
            let open = || OpenOptions::new().write(true).create_new(true).open(&beside);
            let opened = match open() {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    place.parent().map_or(Ok(()), |folder| self.make_folder(folder))?;
                    open()
                }
                opened => opened,
            };
            match opened {
                Ok(file) => return Ok((file, beside)),
                // Of a process that died in mid-write.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
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
        match self.put {
            Put::Replace => fs::rename(&self.beside, &self.place),
            Put::Once(_) => match fs::hard_link(&self.beside, &self.place) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let is_same = fs::read(&self.beside)? == fs::read(&self.place)?;
                    if is_same { Ok(()) } else { Err(error) }
                }
                linked => linked,
            },
        }
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
        // Moved, or linked, or of no use any more. What stays is deleted with its folder.
        let _ = fs::remove_file(&self.beside);
    }
}

/// The same error for another file.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
