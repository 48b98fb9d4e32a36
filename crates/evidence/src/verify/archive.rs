//! Where the files to verify come from.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::BaseName;

/// A set of files that can be listed and read, from several threads at once.
///
/// It is listed folder by folder and by callback, so that nobody has to hold the names of an archive of
/// many years in memory.
pub trait Archive: Sync {
    /// Calls `visit` for everything that lies directly in `folder`, in any order. The empty text is the
    /// top. A folder that is not there is empty.
    ///
    /// # Errors
    /// The folder cannot be read; what was visited until then is of no use.
    fn list(&self, folder: &str, visit: &mut dyn FnMut(Listed)) -> io::Result<()>;

    /// Opens a file for reading from its start; `path` as [`ArchiveFile::path`].
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none, or what keeps it from being read.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>>;
}

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A file.
    File(ArchiveFile),
    /// A folder, by its whole path from the top.
    Folder(String),
}

/// Visits every file of the archive below `top` (empty: all), folder by folder.
///
/// # Errors
/// The first folder that cannot be read: with half of the names nothing could be said of completeness.
pub fn walk(archive: &dyn Archive, top: &str, visit: &mut dyn FnMut(ArchiveFile)) -> io::Result<()> {
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        archive.list(&folder, &mut |listed| match listed {
            Listed::File(file) => visit(file),
            Listed::Folder(path) => folders.push(path),
        })?;
    }
    Ok(())
}

/// One file of an archive. Names hold numbers: not for logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveFile {
    path: String,
    /// Where the name begins.
    name_at: usize,
    stamp: Option<FileStamp>,
    leads_out: bool,
}

/// By what a file that was verified once is known again without being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// When it was last written to, as the storage says.
    pub modified: Timestamp,
}

impl ArchiveFile {
    /// The file at `path`, its parts divided by `/`.
    pub fn new(path: String) -> Self {
        let name_at = path.rfind('/').map_or(0, |at| at + 1);
        Self { path, name_at, stamp: None, leads_out: false }
    }

    /// The same with what the storage says of its size and time.
    pub fn with_stamp(self, stamp: FileStamp) -> Self {
        Self { stamp: Some(stamp), ..self }
    }

    /// The same, said to be a symbolic link that leads out of the archive.
    pub fn leading_out(self) -> Self {
        Self { leads_out: true, ..self }
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

    /// True for a symbolic link that leads out of the archive.
    pub const fn leads_out(&self) -> bool {
        self.leads_out
    }

    /// Size and time, if the storage says so.
    pub const fn stamp(&self) -> Option<FileStamp> {
        self.stamp
    }
}

impl fmt::Debug for ArchiveFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveFile").field("stamp", &self.stamp).finish_non_exhaustive()
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
    folders: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Folder {
    /// An archive with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds everything below the folder `path`; or, if it is a file of a recording, all files of that
    /// recording in its folder; or, if it is another file, that. Links to folders are not followed.
    ///
    /// # Errors
    /// `path` is not there, or may not be read.
    pub fn add(&mut self, path: &Path) -> Result<(), FolderError> {
        let failed = |source| FolderError { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            fs::read_dir(path).map_err(failed)?;
            self.folders.insert(text(path));
            return Ok(());
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some((base, _)) = BaseName::split_file(&name) else {
            self.files.insert(text(path));
            return Ok(());
        };
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(base.as_str()) {
                self.files.insert(text(&entry.path()));
            }
        }
        Ok(())
    }

    /// True if `path` lies below a folder that was given, and so is listed with it.
    fn holds(&self, path: &str) -> bool {
        path.match_indices('/').any(|(at, _)| self.folders.contains(&path[..at]))
    }

    /// True if the link leads to nothing below the folders that were given, or to nothing at all.
    fn leads_out(&self, link: &Path) -> bool {
        let Ok(leads_to) = fs::canonicalize(link) else { return true };
        let mut given = self.folders.iter().filter_map(|folder| fs::canonicalize(folder).ok());
        !given.any(|folder| leads_to.starts_with(folder))
    }

    /// The folders that were given, as paths of this archive.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.iter().map(String::as_str)
    }
}

/// The path under which [`Folder`] lists a folder that was given to it.
pub fn folder_path(path: &Path) -> String {
    text(path)
}

/// A name that is not UTF-8 is none of ours; it shows up as a stray.
fn text(path: &Path) -> String {
    let text = path.to_string_lossy().into_owned();
    // `archive/` and `archive` are one folder.
    match text.trim_end_matches('/') {
        "" => text,
        trimmed => trimmed.to_owned(),
    }
}

impl Archive for Folder {
    fn list(&self, folder: &str, visit: &mut dyn FnMut(Listed)) -> io::Result<()> {
        if folder.is_empty() {
            self.folders
                .iter()
                .filter(|path| !self.holds(path))
                .cloned()
                .map(Listed::Folder)
                .for_each(&mut *visit);
            for path in self.files.iter().filter(|path| !self.holds(path)) {
                visit(Listed::File(stamped(ArchiveFile::new(path.clone()), fs::symlink_metadata(path))));
            }
            return Ok(());
        }
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = text(&entry.path());
            let kind = entry.file_type()?;
            visit(if kind.is_dir() {
                Listed::Folder(path)
            } else {
                let file = stamped(ArchiveFile::new(path), entry.metadata());
                let leads_out = kind.is_symlink() && self.leads_out(&entry.path());
                Listed::File(if leads_out { file.leading_out() } else { file })
            });
        }
        Ok(())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(open_regular(Path::new(path))?))
    }
}

/// Opens a file, and nothing that only looks like one: a pipe would be waited for without end, and to
/// read a device may do anything.
///
/// # Errors
/// As [`fs::File::open`], and for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<fs::File> {
    // Asked before it is opened: opening a pipe waits already.
    match fs::metadata(path)?.is_file() {
        true => fs::File::open(path),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// Without a stamp the file is only never taken for one that was verified before.
fn stamped(file: ArchiveFile, metadata: io::Result<fs::Metadata>) -> ArchiveFile {
    let stamp = metadata.ok().filter(fs::Metadata::is_file).and_then(|metadata| {
        let modified = Timestamp::try_from(metadata.modified().ok()?).ok()?;
        Some(FileStamp { size: metadata.len(), modified })
    });
    match stamp {
        Some(stamp) => file.with_stamp(stamp),
        None => file,
    }
}
