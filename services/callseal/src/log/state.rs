//! `callseal log state`: how the logs stand.

use std::{fmt::Write as _, process::ExitCode};

use bus::subjects::SIGNER_LOG_STATE;
use domain::TenantId;
use jiff::Timestamp;
use wire::evidence_v1::{LogState, LogStateRequest, LogStateResponse};

use crate::asking::AskArgs;

/// Which logs.
#[derive(Debug, clap::Args)]
pub struct StateArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Only the log of this tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
}

/// Exit code 0: all logs go on, 1: one is halted.
pub(super) async fn run(args: StateArgs) -> anyhow::Result<ExitCode> {
    let tenant = args.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let request = LogStateRequest { tenant };
    let answer: LogStateResponse = args.ask.ask("signer", SIGNER_LOG_STATE, &request).await?;
    if answer.logs.is_empty() {
        println!("no log: nothing was recorded yet");
    }
    answer.logs.iter().for_each(|log| print!("{}", shown(log)));
    let is_halted = answer.logs.iter().any(|log| !log.halted.is_empty());
    Ok(if is_halted { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn shown(log: &LogState) -> String {
    let mut text = format!("{}: {} entries", log.tenant, log.size);
    let signed = Timestamp::from_millisecond(log.checkpoint_unix_ms).ok().filter(|_| log.checkpoint_size > 0);
    match signed {
        Some(at) => _ = write!(text, ", checkpoint over {} at {at:.0}", log.checkpoint_size),
        None => text.push_str(", no checkpoint yet"),
    }
    if !log.cosigned_by.is_empty() {
        _ = write!(text, ", cosigned by {}", log.cosigned_by.join(", "));
    }
    _ = write!(text, "\n  {}\n", log.origin);
    if !log.halted.is_empty() {
        _ = writeln!(text, "  HALTED: {}", log.halted);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_shown_with_what_is_wrong_with_it() {
        let log = LogState {
            tenant: "acme".to_owned(),
            origin: "callseal.io/main/acme/0a1b2c3d".to_owned(),
            size: 12,
            checkpoint_size: 10,
            checkpoint_unix_ms: 1_795_338_930_000,
            cosigned_by: vec!["auditor".to_owned()],
            halted: String::new(),
        };
        assert_eq!(
            shown(&log),
            "acme: 12 entries, checkpoint over 10 at 2026-11-22T09:15:30Z, cosigned by auditor\n  \
             callseal.io/main/acme/0a1b2c3d\n"
        );
        let new =
            LogState { checkpoint_size: 0, checkpoint_unix_ms: 0, cosigned_by: Vec::new(), ..log.clone() };
        assert!(shown(&new).starts_with("acme: 12 entries, no checkpoint yet\n"));
        let halted = LogState { halted: "an older copy".to_owned(), ..log };
        assert!(shown(&halted).ends_with("\n  HALTED: an older copy\n"));
    }
}
