//! `callseal demo`: a real two-party SIPREC call through the whole system, shown stage by stage, and
//! verified with our own means, with plain `sha256sum` and `openssl`, and with the archive's `verify.sh`.

mod archive;
mod call;
mod log;
mod progress;
mod resources;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;

use crate::up::{self, Running, UpArgs};

/// The call is long enough for both to say something, and short enough to wait for.
const CALL_LENGTH: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(10);

/// Arguments of `callseal demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Folder for configuration, archive and journal; kept. Default: a new one in the temporary folder.
    #[arg(long, env = "CALLSEAL_DEMO_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Plays the call and shows what becomes of it. Exit code 0 only if everything is true.
///
/// # Errors
/// A stage failed; the text says which.
pub fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let data = std::path::absolute(args.data.unwrap_or_else(fresh_folder))?;
    up::enter_environment(None, "CALLSEAL_DEMO_DATA", &data)?;
    if std::env::var_os("RUST_LOG").is_some() {
        runtime::logs::init(runtime::logs::Format::Text);
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = tokio.block_on(play(&data));
    tokio.shutdown_timeout(Duration::from_secs(2));
    outcome.map(|()| ExitCode::SUCCESS)
}

fn fresh_folder() -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    std::env::temp_dir().join(format!("callseal-demo-{seconds}"))
}

async fn play(data: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let config = resources::write(data)?;
    // How full the disk is is no part of what is shown.
    let staging_quota = "1TB".to_owned();
    let args = UpArgs { sip: loopback(0), http: loopback(0), staging_quota, ..UpArgs::new(&config, data)? };
    let running = Running::start(&args).await.context("the system did not start")?;
    println!("{}", running.ready());

    let mut progress = progress::Progress::watch(running.bus(), begun).await?;
    let call = async { call::play(running.ready().sip, CALL_LENGTH).await.context("the call failed") };
    let (sent, recording) = tokio::try_join!(call, progress.follow_to_the_end())?;
    let logged = log::covers(data, &recording).await?;
    let stage = |line: &str| println!("{:>6.1} s  {line}", begun.elapsed().as_secs_f32());
    let log::Logged { entry, size } = logged;
    stage(&format!(
        "logged: entry {entry} of the transparency log, signed over {size} entries, in the archive"
    ));
    running.stop(DRAIN).await.context("the system did not stop cleanly")?;

    archive::check(data, &recording, &sent).await?;
    stage("verified: every byte sent on either side stands in its channel");
    archive::show(data, &recording, logged)
}

fn loopback(port: u16) -> std::net::SocketAddr {
    ([127, 0, 0, 1], port).into()
}
