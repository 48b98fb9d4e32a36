//! `make bench`, `make soak`: puts calls through the whole system and prints what came of it.

use std::process::ExitCode;

use bench::args::Args;
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let all_well = bench::run::run(Args::parse(), dir.path()).await?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
