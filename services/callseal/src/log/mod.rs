//! `callseal log`: the tenants' transparency logs (F-58) at the command line. The signer is asked over
//! NATS; nobody's database is opened.

mod audit;
mod note;
mod over_http;
mod state;

use std::process::ExitCode;

/// Exit code for a wrong call, or when the signer cannot be asked.
const USAGE: u8 = 2;

/// What is done with logs.
#[derive(Debug, clap::Subcommand)]
pub enum LogCommand {
    /// Says how the logs stand: entries, newest checkpoint, witnesses, and what is wrong. Exit code 1: a
    /// log is halted.
    State(state::StateArgs),
    /// Writes into the log that a recording was deleted, played or exported outside of Callseal.
    Note(note::NoteArgs),
    /// Checks that the log only grew between two checkpoints, and lists every gap in what it tells. Exit
    /// code 1: something is wrong.
    Audit(audit::AuditArgs),
}

/// Carries out the command. Exit code 2: the signer could not be asked (said on standard error).
pub async fn run(command: LogCommand) -> ExitCode {
    let outcome = match command {
        LogCommand::State(args) => state::run(args).await,
        LogCommand::Note(args) => note::run(args).await,
        // It reads files, and asks over HTTP by a runtime of its own.
        LogCommand::Audit(args) => tokio::task::spawn_blocking(move || audit::run(&args))
            .await
            .unwrap_or_else(|panic| Err(panic.into())),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(USAGE)
    })
}
