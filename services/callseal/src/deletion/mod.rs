//! `callseal delete`: recordings that two people want deleted (F-84), and what retention deletes. The shipper is
//! asked over NATS. Who asks is what `--by` says for now.

mod text;

use std::process::ExitCode;

use anyhow::bail;
use bus::subjects::SHIPPER_DELETION;
use domain::{RecordingId, TenantId};
use wire::archive_v1::{
    ConfirmDeletion, DeletionRequest, DeletionResponse, ListDeletions, RequestDeletion, WithdrawDeletion,
    deletion_request::What,
};

use crate::asking::AskArgs;

/// Arguments of `callseal delete`: a recording, or a command about deletions.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DeleteArgs {
    #[command(subcommand)]
    command: Option<DeleteCommand>,
    #[command(flatten)]
    request: RequestArgs,
}

/// The first of two people wants a recording deleted.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Whose recording.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Its id, as it ends its file names.
    #[arg(value_name = "RECORDING")]
    recording: Option<RecordingId>,
    /// Why: "erasure request of 12 November". No name and no number: it stands in the log, which is published.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Account of who asks. It stands in the log.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// What is done with deletions.
#[derive(Debug, clap::Subcommand)]
pub enum DeleteCommand {
    /// The second of two people has a recording deleted.
    Confirm(DeletionArgs),
    /// Takes back what nobody has confirmed.
    Withdraw(DeletionArgs),
    /// Lists what is asked for, and what is being deleted; the newest first.
    List(ListArgs),
}

/// Which deletion, and who.
#[derive(Debug, clap::Args)]
pub struct DeletionArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Number of the deletion.
    deletion: u64,
    /// Account of who says so.
    #[arg(long, value_name = "WHO")]
    by: String,
}

/// Arguments of `callseal delete list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Of this tenant alone.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Of this recording alone.
    #[arg(long, value_name = "ID")]
    recording: Option<RecordingId>,
    /// Also what is carried out or withdrawn.
    #[arg(long)]
    all: bool,
}

/// Exit code 0: done, 1: the shipper refused.
///
/// # Errors
/// NATS or the shipper cannot be reached, or something is missing in the call.
pub async fn run(args: DeleteArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        None => request(args.request).await,
        Some(DeleteCommand::Confirm(args)) => {
            let confirm = ConfirmDeletion { deletion: args.deletion, by: args.by };
            Ok(finish(&asked(&args.ask, What::Confirm(confirm)).await?, ""))
        }
        Some(DeleteCommand::Withdraw(args)) => {
            let withdraw = WithdrawDeletion { deletion: args.deletion, by: args.by };
            Ok(finish(&asked(&args.ask, What::Withdraw(withdraw)).await?, ""))
        }
        Some(DeleteCommand::List(args)) => {
            let list = ListDeletions {
                tenant: args.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
                recording_id: args.recording.map(|id| id.to_string()).unwrap_or_default(),
                all: args.all,
            };
            Ok(finish(&asked(&args.ask, What::List(list)).await?, "nothing is asked for or being deleted"))
        }
    }
}

async fn request(args: RequestArgs) -> anyhow::Result<ExitCode> {
    let RequestArgs { ask, tenant, recording, reason, by } = args;
    let (Some(tenant), Some(recording), Some(reason), Some(by)) = (tenant, recording, reason, by) else {
        bail!("write callseal delete RECORDING --tenant TENANT --reason TEXT --by WHO");
    };
    let (tenant, recording_id) = (tenant.to_string(), recording.to_string());
    let request = What::Request(RequestDeletion { tenant, recording_id, reason, by });
    let answer = asked(&ask, request).await?;
    let code = finish(&answer, "");
    if let Some(deletion) = answer.deletions.first() {
        println!(
            "nothing is deleted until a second person confirms: callseal delete confirm {} --by WHO",
            deletion.deletion
        );
    }
    Ok(code)
}

async fn asked(ask: &AskArgs, what: What) -> anyhow::Result<DeletionResponse> {
    ask.ask("shipper", SHIPPER_DELETION, &DeletionRequest { what: Some(what) }).await
}

/// Shows the deletions of an answer, `none` if there are none, or why it was refused.
fn finish(answer: &DeletionResponse, none: &str) -> ExitCode {
    if !answer.problem.is_empty() {
        eprintln!("refused: {}", answer.problem);
        return ExitCode::FAILURE;
    }
    match answer.deletions.as_slice() {
        [] => println!("{none}"),
        deletions => print!("{}", text::shown(deletions)),
    }
    ExitCode::SUCCESS
}
