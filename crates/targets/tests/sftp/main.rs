//! The SFTP target against a real OpenSSH server.

#[path = "../content/mod.rs"]
mod content;
mod faults;
mod files;
mod login;
mod requests;
mod tunnel;

use std::path::Path;

use domain::resources::{SftpTarget, SshServer};
use harness::sshd::Sshd;
use targets::Sftp;

fn described(sshd: &Sshd, path: &str) -> SftpTarget {
    SftpTarget { server: sshd.described().unwrap(), tunnel: None, path: path.into() }
}

/// The target with something changed about its server.
fn with(mut target: SftpTarget, change: impl FnOnce(&mut SshServer)) -> Sftp {
    change(&mut target.server);
    Sftp::new(target)
}

async fn server(dir: &Path) -> Sshd {
    Sshd::start(dir).await.unwrap()
}
