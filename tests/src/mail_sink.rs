//! A mail server that keeps what it gets: aiosmtpd.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{loopback_tls, ports, process::Process, programs, wait};

/// The one login, where one is needed.
pub const USER: &str = "callseal";
/// Its password.
pub const PASSWORD: &str = "hunter2 with spaces";

/// A mail server on loopback. It takes mails for everybody until it is told otherwise.
#[derive(Debug)]
pub struct MailSink {
    port: u16,
    dir: PathBuf,
    _process: Process,
}

/// How connections to a [`MailSink`] are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte on.
    Required,
    /// By STARTTLS.
    StartTls,
    /// Not at all.
    Off,
}

/// A mail that came, as Python's parser reads it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its envelope, headers, text and attachments' names.
    pub told: Value,
}

impl MailSink {
    /// Starts it on a free port, its mails in `dir`; with `login` it takes nothing from strangers.
    ///
    /// # Errors
    /// aiosmtpd is missing or does not come up.
    pub async fn start(dir: &Path, tls: Tls, login: bool) -> anyhow::Result<Self> {
        let modules = programs::workspace().join(".tools/aiosmtpd");
        ensure!(modules.is_dir(), "aiosmtpd is missing: scripts/install-tools.sh test installs it");
        loopback_tls::server_config(dir)?;
        let port = ports::claim()?;
        let tls = match tls {
            Tls::Required => "required",
            Tls::StartTls => "startTls",
            Tls::Off => "off",
        };
        let mut command = Command::new("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", modules);
        command.arg(programs::workspace().join("tests/mail_sink/sink.py"));
        command.arg(port.to_string()).arg(dir).arg(tls);
        if login {
            command.args([USER, PASSWORD]);
        }
        fs::write(dir.join("orders.json"), "{}")?;
        let process = Process::start("aiosmtpd", dir, &mut command)?;
        let connected = wait::until("the mail server", Duration::from_secs(60), async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        });
        connected.await.with_context(|| process.output())?;
        Ok(Self { port, dir: dir.to_owned(), _process: process })
    }

    /// Where it listens on 127.0.0.1, which is what its certificate is for.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that made the server's, as PEM text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn ca_certificate(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.join("ca.pem"))?)
    }

    /// How it behaves from now on; `{}`: it takes everything. `sender` and `data` are refusals
    /// (`"451 later"`), `subjects` are refusals by a part of the subject, `recipients` by address, `size` is
    /// the most bytes of a mail, and `cut` breaks the connection `within` a mail or `after` it was kept, before that is said; with `hold: true`
    /// a mail is kept, and that is not said as long as it holds.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn behave(&self, orders: &Value) -> anyhow::Result<()> {
        let beside = self.dir.join("orders.json.new");
        fs::write(&beside, orders.to_string())?;
        fs::rename(beside, self.dir.join("orders.json"))?;
        Ok(())
    }

    /// What came, in its order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn mails(&self) -> anyhow::Result<Vec<Mail>> {
        let mut mails = Vec::new();
        for number in 1.. {
            let path = self.dir.join("mails").join(format!("{number}.json"));
            if !path.exists() {
                break;
            }
            mails.push(Mail { told: serde_json::from_slice(&fs::read(path)?)? });
        }
        Ok(mails)
    }

    /// Waits until a mail came whose subject holds `what`, and returns all until then.
    ///
    /// # Errors
    /// None comes within a minute.
    pub async fn until(&self, what: &str) -> anyhow::Result<Vec<Mail>> {
        wait::until(&format!("a mail: {what}"), Duration::from_secs(60), async || {
            self.mails().ok().filter(|mails| mails.iter().any(|mail| mail.is_about(what)))
        })
        .await
    }

    /// The first mail whose subject holds `what`, waited for.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn about(&self, what: &str) -> anyhow::Result<Mail> {
        let mails = self.until(what).await?;
        mails.into_iter().find(|mail| mail.is_about(what)).context("it was there a moment ago")
    }

    /// Waits until so many mails came, and returns all.
    ///
    /// # Errors
    /// They do not come within a minute.
    pub async fn wait_for(&self, count: usize) -> anyhow::Result<Vec<Mail>> {
        wait::until("mails", Duration::from_secs(60), async || {
            self.mails().ok().filter(|mails| mails.len() >= count)
        })
        .await
    }
}

impl Mail {
    /// A text field: `from`, `subject`, `messageId`, `text`, `user`; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap_or_default()
    }

    /// Whether its subject holds `what`.
    pub fn is_about(&self, what: &str) -> bool {
        self.field("subject").contains(what)
    }

    /// For whom the server took it.
    pub fn to(&self) -> Vec<&str> {
        self.told["to"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What is attached: name, type and bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn attachments(&self) -> anyhow::Result<Vec<(String, String, Vec<u8>)>> {
        let mut found = Vec::new();
        for part in self.told["attachments"].as_array().into_iter().flatten() {
            let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
            found.push((text("name"), text("type"), fs::read(text("path"))?));
        }
        Ok(found)
    }
}
