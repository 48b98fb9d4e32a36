//! Bringing files to a share: Callseal beside `smbclient` and `rclone`, to the same Samba server in one
//! run, also over a network with a delay.
//!
//! Callseal's time includes what the others leave out: each file is on the server's disk, and only then has
//! its name. So the others are timed twice: until they return, and until the server's disk has it all.

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use domain::resources::{SmbEncryption, SmbSigning, SmbTarget};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::{
    cable::Cable,
    samba::{PASSWORD, SHARE, Samba},
};
use targets::{Content, Smb, Target as _};

use crate::sftp::Load;

/// Who brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Callseal,
    CallsealEncrypted,
    Smbclient,
    Rclone,
}

const CLIENTS: [Client; 4] = [Client::Callseal, Client::CallsealEncrypted, Client::Smbclient, Client::Rclone];

/// How long it took somebody.
#[derive(Debug, Clone, Copy)]
struct Took {
    client: Client,
    /// Until it returned.
    returned: Duration,
    /// Until the server's file system was synced.
    durable: Duration,
}

/// How long it took everybody.
#[derive(Debug)]
struct Round {
    load: Load,
    took: Vec<Took>,
}

/// All rounds.
#[derive(Debug)]
pub struct Outcome(Vec<Round>);

/// Brings each load by each client, `at_once` files at a time where the client can.
///
/// # Errors
/// Samba, smbclient or rclone is missing or fails.
pub async fn run(dir: &Path, loads: &[Load], at_once: usize) -> anyhow::Result<Outcome> {
    let samba = Samba::start(&dir.join("samba")).await?;
    let cable = Cable::to(samba.port()).await?;
    let mut rounds = Vec::new();
    for load in loads {
        cable.delay(load.delay);
        let from = dir.join("load");
        lay_out(&from, *load)?;
        let bringing = Bringing { samba: &samba, port: cable.port(), load: *load, from: &from, at_once };
        let mut took = Vec::new();
        for client in CLIENTS {
            let mut passes = Vec::new();
            for _ in 0..load.passes() {
                let begun = Instant::now();
                bringing.by(client).await.with_context(|| client.to_string())?;
                let returned = begun.elapsed();
                sync(&samba.share())?;
                passes.push(Took { client, returned, durable: begun.elapsed() });
                arrived(&samba.share().join("in"), *load).with_context(|| client.to_string())?;
            }
            passes.sort_by_key(|pass| pass.durable);
            took.push(passes[passes.len() / 2]);
        }
        fs::remove_dir_all(&from)?;
        rounds.push(Round { load: *load, took });
    }
    Ok(Outcome(rounds))
}

/// Waits until everything that was written to the file system of `folder` is on its disk.
pub(crate) fn sync(folder: &Path) -> anyhow::Result<()> {
    let synced = Command::new("sync").arg("-f").arg(folder).status()?;
    ensure!(synced.success(), "sync -f fails");
    Ok(())
}

/// The files as the other clients read them.
fn lay_out(folder: &Path, load: Load) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let bytes = bytes(load.bytes);
    (0..load.files).try_for_each(|number| fs::write(folder.join(name(number)), &bytes))?;
    Ok(())
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn name(number: usize) -> String {
    format!("{number}.wav")
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
    load: Load,
    from: &'a Path,
    at_once: usize,
}

impl Bringing<'_> {
    async fn by(&self, client: Client) -> anyhow::Result<()> {
        match client {
            Client::Callseal => self.by_callseal(SmbEncryption::Off).await,
            Client::CallsealEncrypted => self.by_callseal(SmbEncryption::Required).await,
            Client::Smbclient => {
                let login = format!("{}%{PASSWORD}", self.samba.user()?);
                let commands =
                    format!("mkdir in; cd in; lcd \"{}\"; prompt OFF; mput *", self.from.display());
                let mut client = Command::new("smbclient");
                client.args(["-s", "/dev/null", "-p", &self.port.to_string(), "-U", &login]);
                ran(client.arg(format!("//127.0.0.1/{SHARE}")).args(["-c", &commands])).await
            }
            Client::Rclone => {
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
        let content = Content::from_bytes(bytes(self.load.bytes));
        let bringing = stream::iter(0..self.load.files).map(|number| {
            let (target, content) = (&target, &content);
            async move { target.put("", &name(number), content).await.map(|_| ()) }
        });
        Ok(bringing.buffer_unordered(self.at_once).try_collect().await?)
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
    /// Whether Callseal had everything on the server's disk at least as soon as the others, in each round.
    pub fn is_as_fast(&self) -> bool {
        self.0.iter().all(|round| {
            let of = |client| round.took.iter().find(|took| took.client == client).map(|took| took.durable);
            of(Client::Callseal) <= of(Client::Smbclient).min(of(Client::Rclone))
        })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Callseal => "Callseal, signed",
            Self::CallsealEncrypted => "Callseal, encrypted",
            Self::Smbclient => "smbclient",
            Self::Rclone => "rclone",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for round in &self.0 {
            let Load { files, bytes, delay } = round.load;
            writeln!(f, "{files} × {} kB, {delay:?} added to each round trip", bytes / 1000)?;
            for Took { client, returned, durable } in &round.took {
                let rate = (files * bytes) as f64 / 1e6 / durable.as_secs_f64();
                let (returned, durable) = (returned.as_secs_f64(), durable.as_secs_f64());
                writeln!(f, "  {client:<20} {returned:>8.2} s, durable {durable:>8.2} s {rate:>8.1} MB/s")?;
            }
        }
        Ok(())
    }
}
