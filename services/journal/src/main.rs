//! `callseal-journal`: the journal as a process of its own.

use std::process::ExitCode;

use callseal_journal::Options;
use clap::Parser;
use runtime::RuntimeArgs;

/// Writes a row for every recording into every journal database.
#[derive(Debug, Parser)]
#[command(name = "callseal-journal", version)]
struct Args {
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let args = Args::parse();
    runtime::run_service("journal", args.runtime, |service, bus| {
        callseal_journal::run(args.options, bus, service)
    })
}
