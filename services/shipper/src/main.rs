//! `callseal-shipper`: the shipper as a process of its own.

use std::process::ExitCode;

use callseal_shipper::Options;
use clap::Parser;
use runtime::RuntimeArgs;

/// Brings sealed recordings to every storage target.
#[derive(Debug, Parser)]
#[command(name = "callseal-shipper", version)]
struct Args {
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let args = Args::parse();
    runtime::run_service("shipper", args.runtime, |service, bus| {
        callseal_shipper::run(args.options, bus, service)
    })
}
