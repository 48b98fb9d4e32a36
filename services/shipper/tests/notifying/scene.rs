//! A mail server, a target that goes away, and a shipper that tells of it.

use std::fs;

use harness::{
    mail_sink::{Mail, MailSink, Tls},
    process::Process,
    sshd::Sshd,
};
use tempfile::TempDir;

use crate::world::{World, sftp};

pub const OPERATOR: &str = "ops@pbx.example";
pub const STARTS: &str = "takes no recordings";

/// A mail server, and a shipper's world that has a target on an SFTP server.
pub struct Scene {
    pub world: World,
    pub sink: MailSink,
    pub sshd: Sshd,
    pub target: String,
    _dir: TempDir,
}

impl Scene {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["mail", "sshd"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let sink = MailSink::start(&dir.path().join("mail"), Tls::Off, false).await.unwrap();
        let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
        let target = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
        Self { world: World::new(&target).await, sink, sshd, target, _dir: dir }
    }

    pub fn shipper(&self, further: &[&str]) -> Process {
        let state = format!("sqlite:{}", self.world.path("shipper.sqlite").display());
        self.shipper_on("shipper", &state, further)
    }

    /// Faults are told after a second, and looked at five times a second.
    pub fn shipper_on(&self, name: &str, state: &str, further: &[&str]) -> Process {
        let server = format!("127.0.0.1:{}", self.sink.port());
        let mut flags = operator(&server);
        flags.extend(further);
        self.world.shipper_on(name, state, &flags)
    }

    /// Waits for the first mail whose subject holds `what`, and returns all until then.
    pub async fn mails_until(&self, what: &str) -> Vec<Mail> {
        self.sink.until(what).await.unwrap()
    }
}

pub fn operator(server: &str) -> Vec<&str> {
    let mut flags = vec!["--operator-mail-to", OPERATOR, "--operator-smtp-tls", "off"];
    flags.extend(["--operator-smtp", server, "--notify-after", "1", "--notify-every", "0.2"]);
    flags
}

pub fn count(mails: &[Mail], what: &str) -> usize {
    mails.iter().filter(|mail| mail.field("subject").contains(what)).count()
}

/// How many of those mails are told apart by their Message-ID.
pub fn apart(mails: &[Mail], what: &str) -> usize {
    let found = mails.iter().filter(|mail| mail.field("subject").contains(what));
    found.map(|mail| mail.field("messageId")).collect::<std::collections::BTreeSet<_>>().len()
}
