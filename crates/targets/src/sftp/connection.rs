//! One SSH connection with SFTP on it.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use domain::resources::SshServer;
use russh_sftp::client::{Config, SftpSession, error::Error as SftpError};
use tokio::sync::OnceCell;
use tunnel::{Session, Tunnel};

use super::{fault::Server, rename_over::RenameOver};
use crate::{ErrorKind, TargetError};

/// A server that does not answer a request for so long is away. A slow disk's fsync fits in.
const REQUEST_TIMEOUT_SECS: u64 = 60;
/// Writes under way at once: at 30 ms round trip 64 of them give 38 MB/s, one gives 1.
const CONCURRENT: usize = 64;

pub(super) struct Connection {
    sftp: SftpSession,
    ssh: Session,
    server: Server,
    broken: AtomicBool,
    /// `None` inside: the server does not know how.
    rename_over: OnceCell<Option<RenameOver>>,
}

impl Connection {
    pub(super) async fn open(
        target: &SshServer,
        server: &Server,
        via: Option<&Tunnel>,
    ) -> Result<Self, TargetError> {
        let ssh = Session::connect(target, server.place(), via).await?;
        let sftp = start_sftp(&ssh, server).await?;
        Ok(Self {
            sftp,
            ssh,
            server: server.clone(),
            broken: AtomicBool::new(false),
            rename_over: OnceCell::new(),
        })
    }

    pub(super) const fn sftp(&self) -> &SftpSession {
        &self.sftp
    }

    /// Renames over a file that has the new name; `None` if the server cannot do that in one step.
    pub(super) async fn rename_over(&self, from: &str, to: &str) -> Option<Result<(), SftpError>> {
        let renaming = self.rename_over.get_or_init(|| RenameOver::open(&self.ssh)).await;
        Some(renaming.as_ref()?.rename(from, to).await)
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && self.ssh.is_usable()
    }

    pub(super) fn fault(&self, doing: &str, error: SftpError) -> TargetError {
        self.remember(self.server.fault(doing, error))
    }

    pub(super) fn io_fault(&self, doing: &str, error: io::Error) -> TargetError {
        self.remember(self.server.io_fault(doing, error))
    }

    /// A connection that failed once is not used again.
    fn remember(&self, error: TargetError) -> TargetError {
        if error.kind() == ErrorKind::Unreachable {
            self.broken.store(true, Ordering::Relaxed);
        }
        error
    }
}

async fn start_sftp(ssh: &Session, server: &Server) -> Result<SftpSession, TargetError> {
    let config = Config {
        max_concurrent_reads: CONCURRENT,
        max_concurrent_writes: CONCURRENT,
        request_timeout_secs: REQUEST_TIMEOUT_SECS,
        ..Config::default()
    };
    let channel = ssh.subsystem("sftp").await?;
    SftpSession::new_with_config(channel, config).await.map_err(|error| server.no_sftp(error))
}
