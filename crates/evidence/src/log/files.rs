//! Where the published files of a log come from.

use std::io;

/// The published files of one tenant's log, by paths relative to `log/<tenant>/` with `/` between the
/// parts: a folder, an archive target, an HTTP server. Reading one twice must give the same, but for
/// `checkpoint`, which grows.
pub trait LogFiles {
    /// The whole file; `None` if there is none.
    ///
    /// # Errors
    /// Only when it cannot be said whether there is one.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// The names (not paths) of the files that lie directly in `folder`, in any order; none if there is
    /// no such folder.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
}

impl<F: LogFiles + ?Sized> LogFiles for &F {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        (**self).read(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        (**self).list(folder)
    }
}

/// Files in memory, by path.
impl LogFiles for std::collections::BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.get(path).cloned())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let below = format!("{}/", folder.trim_end_matches('/'));
        let names = self.range(below.clone()..).map_while(|(path, _)| path.strip_prefix(&below));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }
}
