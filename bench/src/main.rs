//! `make bench`, `make soak`: puts calls through the whole system and prints what came of it.

use std::{collections::BTreeMap, process::ExitCode};

use bench::capacity::{Capacity, Load};
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
    /// How often, one after the other, into the same installation.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let capacity = Capacity::start(dir.path()).await?;
    let mut all_well = true;
    let mut peaks: Vec<BTreeMap<String, u64>> = Vec::new();
    for round in 1..=args.rounds {
        let outcome = capacity.round(Load { calls: args.calls, seconds: args.seconds }).await?;
        println!("round {round} of {}\n{outcome}", args.rounds);
        if let Err(missing) = outcome.nothing_lost() {
            println!("NOT COMPLETE: {missing}\n");
            all_well = false;
        }
        peaks.push(outcome.used.iter().map(|(process, used)| (process.clone(), used.memory_peak)).collect());
    }
    // The first rounds warm up; from the third on the same load needs no more memory.
    if let [_, _, third, .., last] = peaks.as_slice() {
        for (process, peak) in last.iter().filter(|(process, peak)| **peak > third[*process] * 5 / 4) {
            println!("NOT FLAT: {process} grew from {} to {} MiB", third[process] >> 20, peak >> 20);
            all_well = false;
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
