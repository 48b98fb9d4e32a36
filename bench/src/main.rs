//! `make bench`, `make soak`: puts calls through the whole system and prints what came of it.

use std::process::ExitCode;

use bench::capacity::{self, Load};
use clap::Parser;

/// Puts calls through the whole system on this machine.
#[derive(Debug, Parser)]
struct Args {
    /// Calls at once, two streams each.
    #[arg(long, default_value_t = 100)]
    calls: u32,
    /// Length of each call.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How often, in installations of their own.
    #[arg(long, default_value_t = 1)]
    runs: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut all_well = true;
    for _ in 0..args.runs {
        let dir = tempfile::tempdir()?;
        let outcome = capacity::run(dir.path(), Load { calls: args.calls, seconds: args.seconds }).await?;
        print!("{outcome}");
        if let Err(missing) = outcome.nothing_lost() {
            println!("NOT COMPLETE: {missing}");
            all_well = false;
        }
        println!();
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
