//! `callseal-signer`: the signer as a process of its own.

use std::process::ExitCode;

use callseal_signer::Options;
use clap::Parser;
use runtime::RuntimeArgs;

/// Assembles calls from the bus and seals them: hash, chain, signature.
#[derive(Debug, Parser)]
#[command(name = "callseal-signer", version)]
struct Args {
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let logs = callseal_signer::http::routes(&args.options.staging);
    runtime::run_service_beside("signer", args.runtime, logs, |service, bus| {
        callseal_signer::run(args.options, bus, service)
    })
}
