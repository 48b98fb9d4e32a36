//! Each bench by its arguments.

use std::path::Path;

use crate::{
    announcements,
    args::Args,
    capacity::{self, Capacity},
    files::Load,
    journal, seal, sftp, ship, sign, smb, verify,
};

/// Runs a bench with its files in `dir`, and prints what came of it; whether that is what was wanted.
///
/// # Errors
/// It could not be run.
pub async fn run(args: Args, dir: &Path) -> anyhow::Result<bool> {
    Ok(match args {
        Args::Capacity { calls, seconds, rounds } => {
            let capacity = Capacity::start(dir).await?;
            capacity.rounds(capacity::Load { calls, seconds }, rounds).await?
        }
        Args::Announcements { calls } => {
            let outcome = announcements::run(dir, calls).await?;
            println!("{outcome}");
            outcome.nothing_altered().inspect_err(|altered| println!("ALTERED: {altered}\n")).is_ok()
        }
        Args::Journal { rows, singly } => {
            println!("{}", journal::run(dir, rows, singly).await?);
            true
        }
        Args::Seal { recordings } => match sign::in_its_environment(dir)? {
            Some(ended) => ended.success(),
            None => {
                let outcome = seal::run(dir, recordings).await?;
                println!("{outcome}");
                outcome.is_fast_enough()
            }
        },
        Args::Ship { recordings, kilobytes, faults } => {
            let outcome = ship::run(dir, recordings, kilobytes, faults).await?;
            println!("{outcome}");
            outcome.is_well()
        }
        Args::Sign { seconds } => match sign::in_its_environment(dir)? {
            Some(ended) => ended.success(),
            None => {
                let outcome = tokio::task::block_in_place(|| sign::run(seconds))?;
                println!("{outcome}");
                outcome.is_fast_enough()
            }
        },
        Args::Sftp { at_once, delay, loads } => {
            let outcome = sftp::run(dir, &Load::usual(delay, &loads), at_once).await?;
            println!("{outcome}");
            outcome.is_fast_enough()
        }
        Args::Smb { at_once, delay, loads } => {
            let outcome = smb::run(dir, &Load::usual(delay, &loads), at_once).await?;
            println!("{outcome}");
            outcome.is_as_fast()
        }
        Args::Verify { recordings } => {
            let outcome = tokio::task::block_in_place(|| verify::run(dir, recordings))?;
            println!("{outcome}");
            outcome.is_flat()
        }
    })
}
