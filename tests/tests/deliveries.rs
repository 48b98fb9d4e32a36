//! What stands behind the seal breaks: an SFTP server that is away, has another key or a full disk, a
//! PostgreSQL that is away. Nothing is lost, nobody else waits, and each fault is said in words.

mod calls;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use callseal::load::{CallReport, Client, SipTransport};
use harness::{
    postgres::Postgres,
    recordings::{self, Recording},
    resources,
    small_disk::SmallDisk,
    sshd::Sshd,
    wait,
    world::World,
};
use tempfile::TempDir;

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tuned so that a retry comes within a test, not within an hour.
const QUICK: [(&str, &str); 4] = [
    ("shipper", "--retry-after=0.3"),
    ("shipper", "--retry-at-least-every=1"),
    ("journal", "--retry-after=0.3"),
    ("journal", "--retry-at-least-every=1"),
];

/// An installation whose rule names a folder and an SFTP server, a SQLite file and a PostgreSQL.
struct Peers {
    dir: TempDir,
    sshd: Sshd,
    postgres: Postgres,
}

impl Peers {
    async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let sshd = Sshd::start(&dir.path().join("sshd")).await?;
        Ok(Self { dir, sshd, postgres: Postgres::start().await? })
    }

    fn resources(&self) -> anyhow::Result<String> {
        let further =
            resources::sftp_and_postgres(&self.sshd, &self.sshd.host_key("ed25519")?, &self.postgres)?;
        let (archive, journal) = (self.archive(), self.dir.path().join("journal.sqlite"));
        Ok(resources::with_targets(&archive, &journal, "archive, vault", "main, register", &further))
    }

    async fn world(&self) -> anyhow::Result<(World, Client)> {
        let world = World::start_with(self.dir.path(), &self.resources()?, &QUICK).await?;
        let client = calls::client(&world, SipTransport::Tcp).await?;
        Ok((world, client))
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn vault(&self) -> PathBuf {
        self.sshd.home().join("recordings")
    }

    /// The folder has the recordings, the SFTP server and the PostgreSQL what the caller says.
    async fn archived(&self, world: &World, reports: &[CallReport]) -> anyhow::Result<Vec<Recording>> {
        let found = recordings::wait_for(&self.archive(), reports.len(), PATIENCE).await;
        let found = found.map_err(|e| e.context(world.logs()))?;
        calls::each_is_complete(&found, reports)?;
        Ok(found)
    }

    /// In the end everything has everything, once, and staging is empty.
    async fn everything_everywhere(&self, world: &World, reports: &[CallReport]) -> anyhow::Result<()> {
        let found = recordings::wait_for(&self.vault(), reports.len(), PATIENCE).await;
        let found = found.map_err(|e| e.context(world.logs()))?;
        calls::each_is_complete(&found, reports)?;
        calls::on_one_chain(&self.vault(), &world.installation.path("data/callseal.pem"), reports.len())?;
        let url = self.postgres.url();
        calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows_in_postgres(&url)).await?;
        calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(self.dir.path())).await?;
        wait::until("staging to be emptied", PATIENCE, async || staged(world).is_empty().then_some(())).await
    }
}

/// Recordings that lie sealed in staging.
fn staged(world: &World) -> Vec<Recording> {
    recordings::find(&world.installation.path("data/staging/sealed")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_sftp_and_postgresql_are_away_reaches_the_others_at_once_and_them_later()
-> anyhow::Result<()> {
    let mut peers = Peers::start().await?;
    let (world, client) = peers.world().await?;
    peers.sshd.stop()?;
    peers.postgres.crash()?;
    let reports = [calls::quiet(&client, Duration::from_secs(3)).await?];
    let found = peers.archived(&world, &reports).await?;
    let words = ["acme/vault", "the SFTP server 127.0.0.1:", "cannot be reached; check that it runs"];
    world.wait_until_says("shipper", &words, PATIENCE).await?;
    world.wait_until_says("journal", &["acme/register", "fails:", "127.0.0.1"], PATIENCE).await?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(peers.dir.path())).await?;
    assert_eq!(staged(&world).len(), 1, "staging is kept until all targets have it");

    peers.sshd.start_again().await?;
    peers.postgres.start_again().await?;
    peers.everything_everywhere(&world, &reports).await?;
    world.wait_until_says("shipper", &["acme/vault", "works again"], PATIENCE).await?;
    world.wait_until_says("journal", &["acme/register", "works again"], PATIENCE).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_sftp_server_with_another_key_until_that_is_pinned() -> anyhow::Result<()> {
    let mut peers = Peers::start().await?;
    let (world, client) = peers.world().await?;
    let pinned = peers.sshd.fingerprint("ed25519")?;
    peers.sshd.stop()?;
    peers.sshd.new_host_keys()?;
    peers.sshd.start_again().await?;
    let shown = peers.sshd.fingerprint("ed25519")?;
    let reports = [calls::quiet(&client, Duration::from_secs(3)).await?];
    peers.archived(&world, &reports).await?;
    let words = ["acme/vault", "shows the host key", &shown, &pinned, "nothing was sent"];
    world.wait_until_says("shipper", &words, PATIENCE).await?;
    assert!(recordings::find(&peers.vault())?.is_empty());
    assert_eq!(staged(&world).len(), 1);

    world.installation.configure(&peers.resources()?)?;
    peers.everything_everywhere(&world, &reports).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_sftp_server_is_named_and_what_did_not_fit_follows_when_there_is_space()
-> anyhow::Result<()> {
    let peers = Peers::start().await?;
    let _disk = SmallDisk::mount(&peers.vault(), 4 << 20)?;
    let (world, client) = peers.world().await?;
    let mut reports = vec![calls::quiet(&client, Duration::from_secs(1)).await?];
    recordings::wait_for(&peers.vault(), 1, PATIENCE).await.map_err(|e| e.context(world.logs()))?;

    // Room for a beginning of the next recording.
    let filler = peers.vault().join("filler");
    let disk = nix::sys::statvfs::statvfs(&peers.vault())?;
    let free = usize::try_from(disk.blocks_available() * disk.fragment_size())?;
    // The log that lies beside the recordings grows meanwhile, too.
    fs::write(&filler, vec![0; free.checked_sub(64 << 10).context("the disk is full already")?])?;
    reports.push(calls::quiet(&client, Duration::from_secs(6)).await?);
    peers.archived(&world, &reports).await?;
    world
        .wait_until_says("shipper", &["acme/vault", "the disk of the SFTP server", "is full"], PATIENCE)
        .await?;
    assert_eq!(recordings::find(&peers.vault())?.len(), 1);
    assert_eq!(staged(&world).len(), 1);

    fs::remove_file(&filler)?;
    peers.everything_everywhere(&world, &reports).await
}
