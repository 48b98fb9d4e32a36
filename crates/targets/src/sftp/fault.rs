//! What can go wrong with an SFTP server, in words.

use std::io;

use russh_sftp::{client::error::Error as SftpError, protocol::StatusCode};
use tunnel::Place;

use crate::{ErrorKind, TargetError};

/// A server by its name, for texts.
#[derive(Debug, Clone)]
pub(super) struct Server(Place);

impl Server {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self(Place::server("SFTP", host, port))
    }

    pub(super) const fn place(&self) -> &Place {
        &self.0
    }

    pub(super) fn no_sftp(&self, cause: SftpError) -> TargetError {
        let sentence =
            format!("{} takes the login but does not speak SFTP; check its sftp subsystem", self.0);
        TargetError::new(ErrorKind::Denied, sentence).caused_by(cause)
    }

    pub(super) fn connection_lost(&self, doing: &str, cause: SftpError) -> TargetError {
        let sentence = format!("the connection to {} broke while {doing}", self.0);
        TargetError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    pub(super) fn gone(&self, doing: &str) -> TargetError {
        let sentence = format!("{doing} on {} failed: it is gone, somebody else works in the folder", self.0);
        TargetError::new(ErrorKind::Io, sentence)
    }

    pub(super) fn full(&self) -> TargetError {
        TargetError::new(
            ErrorKind::Full,
            format!("the disk of {} is full, or the user's quota is used up; make space", self.0),
        )
    }

    pub(super) fn fault(&self, doing: &str, error: SftpError) -> TargetError {
        let SftpError::Status(status) = error else { return self.connection_lost(doing, error) };
        let server = &self.0;
        match status.status_code {
            StatusCode::PermissionDenied => TargetError::new(
                ErrorKind::Denied,
                format!("{server} denies {doing}; check the rights of the user in the target's folder"),
            ),
            StatusCode::NoConnection | StatusCode::ConnectionLost => {
                self.connection_lost(doing, SftpError::Status(status))
            }
            StatusCode::NoSuchFile => TargetError::new(
                ErrorKind::Io,
                format!("{doing} on {server} failed: it is gone, somebody else works in the folder"),
            ),
            // A server's own message may repeat the path, and with it numbers.
            code => {
                TargetError::new(ErrorKind::Io, format!("{doing} on {server} failed: it says \"{code}\""))
            }
        }
    }

    pub(super) fn io_fault(&self, doing: &str, error: io::Error) -> TargetError {
        match error.downcast::<SftpError>() {
            Ok(error) => self.fault(doing, error),
            Err(error) => {
                TargetError::new(ErrorKind::Io, format!("{doing} on {} failed", self.0)).caused_by(error)
            }
        }
    }
}
