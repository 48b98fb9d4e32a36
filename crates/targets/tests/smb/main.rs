//! The SMB target against a real Samba server.

#[path = "../content/mod.rs"]
#[allow(dead_code, reason = "not every kind of target needs all of it")]
mod content;
mod faults;
mod refused;
mod security;
mod storing;
mod tap;
mod tunnel;

use std::path::Path;

use domain::resources::{SmbEncryption, SmbSigning, SmbTarget};
use harness::samba::{PASSWORD, SHARE, Samba};
use smb2::SmbClient;
use targets::{Smb, Target, TargetError};

fn described(samba: &Samba) -> SmbTarget {
    SmbTarget {
        host: "127.0.0.1".into(),
        port: samba.port(),
        share: SHARE.into(),
        domain: String::new(),
        user: samba.user().unwrap(),
        password: PASSWORD.into(),
        path: String::new(),
        signing: SmbSigning::Required,
        encryption: SmbEncryption::Offered,
        tunnel: None,
    }
}

/// The target with something changed about it.
fn with(mut target: SmbTarget, change: impl FnOnce(&mut SmbTarget)) -> Smb {
    change(&mut target);
    Smb::new(target)
}

async fn server(dir: &Path) -> Samba {
    Samba::start(dir).await.unwrap()
}

async fn refusal(target: &Smb) -> TargetError {
    let error = target.test().await.expect_err("must be refused");
    assert!(!error.to_string().contains(PASSWORD));
    error
}

/// Another machine's session.
async fn another_client(samba: &Samba) -> SmbClient {
    let address = format!("127.0.0.1:{}", samba.port());
    smb2::connect(&address, &samba.user().unwrap(), PASSWORD).await.unwrap()
}
