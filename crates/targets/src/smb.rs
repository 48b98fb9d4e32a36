//! A share on an SMB server (F-78).
//!
//! The protocol's rename fails when the name is taken, which is what an archive wants; what is replaced
//! on purpose says so in the rename itself, so that the name never stands empty. Folders and files are
//! made and found by their names as Windows has them: capitals do not tell two names apart.

mod chains;
mod connection;
mod fault;
mod reader;
mod wire;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use domain::resources::SmbTarget;
use futures::future::try_join;
use jiff::Timestamp;
use smb2::{
    DirectoryEntry, WriteBehind,
    types::{SessionId, status::NtStatus},
};
use tokio::{sync::Mutex, time::sleep};
use tunnel::Tunnel;

use crate::{
    Content, Kind, Listed, TargetError,
    blocks::Blocks,
    content::Reader,
    files::{Files, Published, Seen},
    names,
};
use chains::{Taken, rename, write_new};
use connection::Connection;
use fault::Server;

/// Files up to this length travel in one message, with opening and flushing them.
const SMALL: u64 = 1 << 20;
/// Write requests of a file under way at once, each as long as a block of the source (256 KiB).
const WRITES_AHEAD: usize = 64;

/// How long a reader of a file may keep us from taking its place, and how often we ask.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

const READING: &str = "reading a file back";

/// A folder in a share on an SMB server as a target. One connection is kept open and made anew when
/// it broke.
pub struct Smb {
    target: SmbTarget,
    tunnel: Option<Tunnel>,
    server: Server,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// The last one; the server is told that it is over, so that it lets go of half-written files.
    session: Option<SessionId>,
}

impl Smb {
    /// A target on the server described; it is contacted at the first use.
    pub fn new(target: SmbTarget) -> Self {
        let server = Server::new(&target.host, target.port);
        let tunnel = target.tunnel.clone().map(Tunnel::new);
        Self { target, tunnel, server, state: Mutex::default() }
    }

    async fn connection(&self) -> Result<Arc<Connection>, TargetError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = state.connection.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(Arc::clone(connection));
        }
        state.connection = None;
        let connection = Arc::new(self.connect(state.session).await?);
        state.session = Some(connection.session_id());
        state.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// A connection of its own, which takes the place of the session `previous`.
    async fn connect(&self, previous: Option<SessionId>) -> Result<Connection, TargetError> {
        Connection::open(&self.target, self.tunnel.as_ref(), previous, &self.server).await
    }

    /// A path in the share.
    fn path(&self, path: &str) -> String {
        match path.trim_matches('/') {
            "" => self.target.path.clone(),
            path => names::join(&self.target.path, path),
        }
    }

    /// Whether it is a folder; something else of the name is a fault.
    async fn is_folder(&self, connection: &Connection, path: &str) -> Result<bool, TargetError> {
        let fault = |error| connection.fault("looking for a folder", &error);
        match connection.tree().stat(&mut connection.smb(), path).await {
            Ok(found) if found.is_directory => Ok(true),
            Ok(_) => Err(fault(refused(NtStatus::NOT_A_DIRECTORY))),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// The size of a file; what is not there, or lies in a folder that is not there, has none.
    async fn size_of(&self, connection: &Connection, path: &str) -> Result<Option<u64>, TargetError> {
        match chains::size_of(&connection.smb(), connection.tree(), &self.path(path)).await {
            Ok(size) => Ok(Some(size)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(connection.fault("looking for a file", &error)),
        }
    }

    /// Makes the folder that the file `path` is to lie in.
    async fn make_folder_of(&self, path: &str) -> Result<(), TargetError> {
        self.make_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder)).await
    }

    /// The content in one message; false if there is a file of the name already.
    async fn write_small(
        &self,
        connection: &Connection,
        path: &str,
        content: &Content,
    ) -> Result<bool, TargetError> {
        let mut bytes = Vec::new();
        let mut source = Blocks::open(content, 0).await?;
        while let Some(block) = source.next().await? {
            bytes.extend_from_slice(&block);
        }
        let (smb, tree, at) = (connection.smb(), connection.tree(), self.path(path));
        let mut written = write_new(&smb, tree, &at, bytes.clone()).await;
        if status(&written) == Some(NtStatus::OBJECT_PATH_NOT_FOUND) {
            self.make_folder_of(path).await?;
            written = write_new(&smb, tree, &at, bytes).await;
        }
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.status() == Some(NtStatus::OBJECT_NAME_COLLISION) => Ok(false),
            Err(error) => Err(connection.fault("writing a file", &error)),
        }
    }

    async fn write_from(
        &self,
        connection: &Connection,
        path: &str,
        content: &Content,
        offset: u64,
    ) -> Result<(), TargetError> {
        let fault = |error| connection.fault("writing a file", &error);
        let mut source = Blocks::open(content, offset).await?;
        let (tree, at) = (connection.tree(), self.path(path));
        let mut writer = tree.create_file_writer_at(connection.smb(), &at, offset).await;
        if status(&writer) == Some(NtStatus::OBJECT_PATH_NOT_FOUND) {
            self.make_folder_of(path).await?;
            writer = tree.create_file_writer_at(connection.smb(), &at, offset).await;
        }
        let writer = writer.map_err(|error| connection.fault("making a file", &error))?;
        let mut writer = writer.with_write_behind(WriteBehind::Fixed(WRITES_AHEAD));
        loop {
            match source.next().await {
                Ok(Some(block)) => writer.write_chunk(&block).await.map_err(fault)?,
                Ok(None) => break,
                Err(error) => {
                    // Waits until nothing is under way any more: the file may be deleted next.
                    let _ = writer.abort().await;
                    return Err(error);
                }
            }
        }
        // Waits for all writes, then for the server's flush.
        writer.finish().await.map_err(fault)?;
        Ok(())
    }
}

#[async_trait]
impl Files for Smb {
    async fn make_folder(&self, folder: &str) -> Result<(), TargetError> {
        let whole = self.path(folder);
        if whole.is_empty() {
            return Ok(());
        }
        let connection = self.connection().await?;
        if self.is_folder(&connection, &whole).await? {
            return Ok(());
        }
        let ends = whole.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
        for end in ends.chain([whole.len()]) {
            let level = &whole[..end];
            if self.is_folder(&connection, level).await? {
                continue;
            }
            if let Err(error) = connection.tree().create_directory(&mut connection.smb(), level).await {
                // Another writer may have made it in between; if so all is well.
                if !self.is_folder(&connection, level).await? {
                    return Err(connection.fault("making a folder", &error));
                }
            }
        }
        Ok(())
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, TargetError> {
        let connection = self.connection().await?;
        self.size_of(&connection, path).await
    }

    async fn look(&self, _folder: &str, path: &str, unfinished: &str) -> Result<Seen, TargetError> {
        let connection = self.connection().await?;
        let sizes = try_join(self.size_of(&connection, path), self.size_of(&connection, unfinished));
        let (size, left) = sizes.await?;
        Ok(Seen { size, left })
    }

    async fn read(&self, path: &str) -> Result<Reader, TargetError> {
        let gone = || self.server.fault(READING, &refused(NtStatus::OBJECT_NAME_NOT_FOUND));
        self.find(path).await?.map(|(_, reader)| reader).ok_or_else(gone)
    }

    async fn find(&self, path: &str) -> Result<Option<(u64, Reader)>, TargetError> {
        let connection = self.connection().await?;
        match connection.tree().open_file_reader(connection.smb(), &self.path(path)).await {
            Ok(file) => Ok(Some((file.size(), reader::whole(file)))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(connection.fault(READING, &error)),
        }
    }

    async fn entries(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let connection = self.connection().await?;
        match connection.tree().list_directory(&mut connection.smb(), &self.path(folder)).await {
            Ok(entries) => Ok(entries.iter().filter(|entry| !is_dots(entry)).filter_map(listed).collect()),
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            Err(error) => Err(connection.fault("listing a folder", &error)),
        }
    }

    /// Makes the file's folder, too.
    async fn write(&self, path: &str, content: &Content, offset: u64) -> Result<(), TargetError> {
        if offset == 0 && self.write_unseen(path, content).await? {
            return Ok(());
        }
        let connection = self.connection().await?;
        self.write_from(&connection, path, content, offset).await
    }

    /// A file that fits into one message is there before it could have been looked for.
    async fn write_unseen(&self, path: &str, content: &Content) -> Result<bool, TargetError> {
        let connection = self.connection().await?;
        let fits = content.size() <= SMALL.min(connection.smb().compound_write_limit());
        Ok(fits && self.write_small(&connection, path, content).await?)
    }

    async fn publish(&self, from: &str, to: &str) -> Result<Published, TargetError> {
        let connection = self.connection().await?;
        let (from, to) = (self.path(from), self.path(to));
        match rename(&connection.smb(), connection.tree(), &from, &to, Taken::Refuse).await {
            Ok(()) => Ok(Published::Done),
            Err(error) if error.status() == Some(NtStatus::OBJECT_NAME_COLLISION) => Ok(Published::NameTaken),
            Err(error) => Err(connection.fault("giving a file its name", &error)),
        }
    }

    async fn publish_over(&self, from: &str, to: &str) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        let (from, to) = (self.path(from), self.path(to));
        let begun = Instant::now();
        let mut through = Arc::clone(&connection);
        loop {
            match rename(&through.smb(), through.tree(), &from, &to, Taken::Replace).await {
                Ok(()) => return Ok(()),
                Err(error) if is_in_use(&error) && Arc::ptr_eq(&through, &connection) => {
                    // Samba refuses where this very connection has the file open, as to read it.
                    through = Arc::new(self.connect(None).await?);
                }
                // Windows refuses where anybody has it open (MS-FSA 2.1.5.15.11).
                Err(error) if is_in_use(&error) && begun.elapsed() < PATIENCE => sleep(PAUSE).await,
                Err(error) if is_in_use(&error) => return Err(self.server.in_use(&error)),
                Err(error) => return Err(through.fault("giving a file the name of another", &error)),
            }
        }
    }

    async fn delete(&self, path: &str) -> Result<(), TargetError> {
        let connection = self.connection().await?;
        match connection.tree().delete_file(&mut connection.smb(), &self.path(path)).await {
            Err(error) if !is_missing(&error) => Err(connection.fault("removing a file", &error)),
            _ => Ok(()),
        }
    }

    fn unreadable(&self, error: io::Error) -> TargetError {
        match error.downcast::<smb2::Error>() {
            Ok(error) => self.server.fault(READING, &error),
            Err(error) => self.server.fault(READING, &smb2::Error::Io(error)),
        }
    }
}

fn listed(entry: &DirectoryEntry) -> Option<Listed> {
    let kind = if entry.is_directory {
        // A junction could lead round in a circle.
        (!entry.is_link()).then_some(Kind::Folder)?
    } else {
        let modified = entry.modified.to_system_time().and_then(|at| Timestamp::try_from(at).ok());
        Kind::File { size: entry.size, modified }
    };
    Some(Listed { name: entry.name.clone(), kind })
}

/// The folder itself, and the one above it.
fn is_dots(entry: &DirectoryEntry) -> bool {
    matches!(&*entry.name, "." | "..")
}

/// Whether a rename itself was refused, other than opening what is renamed.
fn is_in_use(error: &smb2::Error) -> bool {
    use smb2::{Error::Protocol, types::Command::SetInfo};
    matches!(
        error,
        Protocol { status: NtStatus::ACCESS_DENIED | NtStatus::SHARING_VIOLATION, command: SetInfo }
    )
}

const fn refused(status: NtStatus) -> smb2::Error {
    smb2::Error::Protocol { status, command: smb2::types::Command::Create }
}

fn status<T>(answer: &smb2::Result<T>) -> Option<NtStatus> {
    answer.as_ref().err().and_then(smb2::Error::status)
}

fn is_missing(error: &smb2::Error) -> bool {
    matches!(
        error.status(),
        Some(NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND | NtStatus::NO_SUCH_FILE)
    )
}
