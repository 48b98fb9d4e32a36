//! `callseal hold`: legal holds (F-84). The shipper is asked over NATS. Who asks is what `--by` says for now.

mod text;

use std::process::ExitCode;

use bus::subjects::SHIPPER_HOLD;
use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use wire::archive_v1::{
    Between, ConfirmRelease, HoldRequest, HoldResponse, ListHolds, PlaceHold, ReleaseHold,
    hold_request::What, place_hold::Over,
};

use crate::asking::AskArgs;

/// What is done with holds.
#[derive(Debug, clap::Subcommand)]
pub enum HoldCommand {
    /// Places a hold: nothing that it is over is deleted until two people release it.
    Place(PlaceArgs),
    /// Lists the holds in force, what they are over, and who wants which released.
    List(ListArgs),
    /// The first of two people wants a hold released.
    Release(ReleaseArgs),
    /// The second of two people releases it.
    Confirm(ConfirmArgs),
}

/// Arguments of `callseal hold place`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("over").required(true).args(["recording", "rule", "call_id", "from"])))]
pub struct PlaceArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Whose recordings.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// One recording, by its id.
    #[arg(long, value_name = "ID")]
    recording: Option<RecordingId>,
    /// Everything that a rule has recorded and will record.
    #[arg(long, value_name = "RULE")]
    rule: Option<ResourceName>,
    /// Everything of one call, by the PBX's id of it.
    #[arg(long, value_name = "ID")]
    call_id: Option<String>,
    /// Everything that began then or later: 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<Timestamp>,
    /// And before then.
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Timestamp>,
    /// Why: "proceedings 12 of 2026". No name and no number of a caller.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Account of who places it.
    #[arg(long, value_name = "WHO")]
    by: String,
}

/// Arguments of `callseal hold list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Of this tenant alone.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Also those that were released.
    #[arg(long)]
    all: bool,
}

/// Arguments of `callseal hold release`.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Number of the hold.
    hold: u64,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Account of who asks.
    #[arg(long, value_name = "WHO")]
    by: String,
}

/// Arguments of `callseal hold confirm`.
#[derive(Debug, clap::Args)]
pub struct ConfirmArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Number of the hold.
    hold: u64,
    /// Account of who confirms: another one than who asked.
    #[arg(long, value_name = "WHO")]
    by: String,
}

/// Exit code 0: done, 1: the shipper refused.
///
/// # Errors
/// NATS or the shipper cannot be reached.
pub async fn run(command: HoldCommand) -> anyhow::Result<ExitCode> {
    match command {
        HoldCommand::Place(args) => place(args).await,
        HoldCommand::List(args) => {
            let tenant = args.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
            let list = What::List(ListHolds { tenant, released: args.all });
            Ok(finish(&asked(&args.ask, list).await?, "no hold is in force"))
        }
        HoldCommand::Release(args) => {
            let ReleaseArgs { ask, hold, reason, by } = args;
            let answer = asked(&ask, What::Release(ReleaseHold { hold, reason, by })).await?;
            let code = finish(&answer, "");
            if answer.problem.is_empty() {
                println!("in force until a second person confirms: callseal hold confirm {hold} --by WHO");
            }
            Ok(code)
        }
        HoldCommand::Confirm(args) => {
            let confirm = What::Confirm(ConfirmRelease { hold: args.hold, by: args.by });
            Ok(finish(&asked(&args.ask, confirm).await?, ""))
        }
    }
}

async fn place(args: PlaceArgs) -> anyhow::Result<ExitCode> {
    let PlaceArgs { ask, tenant, recording, rule, call_id, from, to, reason, by } = args;
    let over = match (recording, rule, call_id, from.zip(to)) {
        (Some(id), ..) => Over::RecordingId(id.to_string()),
        (_, Some(rule), ..) => Over::Rule(rule.to_string()),
        (_, _, Some(id), _) => Over::CallId(id),
        (.., Some((from, to))) => {
            Over::Between(Between { from_unix_ms: from.as_millisecond(), to_unix_ms: to.as_millisecond() })
        }
        _ => anyhow::bail!("say what the hold is over: --recording, --rule, --call-id, or --from and --to"),
    };
    let place = PlaceHold { tenant: tenant.to_string(), reason, by, over: Some(over) };
    let answer = asked(&ask, What::Place(place)).await?;
    let code = finish(&answer, "");
    for recording in &answer.begun {
        eprintln!("the deletion of recording {recording} had begun; what of it is not removed yet stays");
    }
    Ok(code)
}

async fn asked(ask: &AskArgs, what: What) -> anyhow::Result<HoldResponse> {
    ask.ask("shipper", SHIPPER_HOLD, &HoldRequest { what: Some(what) }).await
}

/// Shows the holds of an answer, `none` if there are none, or why it was refused.
fn finish(answer: &HoldResponse, none: &str) -> ExitCode {
    if !answer.problem.is_empty() {
        eprintln!("refused: {}", answer.problem);
        return ExitCode::FAILURE;
    }
    match answer.holds.as_slice() {
        [] => println!("{none}"),
        holds => print!("{}", text::shown(holds)),
    }
    ExitCode::SUCCESS
}
