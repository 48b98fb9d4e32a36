//! An SFTP server (F-79).
//!
//! The final name is given by the protocol's plain rename, which must fail when the name is taken:
//! `posix-rename@openssh.com` would overwrite, which an archive never does to a recording. What is
//! replaced on purpose goes by that extension, so that the name never stands empty.

mod connection;
mod fault;
mod rename_over;

use std::{io, sync::Arc};

use async_trait::async_trait;
use domain::resources::SftpTarget;
use jiff::Timestamp;
use russh_sftp::{
    client::{error::Error as SftpError, fs::Metadata},
    protocol::{FileType, OpenFlags, StatusCode},
};
use tokio::{
    io::{AsyncSeekExt as _, AsyncWriteExt as _},
    sync::Mutex,
};
use tunnel::Tunnel;

use crate::{
    Content, Kind, Listed, TargetError,
    content::Reader,
    files::{Files, Published},
    names,
    pump::pump,
};
use connection::Connection;
use fault::Server;

/// A folder on an SFTP server as a target. One connection is kept open and made anew when it broke.
pub struct Sftp {
    target: SftpTarget,
    server: Server,
    tunnel: Option<Tunnel>,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Sftp {
    /// A target on the server described; it is contacted at the first use.
    pub fn new(target: SftpTarget) -> Self {
        let server = Server::new(&target.server.host, target.server.port);
        let tunnel = target.tunnel.clone().map(Tunnel::new);
        Self { target, server, tunnel, connection: Mutex::new(None) }
    }

    async fn connection(&self) -> Result<Arc<Connection>, TargetError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(Arc::clone(connection));
        }
        // The old one is let go before a new one is made: servers limit how many there may be.
        *kept = None;
        let connection =
            Arc::new(Connection::open(&self.target.server, &self.server, self.tunnel.as_ref()).await?);
        *kept = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// A path relative to the login's home, or absolute, as the server takes it.
    fn path(&self, path: &str) -> String {
        let base = self.target.path.strip_prefix("~/").unwrap_or(&self.target.path);
        match (base.trim_end_matches('/'), path.trim_matches('/')) {
            ("" | "." | "~", "") if !base.starts_with('/') => ".".to_owned(),
            ("" | "." | "~", path) if !base.starts_with('/') => path.to_owned(),
            (base, "") if !base.is_empty() => base.to_owned(),
            (base, path) => format!("{base}/{path}"),
        }
    }

    async fn exists(&self, connection: &Connection, path: &str) -> Result<bool, TargetError> {
        match connection.sftp().metadata(path).await {
            Ok(_) => Ok(true),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(false),
            Err(error) => Err(connection.fault("looking for a folder", error)),
        }
    }

    /// A failed write, told apart as well as the protocol allows: version 3 has one code for a full
    /// disk and everything else, so the server is asked how much space it has.
    async fn write_fault(&self, connection: &Connection, missing: u64, error: TargetError) -> TargetError {
        if error.kind() != crate::ErrorKind::Io {
            return error;
        }
        match connection.sftp().fs_info(self.path("")).await {
            Ok(Some(space)) if space.blocks_avail.saturating_mul(space.fragment_size) < missing => {
                self.server.full()
            }
            _ => error,
        }
    }
}

#[async_trait]
impl Files for Sftp {
    async fn make_folder(&self, folder: &str) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        let whole = self.path(folder);
        if whole == "." || self.exists(&connection, &whole).await? {
            return Ok(());
        }
        let ends = whole.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        for end in ends.chain([whole.len()]) {
            let level = &whole[..end];
            if self.exists(&connection, level).await? {
                continue;
            }
            if let Err(error) = connection.sftp().create_dir(level).await {
                // Another writer may have made it in between; if so all is well.
                if !self.exists(&connection, level).await? {
                    return Err(connection.fault("making a folder", error));
                }
            }
        }
        Ok(())
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, TargetError> {
        let connection = self.connection().await?;
        match connection.sftp().metadata(self.path(path)).await {
            Ok(attributes) => Ok(Some(attributes.size.unwrap_or(0))),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(error) => Err(connection.fault("looking for a file", error)),
        }
    }

    async fn read(&self, path: &str) -> Result<Reader, TargetError> {
        let connection = self.connection().await?;
        let file = connection.sftp().open(self.path(path)).await;
        Ok(Box::pin(file.map_err(|error| connection.fault("opening a file to read it back", error))?))
    }

    async fn entries(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let connection = self.connection().await?;
        let entries = match connection.sftp().read_dir(self.path(folder)).await {
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                return Ok(Vec::new());
            }
            entries => entries.map_err(|error| connection.fault("listing a folder", error))?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let name = entry.file_name();
            let kind = match entry.file_type() {
                FileType::Dir => Some(Kind::Folder),
                FileType::File => Some(file(&entry.metadata())),
                // A listing speaks of the link itself.
                FileType::Symlink => {
                    let path = self.path(&names::join(folder, &name));
                    let behind = connection.sftp().metadata(path).await.ok();
                    behind.filter(|behind| behind.file_type() == FileType::File).map(|behind| file(&behind))
                }
                FileType::Other => None,
            };
            listed.extend(kind.map(|kind| Listed { name, kind }));
        }
        Ok(listed)
    }

    async fn write(&self, path: &str, content: &Content, offset: u64) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        let flags = OpenFlags::CREATE | OpenFlags::WRITE;
        let opened = connection.sftp().open_with_flags(self.path(path), flags).await;
        let mut file = opened.map_err(|error| connection.fault("making a file", error))?;
        let failed = |error| connection.io_fault("writing a file", error);
        let written = async {
            file.seek(io::SeekFrom::Start(offset)).await.map_err(failed)?;
            pump(content, offset, &mut file, failed).await?;
            // Waits for all writes, then for the server's fsync where it has one.
            file.flush().await.map_err(failed)?;
            file.shutdown().await.map_err(failed)
        };
        match written.await {
            Ok(()) => Ok(()),
            Err(error) => {
                Err(self.write_fault(&connection, content.size().saturating_sub(offset), error).await)
            }
        }
    }

    async fn publish(&self, from: &str, to: &str) -> Result<Published, TargetError> {
        let connection = self.connection().await?;
        let Err(error) = connection.sftp().rename(self.path(from), self.path(to)).await else {
            return Ok(Published::Done);
        };
        match self.size(to).await? {
            Some(_) => Ok(Published::NameTaken),
            None => Err(connection.fault("giving a file its name", error)),
        }
    }

    async fn publish_over(&self, from: &str, to: &str) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        let (from, to) = (self.path(from), self.path(to));
        let doing = "giving a file the name of another";
        let fault = |error| connection.fault(doing, error);
        match connection.rename_over(&from, &to).await {
            Some(renamed) => renamed.map_err(fault),
            None => {
                let sftp = connection.sftp();
                match sftp.remove_file(&to).await {
                    Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {}
                    removed => removed.map_err(fault)?,
                }
                sftp.rename(from, to).await.map_err(fault)
            }
        }
    }

    async fn delete(&self, path: &str) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        match connection.sftp().remove_file(self.path(path)).await {
            Ok(()) => Ok(()),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(()),
            Err(error) => Err(connection.fault("removing a file", error)),
        }
    }

    fn unreadable(&self, error: io::Error) -> TargetError {
        self.server.io_fault("reading a file back", error)
    }
}

fn file(metadata: &Metadata) -> Kind {
    let modified = metadata.mtime.and_then(|at| Timestamp::from_second(at.into()).ok());
    Kind::File { size: metadata.size.unwrap_or(0), modified }
}

#[cfg(test)]
mod tests {
    use domain::resources::{SshAuth, SshServer};

    use super::*;

    #[test]
    fn paths_start_at_the_logins_home_unless_they_are_absolute() {
        let cases = [
            ("", "", "."),
            ("", "a/b", "a/b"),
            ("~/", "a", "a"),
            ("archive/", "", "archive"),
            ("~/archive", "a", "archive/a"),
            ("/srv/", "a", "/srv/a"),
            ("/srv", "", "/srv"),
            ("/", "a", "/a"),
            ("/", "", "/"),
        ];
        for (base, path, expected) in cases {
            let sftp = Sftp::new(SftpTarget {
                server: SshServer {
                    host: "h".into(),
                    port: 22,
                    user: "u".into(),
                    auth: SshAuth::Password("p".into()),
                    host_keys: vec![],
                },
                tunnel: None,
                path: base.into(),
            });
            assert_eq!(sftp.path(path), expected, "{base:?} {path:?}");
        }
    }
}
