//! What can go wrong with an SFTP server, in words.

use std::io;

use russh_sftp::{client::error::Error as SftpError, protocol::StatusCode};

use crate::{ErrorKind, TargetError};

/// A server by its name, for texts.
#[derive(Debug, Clone)]
pub(super) struct Server(String);

impl Server {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self(format!("{host}:{port}"))
    }

    pub(super) fn unreachable(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> TargetError {
        let sentence = format!(
            "the SFTP server {} cannot be reached; check that it runs, and host, port and firewall",
            self.0
        );
        TargetError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    pub(super) fn connection_lost(&self, doing: &str, cause: SftpError) -> TargetError {
        let sentence = format!("the connection to the SFTP server {} broke while {doing}", self.0);
        TargetError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    pub(super) fn login_refused(&self, method: &str) -> TargetError {
        let sentence = format!(
            "the SFTP server {} refuses the login by {method}; check user name and {method}, and that the server allows this kind of login",
            self.0
        );
        TargetError::new(ErrorKind::LoginRefused, sentence)
    }

    pub(super) fn unusable_key(&self, cause: russh::keys::Error) -> TargetError {
        let advice = match cause {
            russh::keys::Error::KeyIsEncrypted => "it is encrypted: give its passphrase",
            russh::keys::Error::SshKey(_) | russh::keys::Error::Pad(_) | russh::keys::Error::Unpad(_) => {
                "it is damaged, or its passphrase is wrong"
            }
            _ => "it is not an OpenSSH or PEM private key, or its passphrase is wrong",
        };
        TargetError::new(
            ErrorKind::LoginRefused,
            format!("the private key for the SFTP server {} cannot be used: {advice}", self.0),
        )
    }

    pub(super) fn host_key_changed(&self, shown: &[String], pinned: &[String]) -> TargetError {
        let sentence = format!(
            "the SFTP server {} shows the host key {}, but pinned is {}; nothing was sent. If the server was replaced or got a new key, \
             put the new one into hostKeys, else somebody stands between",
            self.0,
            shown.join(" and "),
            pinned.join(" or "),
        );
        TargetError::new(ErrorKind::HostKeyChanged, sentence)
    }

    pub(super) fn bad_pin(&self, problem: &super::InvalidHostKey) -> TargetError {
        TargetError::new(
            ErrorKind::HostKeyChanged,
            format!("hostKeys of the SFTP server {}: {problem}", self.0),
        )
    }

    pub(super) fn no_sftp(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TargetError {
        let sentence = format!(
            "the SFTP server {} takes the login but does not offer SFTP; switch on its sftp subsystem for this user",
            self.0
        );
        TargetError::new(ErrorKind::Denied, sentence).caused_by(cause)
    }

    pub(super) fn full(&self) -> TargetError {
        TargetError::new(
            ErrorKind::Full,
            format!(
                "the disk of the SFTP server {} is full, or the user's quota is used up; make space",
                self.0
            ),
        )
    }

    pub(super) fn fault(&self, doing: &str, error: SftpError) -> TargetError {
        let SftpError::Status(status) = error else { return self.connection_lost(doing, error) };
        let server = &self.0;
        match status.status_code {
            StatusCode::PermissionDenied => TargetError::new(
                ErrorKind::Denied,
                format!(
                    "the SFTP server {server} denies {doing}; check the rights of the user in the target's folder"
                ),
            ),
            StatusCode::NoConnection | StatusCode::ConnectionLost => {
                self.connection_lost(doing, SftpError::Status(status))
            }
            StatusCode::NoSuchFile => TargetError::new(
                ErrorKind::Io,
                format!(
                    "{doing} on the SFTP server {server} failed: it is gone, somebody else works in the folder"
                ),
            ),
            // A server's own message may repeat the path, and with it numbers.
            code => TargetError::new(
                ErrorKind::Io,
                format!("{doing} on the SFTP server {server} failed: it says \"{code}\""),
            ),
        }
    }

    pub(super) fn io_fault(&self, doing: &str, error: io::Error) -> TargetError {
        match error.downcast::<SftpError>() {
            Ok(error) => self.fault(doing, error),
            // russh-sftp keeps only the text of a refused write or read.
            Err(error) if error.to_string().eq_ignore_ascii_case("permission denied") => TargetError::new(
                ErrorKind::Denied,
                format!("the SFTP server {} denies {doing}; check the rights of the user", self.0),
            ),
            Err(_) => {
                TargetError::new(ErrorKind::Io, format!("{doing} on the SFTP server {} failed", self.0))
            }
        }
    }
}
