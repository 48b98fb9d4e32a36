//! The procedure of storing a file, over any place that has files, folders and a rename.
//!
//! Order, and what a crash leaves behind:
//! 1. folders are made level by level. Crash: empty folders;
//! 2. the content is written under a hidden name that only depends on it, and synced. Crash: an
//!    unfinished file, which the next attempt goes on with;
//! 3. it gets its final name, never over another file. Crash: the next attempt finds the same
//!    content under the name and is done;
//! 4. the folder is synced. Only then `put` returns. Crash before: the next attempt finds the content, and
//!    syncs it and its folder before it calls it stored.
//!
//! `replace` does the same, but step 3 takes the place of the file that has the name.

use std::io;

use async_trait::async_trait;

use crate::{
    Content, Digest, ErrorKind, Listed, Method, Put, Target, TargetError, Verified,
    content::{Reader, measure},
    names,
};

/// What a place for files can do. Paths are relative to the target's folder, levels separated by `/`.
#[async_trait]
pub(crate) trait Files: Send + Sync {
    /// Makes `folder` and its parents; those that exist stay as they are.
    async fn make_folder(&self, folder: &str) -> Result<(), TargetError>;
    /// Size of the file in bytes, `None` if there is none.
    async fn size(&self, path: &str) -> Result<Option<u64>, TargetError>;
    /// What stands under the two names; makes the folder of both where `write` does not. A place far
    /// away asks for all at once.
    async fn look(&self, folder: &str, path: &str, unfinished: &str) -> Result<Seen, TargetError> {
        self.make_folder(folder).await?;
        Ok(Seen { size: self.size(path).await?, left: self.size(unfinished).await? })
    }
    /// Opens a file for reading.
    async fn read(&self, path: &str) -> Result<Reader, TargetError>;
    /// Size of a file, and the file opened for reading; `None` if there is none.
    async fn find(&self, path: &str) -> Result<Option<(u64, Reader)>, TargetError> {
        match self.size(path).await? {
            Some(size) => Ok(Some((size, self.read(path).await?))),
            None => Ok(None),
        }
    }
    /// What lies directly in the folder; nothing if it is not there.
    async fn entries(&self, folder: &str) -> Result<Vec<Listed>, TargetError>;
    /// Writes `content` from `offset` to its end into `path`, which is made when missing and not
    /// cut, and syncs it.
    async fn write(&self, path: &str, content: &Content, offset: u64) -> Result<(), TargetError>;
    /// Writes all of `content` into `path` without a look at what stands there, where that costs less than
    /// to look first. False, with nothing done: the place looks first, or there is such a file.
    async fn write_unseen(&self, _path: &str, _content: &Content) -> Result<bool, TargetError> {
        Ok(false)
    }
    /// Gives `from` the name `to` durably, but never over another file.
    async fn publish(&self, from: &str, to: &str) -> Result<Published, TargetError>;
    /// Gives `from` the name `to` durably, in the place of a file that has it.
    async fn publish_over(&self, from: &str, to: &str) -> Result<(), TargetError>;
    /// Makes a file durable that was found, with its name: whoever wrote it may have died before that.
    async fn secure(&self, _path: &str) -> Result<(), TargetError> {
        Ok(())
    }
    /// Removes a file; a missing one counts as removed.
    async fn delete(&self, path: &str) -> Result<(), TargetError>;
    /// Says in the place's words that reading failed.
    fn unreadable(&self, error: io::Error) -> TargetError;
}

/// What stands in a folder before a file is put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Size in bytes of the file that has the name; `None`: nobody has it.
    pub(crate) size: Option<u64>,
    /// Size in bytes of the unfinished file that an earlier attempt left.
    pub(crate) left: Option<u64>,
}

/// Whether a file got its final name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It has it.
    Done,
    /// Another file has the name.
    NameTaken,
}

/// How many files of one name are kept beside each other before it is called a conflict.
pub(crate) const MOST_ASIDE: u32 = 9;

#[async_trait]
impl<F: Files> Target for F {
    async fn put(&self, folder: &str, name: &str, content: &Content) -> Result<Put, TargetError> {
        let unfinished = names::join(folder, &names::unfinished(name, content.sha256()));
        let mut written = kept(self, &unfinished, self.write_unseen(&unfinished, content).await).await?;
        if written && self.publish(&unfinished, &names::join(folder, name)).await? == Published::Done {
            return Ok(Put::written(name.to_owned(), false));
        }
        let mut number = 1;
        // A name that is taken at the last moment is looked at again: another worker may have brought the
        // same file, and then it is there, not to be kept twice.
        for _look in 0..2 * MOST_ASIDE {
            if number > MOST_ASIDE {
                break;
            }
            let name = if number == 1 { name.to_owned() } else { names::aside(name, number) };
            let path = names::join(folder, &name);
            let seen = self.look(folder, &path, &unfinished).await?;
            if let Some(size) = seen.size {
                if size == content.size() && is(self, &path, content.size(), content.sha256()).await? {
                    self.secure(&path).await?;
                    if seen.left.is_some() {
                        self.delete(&unfinished).await?;
                    }
                    return Ok(Put::there_already(name, Method::ReadBack));
                }
                number += 1;
                continue;
            }
            if !written {
                write_unfinished(self, &unfinished, content, seen.left).await?;
                written = true;
            }
            if self.publish(&unfinished, &path).await? == Published::Done {
                return Ok(Put::written(name, number > 1));
            }
        }
        self.delete(&unfinished).await?;
        Err(TargetError::no_name_left())
    }

    async fn verify(
        &self,
        folder: &str,
        name: &str,
        size: u64,
        sha256: &Digest,
    ) -> Result<Verified, TargetError> {
        let path = names::join(folder, name);
        let Some((found, reader)) = self.find(&path).await? else {
            return Err(TargetError::gone());
        };
        if found == size && reads(self, reader, size, sha256).await? {
            return Ok(Verified { method: Method::ReadBack });
        }
        Err(TargetError::changed())
    }

    async fn replace(&self, folder: &str, name: &str, content: &Content) -> Result<(), TargetError> {
        let unfinished = names::join(folder, &names::unfinished(name, content.sha256()));
        let path = names::join(folder, name);
        let seen = self.look(folder, &path, &unfinished).await?;
        write_unfinished(self, &unfinished, content, seen.left).await?;
        self.publish_over(&unfinished, &path).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let mut listed = self.entries(folder.trim_matches('/')).await?;
        listed.retain(|listed| !names::is_unfinished(&listed.name));
        Ok(listed)
    }

    async fn open(&self, folder: &str, name: &str) -> Result<Option<Reader>, TargetError> {
        let found = self.find(&names::join(folder, name)).await?;
        Ok(found.map(|(_, reader)| reader))
    }

    async fn remove(&self, folder: &str, name: &str) -> Result<(), TargetError> {
        self.delete(&names::join(folder, name)).await
    }
}

async fn is<F: Files>(files: &F, path: &str, size: u64, sha256: &Digest) -> Result<bool, TargetError> {
    reads(files, files.read(path).await?, size, sha256).await
}

async fn reads<F: Files>(files: &F, reader: Reader, size: u64, sha256: &Digest) -> Result<bool, TargetError> {
    let found = measure(reader).await.map_err(|error| files.unreadable(error))?;
    Ok(found == (size, *sha256))
}

/// Brings the unfinished file to its full length. One that an earlier attempt left is gone on with;
/// since nobody knows how that attempt ended, the result is read back before it may get its name.
async fn write_unfinished<F: Files>(
    files: &F,
    path: &str,
    content: &Content,
    left: Option<u64>,
) -> Result<(), TargetError> {
    if let Some(left) = left {
        if left <= content.size() {
            write(files, path, content, left).await?;
            if is(files, path, content.size(), content.sha256()).await? {
                return Ok(());
            }
            tracing::debug!("an unfinished file cannot be resumed and is written anew");
        }
        files.delete(path).await?;
    }
    write(files, path, content, 0).await
}

async fn write<F: Files>(files: &F, path: &str, content: &Content, offset: u64) -> Result<(), TargetError> {
    kept(files, path, files.write(path, content, offset).await).await
}

/// What cannot be finished must not use up the space that others need; nor must what is wrong be resumed.
async fn kept<F: Files, T>(files: &F, path: &str, written: Result<T, TargetError>) -> Result<T, TargetError> {
    if let Err(error) = &written
        && matches!(error.kind(), ErrorKind::Full | ErrorKind::Source)
        && let Err(error) = files.delete(path).await
    {
        tracing::debug!(%error, "an unfinished file could not be removed");
    }
    written
}
