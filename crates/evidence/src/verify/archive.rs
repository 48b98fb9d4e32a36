//! Where the files to verify come from.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::BaseName;

/// A set of files that can be listed and read.
pub trait Archive {
    /// Every file, in a stable order.
    fn files(&self) -> Vec<ArchiveFile>;

    /// Opens one of them for reading from its start.
    fn open(&self, file: &ArchiveFile) -> io::Result<Box<dyn Read + '_>>;
}

/// One file of an archive. Names hold numbers: not for logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveFile {
    path: String,
    /// Where the name begins.
    name_at: usize,
}

impl ArchiveFile {
    /// The file at `path`, its parts divided by `/`.
    pub fn new(path: String) -> Self {
        let name_at = path.rfind('/').map_or(0, |at| at + 1);
        Self { path, name_at }
    }

    /// Folder and name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name without its folder.
    pub fn name(&self) -> &str {
        &self.path[self.name_at..]
    }

    /// The folder, without a slash at its end; empty for the top.
    pub fn folder(&self) -> &str {
        self.path[..self.name_at].trim_end_matches('/')
    }

    /// The file of that name in the same folder.
    pub fn sibling(&self, name: &str) -> Self {
        Self { path: format!("{}{name}", &self.path[..self.name_at]), name_at: self.name_at }
    }
}

/// Why a folder cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read", .path.display())]
pub struct FolderError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Files below folders of this machine, and single recordings.
#[derive(Clone, Default)]
pub struct Folder {
    files: BTreeSet<ArchiveFile>,
}

impl Folder {
    /// An archive with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds everything below the folder `path`; or, if it is a file of a recording, all files of that
    /// recording in its folder; or, if it is another file, that. Links to folders are not followed.
    pub fn add(&mut self, path: &Path) -> Result<(), FolderError> {
        let failed = |source| FolderError { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            return self.add_folder(path);
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some((base, _)) = BaseName::split_file(&name) else {
            self.insert(path);
            return Ok(());
        };
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(base.as_str()) {
                self.insert(&entry.path());
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, top: &Path) -> Result<(), FolderError> {
        let mut folders = vec![top.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| FolderError { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(entry.path());
                } else {
                    self.insert(&entry.path());
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: &Path) {
        // A name that is not UTF-8 is none of ours; it shows up as a stray.
        self.files.insert(ArchiveFile::new(path.to_string_lossy().into_owned()));
    }
}

impl Archive for Folder {
    fn files(&self) -> Vec<ArchiveFile> {
        self.files.iter().cloned().collect()
    }

    fn open(&self, file: &ArchiveFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(fs::File::open(file.path())?))
    }
}
