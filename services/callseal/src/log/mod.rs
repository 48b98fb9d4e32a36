//! `callseal log`: the tenants' transparency logs (F-58) at the command line. The signer is asked over
//! NATS; nobody's database is opened.

mod audit;
mod note;
mod over_http;
mod state;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions};

/// Exit code for a wrong call, or when the signer cannot be asked.
const USAGE: u8 = 2;
/// How long the signer may take for its answer; within it a restart of it is not noticed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

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

/// Where the signer is asked.
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// NATS server; `callseal up` names it in its ready line.
    #[arg(long, env = "CALLSEAL_NATS", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    nats: String,
    /// Data folder of a `callseal up` that runs on this machine; counts before --nats.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl AskArgs {
    pub(crate) async fn connect(&self) -> anyhow::Result<Bus> {
        let url = match &self.data {
            Some(data) => bus::server::address_of_running(&data.join("nats"))
                .context("`callseal up` has to run with this data folder; else give --nats")?,
            None => self.nats.clone(),
        };
        let bus = Bus::connect(BusOptions::new(&url, "callseal-log")).await?;
        ensure!(
            bus.is_connected(),
            "NATS cannot be reached; `callseal up` names its address in the ready line: --nats"
        );
        Ok(bus)
    }
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
