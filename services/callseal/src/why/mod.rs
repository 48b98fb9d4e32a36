//! `callseal why`: what became of a call, and why it was recorded or not (F-59). Answered from the
//! events that the bus keeps, also for calls of which nothing was recorded.

mod outcome;
mod story;
mod text;

use std::process::ExitCode;

use domain::TenantId;

use self::story::Story;
use crate::asking::AskArgs;

/// Nothing is known of the call.
const UNKNOWN: u8 = 1;
/// The events could not be read.
const USAGE: u8 = 2;

/// Which call, and where the events are.
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Only calls of this tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// The PBX's id of the call, or the id of a recording.
    #[arg(value_name = "CALL-ID")]
    call_id: String,
}

/// Prints what is known of the call. Exit code 0: something is, 1: nothing is, 2: the events cannot be
/// read (said on standard error).
pub async fn run(args: WhyArgs) -> ExitCode {
    match story(&args).await {
        Ok(story) => {
            print!("{}", text::told(&story));
            if story.is_empty() { ExitCode::from(UNKNOWN) } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

async fn story(args: &WhyArgs) -> anyhow::Result<Story> {
    let bus = args.ask.connect().await?;
    Ok(story::gather(&bus, &args.call_id, args.tenant.as_ref()).await?)
}
