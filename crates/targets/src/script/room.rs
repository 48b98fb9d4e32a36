//! The folder in which a program finds a recording: readable for this user alone, and gone afterwards.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Enclosed, ErrorKind, TargetError};

/// A folder for one run. As long as it is there it is locked: what a process that was killed has left is
/// known by having no lock.
pub(super) struct Room {
    folder: TempDir,
    _lock: File,
}

impl Room {
    /// A new one in `rooms`, which is made when missing and cleared of what nobody uses any more.
    pub(super) async fn new(rooms: &Path) -> Result<Self, TargetError> {
        let rooms = rooms.to_owned();
        let made = tokio::task::spawn_blocking(move || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&rooms)?;
            let rooms = fs::canonicalize(rooms)?;
            clear(&rooms);
            let private = fs::Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().prefix("run-").permissions(private).tempdir_in(rooms)?;
            let lock = File::open(folder.path())?;
            lock.lock_shared()?;
            Ok(Self { folder, _lock: lock })
        });
        made.await.map_err(io::Error::other).flatten().map_err(unusable)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a file into it, held against its hash; its path.
    pub(super) async fn put(&self, file: &Enclosed) -> Result<PathBuf, TargetError> {
        if file.name.contains(['/', '\0']) || matches!(file.name.as_str(), "" | "." | "..") {
            return Err(TargetError::new(
                ErrorKind::Name,
                "a file of the recording has a name that no folder takes",
            ));
        }
        let path = self.path().join(&file.name);
        let mut copy = self.create(&path).map_err(unusable)?;
        let mut reader = file.content.open(0).await.map_err(TargetError::source_unreadable)?;
        let (mut hash, mut block) = (Sha256::new(), vec![0; crate::content::BLOCK]);
        loop {
            let read = reader.read(&mut block).await.map_err(TargetError::source_unreadable)?;
            if read == 0 {
                break;
            }
            hash.update(&block[..read]);
            copy.write_all(&block[..read]).await.map_err(unusable)?;
        }
        copy.flush().await.map_err(unusable)?;
        if hash.finalize()[..] != file.content.sha256()[..] {
            return Err(TargetError::source_changed());
        }
        Ok(path)
    }

    /// Writes a small file into it; its path.
    pub(super) async fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, TargetError> {
        let path = self.path().join(name);
        let mut file = self.create(&path).map_err(unusable)?;
        file.write_all(bytes).await.map_err(unusable)?;
        file.flush().await.map_err(unusable)?;
        Ok(path)
    }

    fn create(&self, path: &Path) -> io::Result<tokio::fs::File> {
        let mut options = fs::OpenOptions::new();
        Ok(tokio::fs::File::from_std(options.write(true).create_new(true).mode(0o600).open(path)?))
    }
}

/// Removes the rooms that a killed process has left: they hold audio.
fn clear(rooms: &Path) {
    for entry in fs::read_dir(rooms).into_iter().flatten().flatten() {
        let room = entry.path();
        // Locked until it is gone: whoever makes one this very moment waits for the lock before writing into it.
        let Ok(folder) = File::open(&room) else { continue };
        if folder.try_lock().is_err() {
            continue;
        }
        // One that was made this very moment has no lock yet, and nothing in it.
        if fs::read_dir(&room).is_ok_and(|mut files| files.next().is_some())
            && let Err(error) = fs::remove_dir_all(&room)
        {
            tracing::warn!(room = %room.display(), %error, "what a script was given cannot be removed yet");
        }
    }
}

fn unusable(error: io::Error) -> TargetError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if full { ErrorKind::Full } else { ErrorKind::Io };
    TargetError::new(kind, "the folder in which a script finds the recording cannot be written")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_is_private_and_goes_with_its_run_and_those_of_the_dead_go_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let rooms = dir.path().join("rooms");
        let room = Room::new(&rooms).await.unwrap();
        for path in [&rooms, &room.path().to_owned()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        room.write("a", b"sound").await.unwrap();
        // As a process leaves it that is killed.
        let left = rooms.join("run-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("a"), "sound").unwrap();
        let other = Room::new(&rooms).await.unwrap();
        assert!(!left.exists() && room.path().join("a").exists());
        drop((room, other));
        assert_eq!(fs::read_dir(&rooms).unwrap().count(), 0);
    }
}
