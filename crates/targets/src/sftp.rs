//! An SFTP server (F-79).
//!
//! The final name is given by the protocol's plain rename, which must fail when the name is taken:
//! `posix-rename@openssh.com` would overwrite, which an archive never does to a recording. What is
//! replaced on purpose goes by that extension, so that the name never stands empty.

mod channel;
mod connection;
mod fault;
mod read;
mod write;

use std::{io, sync::Arc};

use async_trait::async_trait;
use domain::resources::SftpTarget;
use jiff::Timestamp;
use russh_sftp::{
    client::error::Error as SftpError,
    protocol::{FileAttributes, FileType, OpenFlags},
};
use tokio::sync::Mutex;
use tunnel::Tunnel;

use crate::{
    Content, ErrorKind, Kind, Listed, TargetError,
    content::Reader,
    files::{Files, Published, Seen},
    names,
};
use channel::{Channel, present};
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

    async fn channel(&self) -> Result<Arc<Channel>, TargetError> {
        self.connection().await?.channel().await
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

    /// A failed write, told apart as well as the protocol allows: version 3 has one code for a full
    /// disk and everything else, so the server is asked how much space it has.
    async fn write_fault(&self, channel: &Channel, missing: u64, error: TargetError) -> TargetError {
        if error.kind() != ErrorKind::Io {
            return error;
        }
        match channel.space(&self.path("")).await {
            Some(space) if space < missing => self.server.full(),
            _ => error,
        }
    }
}

#[async_trait]
impl Files for Sftp {
    async fn make_folder(&self, folder: &str) -> Result<(), TargetError> {
        let whole = self.path(folder);
        if whole == "." {
            return Ok(());
        }
        self.channel().await?.make_folders(&whole).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, TargetError> {
        let channel = self.channel().await?;
        let found = channel.stat(&self.path(path)).await;
        Ok(found.map_err(|error| channel.fault("looking for a file", error))?.as_ref().map(size))
    }

    /// One round trip. The folder is made when it turns out to be missing.
    async fn look(&self, _folder: &str, path: &str, unfinished: &str) -> Result<Seen, TargetError> {
        let channel = self.channel().await?;
        let (path, unfinished) = (self.path(path), self.path(unfinished));
        let looking = futures::join!(channel.stat(&path), channel.stat(&unfinished));
        let found = |answer: Result<Option<FileAttributes>, _>| match answer {
            Ok(found) => Ok(found.as_ref().map(size)),
            Err(error) => Err(channel.fault("looking for a file", error)),
        };
        Ok(Seen { size: found(looking.0)?, left: found(looking.1)? })
    }

    async fn read(&self, path: &str) -> Result<Reader, TargetError> {
        match self.find(path).await? {
            Some((_, reader)) => Ok(reader),
            None => Err(self.server.gone("opening a file to read it back")),
        }
    }

    /// One round trip.
    async fn find(&self, path: &str) -> Result<Option<(u64, Reader)>, TargetError> {
        let channel = self.channel().await?;
        let path = self.path(path);
        let (found, opened) = futures::join!(channel.stat(&path), channel.open_file(&path, OpenFlags::READ));
        let fault = |error| channel.fault("opening a file to read it back", error);
        let (Some(found), Some(file)) = (found.map_err(fault)?, present(opened).map_err(fault)?) else {
            return Ok(None);
        };
        let size = size(&found);
        Ok(Some((size, read::reader(file, size))))
    }

    async fn entries(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let channel = self.channel().await?;
        let fault = |error| channel.fault("listing a folder", error);
        let Some(entries) = present(channel.list(&self.path(folder)).await).map_err(fault)? else {
            return Ok(Vec::new());
        };
        let mut listed = Vec::new();
        for (name, attributes) in entries {
            let kind = match attributes.file_type() {
                FileType::Dir => Some(Kind::Folder),
                FileType::File => Some(file(&attributes)),
                // A listing speaks of the link itself.
                FileType::Symlink => {
                    let behind = channel.stat(&self.path(&names::join(folder, &name))).await.ok().flatten();
                    behind.filter(|behind| behind.file_type() == FileType::File).map(|behind| file(&behind))
                }
                FileType::Other => None,
            };
            listed.extend(kind.map(|kind| Listed { name, kind }));
        }
        Ok(listed)
    }

    async fn write(&self, path: &str, content: &Content, offset: u64) -> Result<(), TargetError> {
        let channel = self.channel().await?;
        let (whole, flags) = (self.path(path), OpenFlags::CREATE | OpenFlags::WRITE);
        let fault = |error| channel.fault("making a file", error);
        let opened = match present(channel.open_file(&whole, flags).await).map_err(fault)? {
            Some(opened) => opened,
            None => {
                self.make_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder)).await?;
                channel.open_file(&whole, flags).await.map_err(fault)?
            }
        };
        match write::write(opened, content, offset).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.write_fault(&channel, content.size().saturating_sub(offset), error).await),
        }
    }

    async fn publish(&self, from: &str, to: &str) -> Result<Published, TargetError> {
        let channel = self.channel().await?;
        let (from, to) = (self.path(from), self.path(to));
        let Err(error) = channel.answer(channel.raw().rename(from, to.clone())).await else {
            return Ok(Published::Done);
        };
        let fault = |error| channel.fault("giving a file its name", error);
        if !matches!(error, SftpError::Status(_)) {
            return Err(fault(error));
        }
        match channel.stat(&to).await.map_err(fault)? {
            Some(_) => Ok(Published::NameTaken),
            None => Err(fault(error)),
        }
    }

    async fn publish_over(&self, from: &str, to: &str) -> Result<(), TargetError> {
        let channel = self.channel().await?;
        let (from, to) = (self.path(from), self.path(to));
        let fault = |error| channel.fault("giving a file the name of another", error);
        match channel.rename_over(&from, &to).await {
            Some(renamed) => renamed.map_err(fault),
            None => {
                tracing::debug!("the SFTP server cannot rename over a file; it is removed before");
                channel.remove(&to).await.map_err(fault)?;
                channel.answer(channel.raw().rename(from, to)).await.map(|_| ()).map_err(fault)
            }
        }
    }

    async fn delete(&self, path: &str) -> Result<(), TargetError> {
        let channel = self.channel().await?;
        let removed = channel.remove(&self.path(path)).await;
        removed.map(|_| ()).map_err(|error| channel.fault("removing a file", error))
    }

    fn unreadable(&self, error: io::Error) -> TargetError {
        self.server.io_fault("reading a file back", error)
    }
}

fn size(attributes: &FileAttributes) -> u64 {
    attributes.size.unwrap_or(0)
}

fn file(attributes: &FileAttributes) -> Kind {
    let modified = attributes.mtime.and_then(|at| Timestamp::from_second(at.into()).ok());
    Kind::File { size: size(attributes), modified }
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
