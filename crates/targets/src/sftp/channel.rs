//! SFTP on one channel: requests, and what the server can do beyond version 3 of the protocol.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use russh_sftp::{
    client::{Config, RawSftpSession, error::Error as SftpError, rawsession::Limits},
    extensions::{self, HardlinkExtension, Statvfs},
    protocol::{FileAttributes, OpenFlags, Packet, StatusCode},
};
use tokio_util::sync::CancellationToken;
use tunnel::Session;

use super::fault::Server;
use crate::{ErrorKind, TargetError};

const POSIX_RENAME: &str = "posix-rename@openssh.com";

/// An answer that takes longer than this will not come. Long, because requests queue behind the
/// content of files on slow lines; a connection that is dead is noticed by SSH itself, within half a minute
/// at most ([`tunnel::SILENCE`]), and ends all of its requests.
const REQUEST_TIMEOUT_SECS: u64 = 300;
/// What a server of version 3 must be able to take and to give at once (draft-ietf-secsh-filexfer-02,
/// section 3), less what a request needs beside its data.
const BLOCK: u32 = 32 * 1024 - 1024;
/// The most that is read at once from a server that says how much it can give.
const MOST_READ: u32 = 255 * 1024;
/// The most that is written at once to a server that says how much it can take.
const MOST_WRITE: u32 = 64 * 1024;

pub(super) struct Channel {
    raw: RawSftpSession,
    /// Given when no answer will come any more.
    closed: CancellationToken,
    server: Server,
    broken: Arc<AtomicBool>,
    can: Can,
}

/// What a server offers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Can {
    pub(super) fsync: bool,
    statvfs: bool,
    posix_rename: bool,
    /// Bytes of a read.
    pub(super) read: u32,
    /// Bytes of a write.
    pub(super) write: u32,
}

impl Channel {
    pub(super) async fn open(
        ssh: &Session,
        server: &Server,
        broken: &Arc<AtomicBool>,
    ) -> Result<Self, TargetError> {
        let config = Config { request_timeout_secs: REQUEST_TIMEOUT_SECS, ..Config::default() };
        let mut raw = RawSftpSession::new_with_config(ssh.subsystem("sftp").await?, config);
        let version = unless_closed(ssh.closed(), raw.init()).await.map_err(|error| server.no_sftp(error))?;
        let has = |name, wanted| version.extensions.get(name).is_some_and(|version| version == wanted);
        let mut can = Can {
            fsync: has(extensions::FSYNC, "1"),
            statvfs: has(extensions::STATVFS, "2"),
            posix_rename: has(POSIX_RENAME, "1"),
            read: BLOCK,
            write: BLOCK,
        };
        if has(extensions::LIMITS, "1") {
            let limits = Limits::from(
                unless_closed(ssh.closed(), raw.limits()).await.map_err(|error| server.no_sftp(error))?,
            );
            let within = |limit: Option<u64>, most: u32| {
                limit.map_or(BLOCK, |limit| u32::try_from(limit).unwrap_or(most).min(most).max(1))
            };
            can.read = within(limits.read_len, MOST_READ);
            can.write = within(limits.write_len, MOST_WRITE);
            raw.set_limits(limits);
        }
        Ok(Self {
            raw,
            closed: ssh.closed().clone(),
            server: server.clone(),
            broken: Arc::clone(broken),
            can,
        })
    }

    pub(super) const fn raw(&self) -> &RawSftpSession {
        &self.raw
    }

    /// The answer to a request, or the fault that the connection is gone: a request that is made just as
    /// that happens is forgotten by the SFTP library until its time is over.
    pub(super) async fn answer<T>(
        &self,
        request: impl Future<Output = Result<T, SftpError>>,
    ) -> Result<T, SftpError> {
        unless_closed(&self.closed, request).await
    }

    pub(super) const fn can(&self) -> Can {
        self.can
    }

    /// A fault in words. A connection that gave no answer once is not used again.
    pub(super) fn fault(&self, doing: &str, error: SftpError) -> TargetError {
        let error = self.server.fault(doing, error);
        if error.kind() == ErrorKind::Unreachable {
            self.gave_up();
        }
        error
    }

    /// The connection is not used again.
    pub(super) fn gave_up(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// What is behind a path, links followed; `None` if there is nothing.
    pub(super) async fn stat(&self, path: &str) -> Result<Option<FileAttributes>, SftpError> {
        present(self.answer(self.raw.stat(path)).await.map(|found| found.attrs))
    }

    /// Removes a file; false if there was none.
    pub(super) async fn remove(&self, path: &str) -> Result<bool, SftpError> {
        present(self.answer(self.raw.remove(path)).await).map(|removed| removed.is_some())
    }

    /// Makes a folder and those it lies in. They are asked for at once, whether they are there or not;
    /// a server takes requests about the same path in their order.
    pub(super) async fn make_folders(&self, whole: &str) -> Result<(), TargetError> {
        let ends = whole.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        let levels: Vec<&str> = ends.chain([whole.len()]).map(|end| &whole[..end]).collect();
        let make = |level: &str| self.answer(self.raw.mkdir(level.to_owned(), FileAttributes::empty()));
        let (made, found) = futures::join!(
            futures::future::join_all(levels.iter().map(|level| make(level))),
            self.stat(whole)
        );
        if found.map_err(|error| self.fault("looking for a folder", error))?.is_some() {
            return Ok(());
        }
        for (level, made) in levels.into_iter().zip(made) {
            if self.stat(level).await.map_err(|error| self.fault("looking for a folder", error))?.is_some() {
                continue;
            }
            // This is where it stopped, or a server did not keep to the order.
            if let Err(error) = make(level).await
                && self.stat(level).await.ok().flatten().is_none()
            {
                return Err(self.fault("making a folder", made.err().unwrap_or(error)));
            }
        }
        Ok(())
    }

    /// Opens a file; its handle is closed when it is dropped.
    pub(super) async fn open_file(
        self: &Arc<Self>,
        path: &str,
        flags: OpenFlags,
    ) -> Result<OpenFile, SftpError> {
        let opened = self.answer(self.raw.open(path, flags, FileAttributes::empty())).await?;
        Ok(OpenFile { channel: Arc::clone(self), handle: opened.handle })
    }

    /// What lies in a folder, but for itself and its parent.
    pub(super) async fn list(
        self: &Arc<Self>,
        path: &str,
    ) -> Result<Vec<(String, FileAttributes)>, SftpError> {
        let handle = self.answer(self.raw.opendir(path)).await?.handle;
        let folder = OpenFile { channel: Arc::clone(self), handle };
        let mut entries = Vec::new();
        loop {
            match self.answer(self.raw.readdir(folder.handle())).await {
                Ok(some) => entries.extend(some.files.into_iter().map(|file| (file.filename, file.attrs))),
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error),
            }
        }
        entries.retain(|(name, _)| !matches!(name.as_str(), "." | ".."));
        Ok(entries)
    }

    /// Renames over a file that has the new name; `None` if the server cannot do that in one step.
    pub(super) async fn rename_over(&self, from: &str, to: &str) -> Option<Result<(), SftpError>> {
        if !self.can.posix_rename {
            return None;
        }
        // Two strings, as that of a hard link.
        let names = HardlinkExtension { oldpath: from.to_owned(), newpath: to.to_owned() };
        let renaming = async {
            match self.answer(self.raw.extended(POSIX_RENAME, names.try_into()?)).await? {
                Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
                Packet::Status(status) => Err(SftpError::Status(status)),
                _ => Err(SftpError::UnexpectedPacket),
            }
        };
        Some(renaming.await)
    }

    /// How much space there is; `None` if the server does not tell.
    pub(super) async fn space(&self, path: &str) -> Option<u64> {
        if !self.can.statvfs {
            return None;
        }
        let Statvfs { blocks_avail, fragment_size, .. } = self.answer(self.raw.statvfs(path)).await.ok()?;
        Some(blocks_avail.saturating_mul(fragment_size))
    }
}

/// See [`Channel::answer`].
async fn unless_closed<T>(
    closed: &CancellationToken,
    request: impl Future<Output = Result<T, SftpError>>,
) -> Result<T, SftpError> {
    tokio::select! {
        // An answer that is there counts.
        biased;
        answer = request => answer,
        () = closed.cancelled() => Err(SftpError::IO("the SSH connection is gone".to_owned())),
    }
}

/// `None` for what is not there.
pub(super) fn present<T>(answer: Result<T, SftpError>) -> Result<Option<T>, SftpError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
        Err(error) => Err(error),
    }
}

/// An opened file.
pub(super) struct OpenFile {
    channel: Arc<Channel>,
    handle: String,
}

impl OpenFile {
    pub(super) const fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    pub(super) fn handle(&self) -> &str {
        &self.handle
    }

    /// Nothing is left to be closed when it is dropped.
    pub(super) fn forget_handle(mut self) {
        self.handle.clear();
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let handle = std::mem::take(&mut self.handle);
        if handle.is_empty() {
            return;
        }
        // Nobody waits for the answer; without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let channel = Arc::clone(&self.channel);
            runtime.spawn(async move { channel.answer(channel.raw.close(handle)).await });
        }
    }
}
