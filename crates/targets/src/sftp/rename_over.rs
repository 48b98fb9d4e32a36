//! Renaming over another file in one step: OpenSSH's extension `posix-rename@openssh.com`.
//!
//! The session that reads and writes files does not offer it, so it goes over a second channel of the
//! same connection, made when it is first needed.

use russh_sftp::{
    client::{RawSftpSession, error::Error as SftpError},
    extensions::HardlinkExtension,
    protocol::{Packet, StatusCode},
};

use tunnel::Session;

const NAME: &str = "posix-rename@openssh.com";

pub(super) struct RenameOver(RawSftpSession);

impl RenameOver {
    /// `None` if the server does not offer it, or no second channel.
    pub(super) async fn open(ssh: &Session) -> Option<Self> {
        let opened = async {
            let session = RawSftpSession::new(ssh.subsystem("sftp").await.ok()?);
            let version = session.init().await.ok()?;
            version.extensions.get(NAME).is_some_and(|version| version == "1").then_some(Self(session))
        };
        let opened = opened.await;
        if opened.is_none() {
            tracing::debug!("the SFTP server cannot rename over a file; files are removed before");
        }
        opened
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<(), SftpError> {
        // Two strings, as that of a hard link.
        let names = HardlinkExtension { oldpath: from.to_owned(), newpath: to.to_owned() };
        let names: Vec<u8> = names.try_into()?;
        match self.0.extended(NAME, names).await? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(SftpError::Status(status)),
            _ => Err(SftpError::UnexpectedPacket),
        }
    }
}
