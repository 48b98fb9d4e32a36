//! A way for libraries that connect by themselves, or that leave Nagle's algorithm on: a Unix socket in a folder
//! that only this user can enter.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{io::copy_bidirectional, net::UnixListener, time::timeout};

use crate::{ErrorKind, SshError, Tunnel, dial};

/// How long whoever asked for the socket may take to connect to it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A Unix socket that leads to a server. It takes one connection, and is gone after it, or when
/// this is dropped: an open connection goes on.
#[derive(Debug)]
pub struct Socket {
    folder: TempDir,
    name: String,
}

impl Socket {
    /// Connects to `host` at `port` as [`dial`] does, then offers that connection as the socket `name` in a
    /// folder of its own.
    ///
    /// # Errors
    /// See [`dial`]; or the socket cannot be made.
    pub async fn open(via: Option<&Tunnel>, host: &str, port: u16, name: &str) -> Result<Self, SshError> {
        let mut far = dial(via, host, port).await?;
        let (folder, listener) = listen(name).map_err(|error| {
            SshError::new(ErrorKind::Unreachable, "no socket can be made in the folder for temporary files")
                .caused_by(error)
        })?;
        tokio::spawn(async move {
            let Ok(Ok((mut near, _))) = timeout(PATIENCE, listener.accept()).await else { return };
            drop(listener);
            // Either side hears of a break by the end of its stream.
            let _ended = copy_bidirectional(&mut near, &mut far).await;
        });
        Ok(Self { folder, name: name.to_owned() })
    }

    /// The folder that the socket lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The socket.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

fn listen(name: &str) -> io::Result<(TempDir, UnixListener)> {
    let private = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("callseal-").permissions(private).tempdir()?;
    let listener = UnixListener::bind(folder.path().join(name))?;
    Ok((folder, listener))
}
