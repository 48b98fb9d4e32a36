//! The SFTP target against a real OpenSSH server.

#[path = "../content/mod.rs"]
mod content;
mod faults;
mod files;
mod login;
mod requests;
mod tunnel;

use std::path::Path;

use domain::resources::{SftpTarget, SshAuth, SshServer};
use harness::sshd::Sshd;
use targets::Sftp;

fn described(sshd: &Sshd, path: &str) -> SftpTarget {
    let server = SshServer {
        host: "127.0.0.1".into(),
        port: sshd.port(),
        user: sshd.user().unwrap(),
        auth: SshAuth::Key { private_key: sshd.client_key().unwrap().into(), passphrase: None },
        host_keys: vec![sshd.host_key("ed25519").unwrap()],
    };
    SftpTarget { server, tunnel: None, path: path.into() }
}

/// The target with something changed about its server.
fn with(mut target: SftpTarget, change: impl FnOnce(&mut SshServer)) -> Sftp {
    change(&mut target.server);
    Sftp::new(target)
}

async fn server(dir: &Path) -> Sshd {
    Sshd::start(dir).await.unwrap()
}
