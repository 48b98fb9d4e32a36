//! `callseal-ingest`: the session recording server as a process of its own.

use std::process::ExitCode;

use clap::Parser;

/// Takes recording sessions (SIPREC) and hands what is to be recorded to the bus.
#[derive(Parser)]
#[command(name = "callseal-ingest", version)]
struct Args {
    #[command(flatten)]
    runtime: runtime::RuntimeArgs,
    #[command(flatten)]
    options: callseal_ingest::Options,
}

fn main() -> ExitCode {
    let args = Args::parse();
    runtime::run_service("ingest", args.runtime, |service, bus| {
        callseal_ingest::run(args.options, bus, service, None)
    })
}
