//! A server by its name, and what can go wrong with it, in words.

use std::fmt;

use domain::resources::SshServer;

use crate::{ErrorKind, InvalidHostKey, SshError};

/// Which server, as sentences name it: "the SFTP server files.example:22", "server 2 of the SSH
/// tunnel (jump.example:22)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The server that serves `what` (a word such as "SFTP").
    pub fn server(what: &str, host: &str, port: u16) -> Self {
        Self(format!("the {what} server {host}:{port}"))
    }

    /// A server of a tunnel, `hop` from 0.
    pub fn hop(hop: usize, server: &SshServer) -> Self {
        Self(format!("server {} of the SSH tunnel ({}:{})", hop + 1, server.host, server.port))
    }

    pub(crate) fn unreachable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SshError {
        let sentence = format!("{self} cannot be reached; check that it runs, and host, port and firewall");
        SshError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    /// Nobody has pinned a key of it.
    pub(crate) fn unpinned(&self) -> SshError {
        let sentence = format!(
            "no host key of {self} is pinned, so nothing was sent to it; `callseal test-target --config DIR NAME` \
             shows its fingerprints: compare them with those of its administrator, then pin by --pin"
        );
        SshError::new(ErrorKind::Incomplete, sentence)
    }

    pub(crate) fn bad_pin(&self, problem: &InvalidHostKey) -> SshError {
        SshError::new(ErrorKind::Incomplete, format!("hostKeys of {self}: {problem}; nothing was sent"))
    }

    pub(crate) fn host_key_changed(&self, shown: &[String], pinned: &[String]) -> SshError {
        let sentence = format!(
            "{self} shows the host key {}, but pinned is {}; nothing was sent. If the server was replaced or got a \
             new key, put the new one into hostKeys, else somebody stands between",
            shown.join(" and "),
            pinned.join(" or "),
        );
        SshError::new(ErrorKind::HostKeyChanged, sentence)
    }

    pub(crate) fn login_refused(&self, method: &str) -> SshError {
        let sentence = format!(
            "{self} refuses the login by {method}; check user name and {method}, and that the server allows this kind \
             of login"
        );
        SshError::new(ErrorKind::LoginRefused, sentence)
    }

    pub(crate) fn unusable_key(&self, cause: &russh::keys::Error) -> SshError {
        let advice = match cause {
            russh::keys::Error::KeyIsEncrypted => "it is encrypted: give its passphrase",
            russh::keys::Error::SshKey(_) | russh::keys::Error::Pad(_) | russh::keys::Error::Unpad(_) => {
                "it is damaged, or its passphrase is wrong"
            }
            _ => "it is not an OpenSSH or PEM private key, or its passphrase is wrong",
        };
        let sentence = format!("the private key for {self} cannot be used: {advice}");
        SshError::new(ErrorKind::LoginRefused, sentence)
    }

    /// A subsystem (SFTP) is not offered.
    pub(crate) fn no_subsystem(&self, name: &str, cause: russh::Error) -> SshError {
        let sentence = format!(
            "{self} takes the login but does not offer {}; switch on its {name} subsystem for this user",
            name.to_uppercase()
        );
        SshError::new(ErrorKind::Denied, sentence).caused_by(cause)
    }

    /// It does not open connections for this login.
    pub(crate) fn forwarding_refused(&self, cause: russh::Error) -> SshError {
        let sentence = format!(
            "{self} takes the login but does not open connections for it; allow it there: AllowTcpForwarding (and \
             PermitOpen, DisableForwarding) in sshd_config, no \"no-port-forwarding\" at the key"
        );
        SshError::new(ErrorKind::Denied, sentence).caused_by(cause)
    }

    /// It was asked to connect to `host` and could not.
    pub(crate) fn cannot_reach(&self, host: &str, port: u16, cause: russh::Error) -> SshError {
        let sentence = format!(
            "{self} cannot reach {host}:{port}; check host and port as they are seen from there, and that it runs"
        );
        SshError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    /// The session with it broke.
    pub(crate) fn lost(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SshError {
        SshError::new(ErrorKind::Unreachable, format!("the connection to {self} broke")).caused_by(cause)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
