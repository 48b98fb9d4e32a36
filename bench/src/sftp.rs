//! SFTP beside `sftp` and `rclone`: one large file, and many small ones, also over a long way. All of
//! them bring the same files to the same server over the same cable, one after the other.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use domain::resources::{SftpTarget, SshAuth, SshServer};
use futures::{StreamExt, TryStreamExt, stream};
use harness::{cable::Cable, sshd::Sshd};
use targets::{Content, Reader, Sftp, Source, Target};
use tokio::io::AsyncSeekExt;

use crate::smb::sync;

/// What is brought.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many files.
    pub files: usize,
    /// Their length, bytes.
    pub bytes: usize,
    /// What the way adds to a round trip.
    pub delay: Duration,
}

impl Load {
    /// 200 MB in one file and in a thousand, here and `delay` milliseconds away.
    pub fn usual(delay: u64) -> Vec<Self> {
        let ways = [Duration::ZERO, Duration::from_millis(delay)];
        let sizes = [(1, 200_000_000), (1000, 200_000)];
        ways.into_iter().flat_map(|delay| sizes.map(|(files, bytes)| Self { files, bytes, delay })).collect()
    }

    /// How often each program brings it; the middle one counts. Over a long way, where some take
    /// minutes and chance counts for little, once.
    pub(crate) fn passes(&self) -> usize {
        if self.delay.is_zero() { 3 } else { 1 }
    }
}

/// How long each of them took.
#[derive(Debug)]
pub struct Row {
    load: Load,
    took: Vec<Took>,
}

/// How long one of them took.
#[derive(Debug, Clone, Copy)]
struct Took {
    who: &'static str,
    /// Until it returned.
    returned: Duration,
    /// Until the server's file system was synced.
    durable: Duration,
}

/// Written, synced, renamed.
const OWN: &str = "callseal";
/// And all of it read back.
const OWN_VERIFIED: &str = "  and read back";

/// All rows.
#[derive(Debug)]
pub struct Outcome(Vec<Row>);

impl Outcome {
    /// No other program had everything on the server's disk sooner.
    pub fn is_fast_enough(&self) -> bool {
        self.0.iter().all(|row| {
            let own = row.took.iter().find(|took| took.who == OWN).map(|took| took.durable);
            let mut others = row.took.iter().filter(|took| took.who != OWN_VERIFIED);
            others.all(|other| own <= Some(other.durable))
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            let Load { files, bytes, delay } = row.load;
            writeln!(f, "{files} × {} kB, {delay:?} added to each round trip", bytes / 1000)?;
            for Took { who, returned, durable } in &row.took {
                let rate = (files * bytes) as f64 / 1e6 / durable.as_secs_f64();
                let (returned, durable) = (returned.as_secs_f64(), durable.as_secs_f64());
                writeln!(f, "  {who:<20} {returned:>8.2} s, durable {durable:>8.2} s {rate:>8.1} MB/s")?;
            }
        }
        Ok(())
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
    let cable = Cable::to(sshd.port()).await?;
    let mut rows = Vec::new();
    for (number, load) in loads.iter().enumerate() {
        let from = dir.join(format!("load-{number}"));
        let contents = make(&from, *load)?;
        cable.delay(load.delay);
        let mut took = Vec::new();
        for who in [OWN, OWN_VERIFIED, "sftp", "rclone", "rclone, as many"] {
            let mut passes = Vec::new();
            for pass in 0..load.passes() {
                let into = format!("{number}-{pass}-{}", who.trim().replace([' ', ','], "-"));
                let bringing = Bringing { dir, sshd: &sshd, port: cable.port(), from: &from, into };
                let begun = Instant::now();
                match who {
                    OWN => bringing.own(&contents, at_once, false).await?,
                    OWN_VERIFIED => bringing.own(&contents, at_once, true).await?,
                    "sftp" => ran(who, bringing.sftp()?).await?,
                    "rclone" => ran(who, bringing.rclone(4)?).await?,
                    _ => ran(who, bringing.rclone(at_once)?).await?,
                }
                let returned = begun.elapsed();
                sync(&sshd.home())?;
                passes.push(Took { who, returned, durable: begun.elapsed() });
            }
            passes.sort_by_key(|pass| pass.durable);
            took.push(passes[passes.len() / 2]);
            eprintln!("{load:?}: {who} is done");
        }
        rows.push(Row { load: *load, took });
        for folder in [from, sshd.home()] {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(sshd.home())?;
    }
    Ok(Outcome(rows))
}

/// Files that do not compress, with what a target wants to know of them.
fn make(dir: &Path, load: Load) -> anyhow::Result<Vec<(String, Content)>> {
    fs::create_dir_all(dir)?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = vec![0; load.bytes];
    let mut contents = Vec::new();
    for number in 0..load.files {
        for word in bytes.chunks_mut(8) {
            // xorshift
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
        }
        let (name, sha256) = (format!("{number}.wav"), *Content::from_bytes(bytes.clone()).sha256());
        let path = dir.join(&name);
        fs::write(&path, &bytes)?;
        contents.push((name, Content::new(load.bytes as u64, sha256, Arc::new(File(path)))));
    }
    Ok(contents)
}

struct File(PathBuf);

#[async_trait]
impl Source for File {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        let mut file = tokio::fs::File::open(&self.0).await?;
        file.seek(io::SeekFrom::Start(offset)).await?;
        Ok(Box::pin(file))
    }
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
