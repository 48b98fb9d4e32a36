//! `callseal-rules`: the decisions as a process of their own.

use std::process::ExitCode;

use clap::Parser;

/// Decides which calls are recorded, by the rules in a configuration folder.
#[derive(Parser)]
#[command(name = "callseal-rules", version)]
struct Args {
    #[command(flatten)]
    runtime: runtime::RuntimeArgs,
    #[command(flatten)]
    options: callseal_rules::Options,
}

fn main() -> ExitCode {
    let args = Args::parse();
    runtime::run_service("rules", args.runtime, |service, bus| {
        callseal_rules::run(args.options, bus, service)
    })
}
