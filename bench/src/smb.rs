//! Bringing files to a share: Callseal beside `smbclient` and `rclone`, to the same Samba server in one
//! run, also over a network with a delay. All of them read the same files.
//!
//! Callseal's time includes what the others leave out: a hash of each file is held against the one it was
//! sealed with, it is on the server's disk, and only then has its name. So the others are timed twice:
//! until they return, and until the server's disk has it all. Callseal signs or encrypts each message;
//! smbclient by itself does neither with a server that leaves it the choice, and is asked to as well.

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, ensure};
use domain::resources::{SmbEncryption, SmbSigning, SmbTarget};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::samba::{PASSWORD, SHARE, Samba};
use targets::{Content, Smb, Target as _};

use crate::files::{Load, Pass, Row, Way};

/// Who brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Callseal,
    CallsealEncrypted,
    Smbclient,
    SmbclientSigned,
    SmbclientEncrypted,
    Rclone,
}

use Client::{Callseal, CallsealEncrypted, Rclone, Smbclient, SmbclientEncrypted, SmbclientSigned};

/// All of them.
const CLIENTS: [Client; 6] =
    [Callseal, CallsealEncrypted, Smbclient, SmbclientSigned, SmbclientEncrypted, Rclone];
/// Over a long way nothing hangs on how fast somebody signs.
const FAR: [Client; 4] = [Callseal, CallsealEncrypted, Smbclient, Rclone];

/// All rounds.
#[derive(Debug)]
pub struct Outcome(Vec<Row<Client>>);

/// Brings each load by each client, `at_once` files at a time where the client can.
///
/// # Errors
/// Samba, smbclient or rclone is missing or fails.
pub async fn run(dir: &Path, loads: &[Load], at_once: usize) -> anyhow::Result<Outcome> {
    let samba = Samba::start(&dir.join("samba")).await?;
    let cable = Way::to(samba.port()).await?;
    let mut rows = Vec::new();
    for load in loads {
        cable.delay(load.delay);
        let from = dir.join("load");
        let contents = load.lay_out(&from)?;
        let bringing =
            Bringing { samba: &samba, port: cable.port(), contents: &contents, from: &from, at_once };
        let clients = if load.delay.is_zero() { &CLIENTS[..] } else { &FAR };
        let mut took: Vec<(Client, Vec<Pass>)> = clients.iter().map(|client| (*client, Vec::new())).collect();
        for _ in 0..load.passes() {
            for (client, passes) in &mut took {
                let begun = Instant::now();
                bringing.by(*client).await.with_context(|| client.to_string())?;
                passes.push(Pass::over(begun, &samba.share())?);
                arrived(&samba.share().join("in"), *load).with_context(|| client.to_string())?;
            }
        }
        eprintln!("{load:?} is done");
        fs::remove_dir_all(&from)?;
        rows.push(Row::new(*load, took));
    }
    Ok(Outcome(rows))
}

/// All of it is there; and makes place for the next.
fn arrived(folder: &Path, load: Load) -> anyhow::Result<()> {
    let lengths = fs::read_dir(folder)?.map(|file| Ok(file?.metadata()?.len()));
    let lengths = lengths.collect::<std::io::Result<Vec<u64>>>()?;
    ensure!(lengths == vec![load.bytes as u64; load.files], "not all files have arrived whole");
    Ok(fs::remove_dir_all(folder)?)
}

/// One load on its way.
struct Bringing<'a> {
    samba: &'a Samba,
    port: u16,
    contents: &'a [(String, Content)],
    from: &'a Path,
    at_once: usize,
}

impl Bringing<'_> {
    async fn by(&self, client: Client) -> anyhow::Result<()> {
        match client {
            Callseal => self.by_callseal(SmbEncryption::Off).await,
            CallsealEncrypted => self.by_callseal(SmbEncryption::Required).await,
            Smbclient => self.by_smbclient(None).await,
            SmbclientSigned => self.by_smbclient(Some("sign")).await,
            SmbclientEncrypted => self.by_smbclient(Some("encrypt")).await,
            Rclone => {
                let obscured = Command::new("rclone").args(["obscure", PASSWORD]).output();
                let obscured = obscured.context("rclone is missing: install Debian's rclone")?.stdout;
                let remote = format!(
                    ":smb,host=127.0.0.1,port={},user={},pass={}:{SHARE}/in",
                    self.port,
                    self.samba.user()?,
                    String::from_utf8(obscured)?.trim()
                );
                let mut rclone = Command::new("rclone");
                rclone.args(["--config", "/dev/null", "--transfers", &self.at_once.to_string(), "copy"]);
                ran(rclone.arg(self.from).arg(remote)).await
            }
        }
    }

    async fn by_callseal(&self, encryption: SmbEncryption) -> anyhow::Result<()> {
        let target = Smb::new(SmbTarget {
            host: "127.0.0.1".into(),
            port: self.port,
            share: SHARE.into(),
            domain: String::new(),
            user: self.samba.user()?,
            password: PASSWORD.into(),
            path: "in".into(),
            signing: SmbSigning::Required,
            encryption,
            tunnel: None,
        });
        let bringing = stream::iter(self.contents).map(Ok::<_, anyhow::Error>);
        let each = |(name, content): &'_ (String, Content)| {
            let (target, name, content) = (&target, name.clone(), content.clone());
            async move { Ok(target.put("", &name, &content).await.map(|_| ())?) }
        };
        bringing.try_for_each_concurrent(self.at_once, each).await
    }

    async fn by_smbclient(&self, protection: Option<&str>) -> anyhow::Result<()> {
        let login = format!("{}%{PASSWORD}", self.samba.user()?);
        let commands = format!("mkdir in; cd in; lcd \"{}\"; prompt OFF; mput *", self.from.display());
        let mut client = Command::new("smbclient");
        client.args(["-s", "/dev/null", "-p", &self.port.to_string(), "-U", &login]);
        client.args(protection.map(|way| format!("--client-protection={way}")));
        ran(client.arg(format!("//127.0.0.1/{SHARE}")).args(["-c", &commands])).await
    }
}

/// Waits for a program without keeping the cable from carrying.
async fn ran(command: &mut Command) -> anyhow::Result<()> {
    let mut running = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let ended = tokio::task::spawn_blocking(move || {
        let error = running.stderr.take().map(std::io::read_to_string).transpose()?;
        anyhow::Ok((running.wait()?, error.unwrap_or_default()))
    });
    let (status, error) = ended.await??;
    ensure!(status.success(), "{error}");
    Ok(())
}

impl Outcome {
    /// Whether Callseal had everything on the server's disk at least as soon as the others, in each round;
    /// what it encrypts, as soon as what another encrypts.
    pub fn is_as_fast(&self) -> bool {
        self.0.iter().all(|row| {
            row.is_as_fast(Callseal, &[Smbclient, Rclone])
                && row.is_as_fast(CallsealEncrypted, &[SmbclientEncrypted])
        })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Callseal => "Callseal, signed",
            CallsealEncrypted => "Callseal, encrypted",
            Smbclient => "smbclient by itself",
            SmbclientSigned => "smbclient, signed",
            SmbclientEncrypted => "smbclient, encrypted",
            Rclone => "rclone",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|row| row.fmt(f))
    }
}
