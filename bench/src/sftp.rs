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
}

/// How long each of them took.
#[derive(Debug)]
pub struct Row {
    load: Load,
    /// Callseal: written, synced, renamed.
    brought: Duration,
    /// Callseal: and all of it read back.
    verified: Duration,
    others: Vec<(&'static str, Duration)>,
}

/// All rows.
#[derive(Debug)]
pub struct Outcome(Vec<Row>);

impl Outcome {
    /// No other program was faster.
    pub fn is_fast_enough(&self) -> bool {
        self.0.iter().all(|row| row.others.iter().all(|(_, took)| row.brought <= *took))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            let Load { files, bytes, delay } = row.load;
            writeln!(f, "{files} × {} kB, {delay:?} added to each round trip", bytes / 1000)?;
            let rate = |took: Duration| (files * bytes) as f64 / 1e6 / took.as_secs_f64();
            let own = [("callseal", row.brought), ("  and read back", row.verified)];
            for (who, took) in own.iter().chain(&row.others) {
                writeln!(f, "  {who:<20} {:>8.2} s {:>8.1} MB/s", took.as_secs_f64(), rate(*took))?;
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
        let (brought, verified) = own(&sshd, &cable, &contents, number, at_once).await?;
        let mut others = Vec::new();
        for (who, command) in [
            ("sftp", sftp(dir, &sshd, &cable, &from, number)?),
            ("rclone", rclone(dir, &sshd, &cable, &from, number, 4)?),
            ("rclone, as many", rclone(dir, &sshd, &cable, &from, number, at_once)?),
        ] {
            others.push((who, timed(who, command).await?));
            eprintln!("{load:?}: {who} is done");
        }
        rows.push(Row { load: *load, brought, verified, others });
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

/// Put, and put with verification, into folders of their own.
async fn own(
    sshd: &Sshd,
    cable: &Cable,
    contents: &[(String, Content)],
    number: usize,
    at_once: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let server = SshServer {
        host: "127.0.0.1".into(),
        port: cable.port(),
        user: sshd.user()?,
        auth: SshAuth::Key { private_key: sshd.client_key()?.into(), passphrase: None },
        host_keys: vec![sshd.host_key("ed25519")?],
    };
    let mut took = [Duration::ZERO; 2];
    for (verify, took) in [false, true].into_iter().zip(&mut took) {
        let path = format!("own-{number}-{verify}");
        let target = Sftp::new(SftpTarget { server: server.clone(), tunnel: None, path });
        let begun = Instant::now();
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
        .await?;
        *took = begun.elapsed();
    }
    Ok((took[0], took[1]))
}

fn key_file(dir: &Path) -> PathBuf {
    dir.join("sshd/client")
}

fn sftp(dir: &Path, sshd: &Sshd, cable: &Cable, from: &Path, number: usize) -> anyhow::Result<Command> {
    let batch = dir.join("batch");
    fs::write(&batch, format!("mkdir sftp-{number}\nput {}/* sftp-{number}/\n", from.display()))?;
    let mut sftp = Command::new("sftp");
    sftp.args(["-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-P", &cable.port().to_string(), "-i"])
        .arg(key_file(dir))
        .arg("-b")
        .arg(batch)
        .arg(format!("{}@127.0.0.1", sshd.user()?));
    Ok(sftp)
}

fn rclone(
    dir: &Path,
    sshd: &Sshd,
    cable: &Cable,
    from: &Path,
    number: usize,
    at_once: usize,
) -> anyhow::Result<Command> {
    let remote = format!(
        ":sftp,host=127.0.0.1,port={},user={},key_file={}:rclone-{number}-{at_once}",
        cable.port(),
        sshd.user()?,
        key_file(dir).display()
    );
    let mut rclone = Command::new("rclone");
    rclone.env("RCLONE_CONFIG", dir.join("no-rclone.conf")).arg("copy").arg(from).arg(remote);
    // Without it, rclone has a shell on the server compute a hash of each file, which takes far longer.
    rclone.args(["--sftp-disable-hashcheck", "--transfers", &at_once.to_string()]);
    Ok(rclone)
}

async fn timed(who: &str, mut command: Command) -> anyhow::Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let ended = tokio::task::spawn_blocking(move || command.output()).await?;
    let took = begun.elapsed();
    let ended =
        ended.with_context(|| format!("{who} is missing: install Debian's openssh-client and rclone"))?;
    ensure!(ended.status.success(), "{who} failed: {}", String::from_utf8_lossy(&ended.stderr));
    Ok(took)
}
