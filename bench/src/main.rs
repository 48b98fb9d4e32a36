//! `make bench`, `make soak`: puts calls through the whole system and prints what came of it.

use std::process::ExitCode;

use bench::{
    announcements,
    args::Args,
    capacity::{Capacity, Load},
    seal, sftp, ship, sign, smb, verify,
};
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let all_well = match Args::parse() {
        Args::Capacity { calls, seconds, rounds } => {
            let capacity = Capacity::start(dir.path()).await?;
            capacity.rounds(Load { calls, seconds }, rounds).await?
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
        Args::Ship { recordings, kilobytes, faults } => {
            let outcome = ship::run(dir.path(), recordings, kilobytes, faults).await?;
            println!("{outcome}");
            outcome.is_well()
        }
        Args::Sign { seconds } => match sign::in_its_environment(dir.path())? {
            Some(ended) => ended.success(),
            None => {
                let outcome = tokio::task::block_in_place(|| sign::run(seconds))?;
                println!("{outcome}");
                outcome.is_fast_enough()
            }
        },
        Args::Sftp { at_once, delay } => {
            let outcome = sftp::run(dir.path(), &sftp::Load::usual(delay), at_once).await?;
            println!("{outcome}");
            outcome.is_fast_enough()
        }
        Args::Smb { at_once, delay } => {
            let outcome = smb::run(dir.path(), &sftp::Load::usual(delay), at_once).await?;
            println!("{outcome}");
            outcome.is_as_fast()
        }
        Args::Verify { recordings } => {
            let outcome = tokio::task::block_in_place(|| verify::run(dir.path(), recordings))?;
            println!("{outcome}");
            outcome.is_flat()
        }
    };
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
