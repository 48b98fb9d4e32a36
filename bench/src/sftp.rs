//! SFTP beside `sftp` and `rclone`: one large file, and many small ones, also over a long way. All of
//! them bring the same files to the same server over the same cable, in turns. Callseal holds each file
//! against its hash and has the server sync it, which the others leave out.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, ensure};
use domain::resources::{SftpTarget, SshAuth, SshServer};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::sshd::Sshd;
use targets::{Content, Sftp, Target as _};

use crate::files::{Load, Pass, Row, Way};

/// Written, synced, renamed.
const OWN: &str = "Callseal";
/// And all of it read back.
const OWN_VERIFIED: &str = "  and read back";
const SFTP: &str = "sftp";
const RCLONE: &str = "rclone";
const RCLONE_AS_MANY: &str = "rclone, as many";

/// All rows.
#[derive(Debug)]
pub struct Outcome(Vec<Row<&'static str>>);

impl Outcome {
    /// No other program had everything on the server's disk sooner.
    pub fn is_fast_enough(&self) -> bool {
        self.0.iter().all(|row| row.is_as_fast(OWN, &[SFTP, RCLONE, RCLONE_AS_MANY]))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|row| row.fmt(f))
    }
}

/// Brings each load by each program; `at_once` files at a time where the program can.
///
/// # Errors
/// A program is missing, or failed.
pub async fn run(dir: &Path, loads: &[Load], at_once: usize) -> anyhow::Result<Outcome> {
    let mut sshd = Sshd::start(&dir.join("sshd")).await?;
    sshd.stop()?;
    sshd.settings.push("MaxStartups 100".into());
    sshd.start_again().await?;
    let cable = Way::to(sshd.port()).await?;
    let mut rows = Vec::new();
    for (number, load) in loads.iter().enumerate() {
        let from = dir.join(format!("load-{number}"));
        let contents = load.lay_out(&from)?;
        cable.delay(load.delay);
        let mut took = [OWN, OWN_VERIFIED, SFTP, RCLONE, RCLONE_AS_MANY].map(|who| (who, Vec::new()));
        for pass in 0..load.passes() {
            for (who, passes) in &mut took {
                let into = format!("{number}-{pass}-{}", who.trim().replace([' ', ','], "-"));
                let bringing = Bringing { dir, sshd: &sshd, port: cable.port(), from: &from, into };
                let begun = Instant::now();
                match *who {
                    OWN => bringing.own(&contents, at_once, false).await?,
                    OWN_VERIFIED => bringing.own(&contents, at_once, true).await?,
                    SFTP => ran(who, bringing.sftp()?).await?,
                    RCLONE => ran(who, bringing.rclone(4)?).await?,
                    _ => ran(who, bringing.rclone(at_once)?).await?,
                }
                passes.push(Pass::over(begun, &sshd.home())?);
                fs::remove_dir_all(sshd.home().join(&bringing.into))?;
            }
        }
        eprintln!("{load:?} is done");
        rows.push(Row::new(*load, took.into()));
        fs::remove_dir_all(&from)?;
    }
    Ok(Outcome(rows))
}

/// One load on its way into a folder of its own.
struct Bringing<'a> {
    dir: &'a Path,
    sshd: &'a Sshd,
    port: u16,
    from: &'a Path,
    into: String,
}

impl Bringing<'_> {
    async fn own(&self, contents: &[(String, Content)], at_once: usize, verify: bool) -> anyhow::Result<()> {
        let server = SshServer {
            host: "127.0.0.1".into(),
            port: self.port,
            user: self.sshd.user()?,
            auth: SshAuth::Key { private_key: self.sshd.client_key()?.into(), passphrase: None },
            host_keys: vec![self.sshd.host_key("ed25519")?],
        };
        let target = Sftp::new(SftpTarget { server, tunnel: None, path: self.into.clone() });
        let all = stream::iter(contents).map(Ok::<_, anyhow::Error>);
        all.try_for_each_concurrent(at_once, |(name, content)| {
            let target = &target;
            async move {
                target.put("2026/11", name, content).await?;
                if verify {
                    target.verify("2026/11", name, content.size(), content.sha256()).await?;
                }
                Ok(())
            }
        })
        .await
    }

    fn key_file(&self) -> PathBuf {
        self.dir.join("sshd/client")
    }

    fn sftp(&self) -> anyhow::Result<Command> {
        let batch = self.dir.join("batch");
        fs::write(&batch, format!("mkdir {0}\nput {1}/* {0}/\n", self.into, self.from.display()))?;
        let mut sftp = Command::new("sftp");
        sftp.args(["-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-P", &self.port.to_string(), "-i"])
            .arg(self.key_file())
            .arg("-b")
            .arg(batch)
            .arg(format!("{}@127.0.0.1", self.sshd.user()?));
        Ok(sftp)
    }

    fn rclone(&self, at_once: usize) -> anyhow::Result<Command> {
        let remote = format!(
            ":sftp,host=127.0.0.1,port={},user={},key_file={}:{}",
            self.port,
            self.sshd.user()?,
            self.key_file().display(),
            self.into
        );
        let mut rclone = Command::new("rclone");
        rclone.env("RCLONE_CONFIG", self.dir.join("no-rclone.conf")).arg("copy").arg(self.from).arg(remote);
        // Without it, rclone has a shell on the server compute a hash of each file, which takes far longer.
        rclone.args(["--sftp-disable-hashcheck", "--transfers", &at_once.to_string()]);
        Ok(rclone)
    }
}

async fn ran(who: &str, mut command: Command) -> anyhow::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || command.output()).await?;
    let ended =
        ended.with_context(|| format!("{who} is missing: install Debian's openssh-client and rclone"))?;
    ensure!(ended.status.success(), "{who} failed: {}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}
