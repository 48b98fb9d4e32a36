//! `StorageTarget`: where sealed recordings are brought to.

use std::path::PathBuf;

use crate::{ResourceName, Sensitive};

/// A validated `StorageTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageTarget {
    /// Its name.
    pub name: ResourceName,
    /// Sub-folder template: static parts and `$Y $M $D $h $m $s`, `/` between levels (F-73).
    pub sub_folder: String,
    /// Kind and access.
    pub kind: StorageKind,
}

/// The kinds of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageKind {
    /// A folder of this machine.
    Folder(FolderTarget),
    /// An SFTP server.
    Sftp(SftpTarget),
}

/// A local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTarget {
    /// The folder; made when missing.
    pub path: PathBuf,
}

/// An SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpTarget {
    /// Host name or address.
    pub host: String,
    /// TCP port, 22 by default.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// How to log in.
    pub auth: SftpAuth,
    /// Accepted host keys, each an OpenSSH public key line (`ssh-ed25519 AAAA…`) or a fingerprint
    /// (`SHA256:…`). Never empty: an unknown server is refused.
    pub host_keys: Vec<String>,
    /// Folder on the server; relative paths start at the login's home.
    pub path: String,
}

/// How to log in to an SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SftpAuth {
    /// By password.
    Password(Sensitive<String>),
    /// By private key (OpenSSH or PEM text), with its passphrase if it has one.
    Key {
        /// The key's text.
        private_key: Sensitive<String>,
        /// Its passphrase.
        passphrase: Option<Sensitive<String>>,
    },
}
