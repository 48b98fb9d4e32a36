//! `callseal sweep`: what lies where it should not, or is missing where it should be.

use std::process::ExitCode;

use anyhow::ensure;
use bus::subjects;
use jiff::Timestamp;
use wire::delivery_v1::{Finding, SweepRequest, SweepResponse};

use super::time;
use crate::asking::AskArgs;

/// Exit code 0: nothing was found, 1: something was.
///
/// # Errors
/// NATS or the shipper cannot be reached.
pub async fn sweep(args: AskArgs) -> anyhow::Result<ExitCode> {
    let found: SweepResponse = args.ask("shipper", subjects::SHIPPER_SWEEP, &SweepRequest {}).await?;
    ensure!(found.error.is_empty(), "{}", found.error);
    let now = Timestamp::now();
    for Finding { tenant, recording_id, target, problem, since_unix_ms } in &found.findings {
        let place = if target.is_empty() { tenant.clone() } else { format!("{tenant}/{target}") };
        println!("{recording_id} {place} since {}\n    {problem}", time(*since_unix_ms, now));
    }
    if found.findings.is_empty() {
        println!("staging, orders and targets agree");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
