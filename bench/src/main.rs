//! `make bench`, `make soak`: puts calls through the whole system and prints what came of it.

use std::{collections::BTreeMap, process::ExitCode};

use bench::{
    announcements,
    capacity::{Capacity, Load},
    seal, sign, verify,
};
use clap::Parser;

/// Puts calls through the whole system on this machine.
#[derive(Debug, Parser)]
enum Args {
    /// Recorded calls: packets, CPU, delays, memory.
    Capacity {
        /// Calls at once, two streams each.
        #[arg(long, default_value_t = 100)]
        calls: u32,
        /// Length of each call.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// How often, one after the other, into the same installation.
        #[arg(long, default_value_t = 1)]
        rounds: u32,
    },
    /// Callers of the consent endpoint: is what they hear unaltered and in step?
    Announcements {
        /// Callers at once.
        #[arg(long, default_value_t = 200)]
        calls: usize,
    },
    /// Recordings sealed a second in one lane, beside the signatures of one session, and CPU.
    Seal {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        recordings: u64,
    },
    /// Signatures a second in SoftHSM, beside those of a program that does nothing else.
    Sign {
        /// How long each way signs.
        #[arg(long, default_value_t = 12)]
        seconds: u32,
    },
    /// Verification of an archive, and of one ten times as large: time and memory.
    Verify {
        /// How many in the large one.
        #[arg(long, default_value_t = 100_000)]
        recordings: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let all_well = match Args::parse() {
        Args::Capacity { calls, seconds, rounds } => {
            let capacity = Capacity::start(dir.path()).await?;
            put_through(&capacity, Load { calls, seconds }, rounds).await?
        }
        Args::Announcements { calls } => {
            let outcome = announcements::run(dir.path(), calls).await?;
            println!("{outcome}");
            outcome.nothing_altered().inspect_err(|altered| println!("ALTERED: {altered}\n")).is_ok()
        }
        Args::Seal { recordings } => match sign::in_its_environment(dir.path())? {
            Some(ended) => ended.success(),
            None => {
                let outcome = seal::run(dir.path(), recordings).await?;
                println!("{outcome}");
                outcome.is_fast_enough()
            }
        },
        Args::Sign { seconds } => match sign::in_its_environment(dir.path())? {
            Some(ended) => ended.success(),
            None => {
                let outcome = tokio::task::block_in_place(|| sign::run(seconds))?;
                println!("{outcome}");
                outcome.is_fast_enough()
            }
        },
        Args::Verify { recordings } => {
            let outcome = tokio::task::block_in_place(|| verify::run(dir.path(), recordings))?;
            println!("{outcome}");
            outcome.is_flat()
        }
    };
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn put_through(capacity: &Capacity, load: Load, rounds: u32) -> anyhow::Result<bool> {
    let mut all_well = true;
    let mut peaks: Vec<BTreeMap<String, u64>> = Vec::new();
    for round in 1..=rounds {
        let outcome = capacity.round(load).await?;
        println!("round {round} of {rounds}\n{outcome}");
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
    Ok(all_well)
}
