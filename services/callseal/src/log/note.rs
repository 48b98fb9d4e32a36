//! `callseal log note`: somebody answers for what was done with a recording outside of Callseal.

use std::process::ExitCode;

use bus::subjects::SIGNER_NOTE;
use domain::{RecordingId, ResourceName, TenantId};
use wire::evidence_v1::{Access, Deletion, NoteRequest, NoteResponse, note_request::What};

use crate::asking::AskArgs;

/// Which recording, and what was done.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["deleted", "played", "exported"])))]
pub struct NoteArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Whose recording.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// Its id, as it ends its file names.
    #[arg(long, value_name = "ID")]
    recording: RecordingId,
    /// It was deleted lawfully: `callseal verify` takes it for deleted, not for missing.
    #[arg(long, requires = "reason")]
    deleted: bool,
    /// Somebody listened to it.
    #[arg(long)]
    played: bool,
    /// Somebody took it out.
    #[arg(long)]
    exported: bool,
    /// Why it was deleted: "erasure request of 12 November". No name and no number: the log is published.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["played", "exported"])]
    reason: Option<String>,
    /// Where it was deleted; may be repeated. Without it: everywhere.
    #[arg(long = "target", value_name = "TARGET", conflicts_with_all = ["played", "exported"])]
    targets: Vec<ResourceName>,
    /// Account of who did it. No telephone number: the log is published.
    #[arg(long, value_name = "WHO")]
    by: String,
}

/// Exit code 0: it is written, 1: the signer refused.
pub(super) async fn run(args: NoteArgs) -> anyhow::Result<ExitCode> {
    let ask = args.ask.clone();
    let answer: NoteResponse = ask.ask("signer", SIGNER_NOTE, &request(args)).await?;
    match answer.place {
        Some(place) if answer.problem.is_empty() => {
            println!("entry {} of the log of {}", place.index, place.tenant);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("not written: {}", answer.problem);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn request(args: NoteArgs) -> NoteRequest {
    let NoteArgs { tenant, recording, deleted, played, reason, targets, by, .. } = args;
    let what = if deleted {
        let targets = targets.iter().map(ToString::to_string).collect();
        What::Deletion(Deletion { targets, reason: reason.unwrap_or_default(), by })
    } else {
        let how = if played { "played" } else { "exported" };
        What::Access(Access { how: how.to_owned(), by })
    };
    let (tenant, recording_id) = (tenant.to_string(), recording.to_string());
    NoteRequest { tenant, recording_id, once: String::new(), what: Some(what) }
}
