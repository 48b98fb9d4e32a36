//! `callseal witness`: cosigns the checkpoints of logs that only ever grow (C2SP tlog-witness).
//!
//! Whom an operator's customer or auditor trusts runs it, on a machine of their own. It keeps one file
//! for each log and one key; it never sees a recording, a number or a name.

mod http;
mod judgement;
mod key;
mod store;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, ensure};
use evidence::log::LogKey;
pub use judgement::{Answered, Witness};
pub use key::CosigningKey;
pub use store::{Seen, Store, StoreError};
use tokio::net::TcpListener;

/// `callseal witness`.
#[derive(Debug, clap::Args)]
pub struct WitnessArgs {
    #[command(subcommand)]
    command: Option<WitnessCommand>,
    #[command(flatten)]
    place: Place,
    /// Address and port on which logs ask. TLS is the business of a proxy before it.
    #[arg(long, env = "CALLSEAL_WITNESS_LISTEN", default_value = "127.0.0.1:7380", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// The public key of a log whose checkpoints are cosigned; once for each log and each key of it.
    #[arg(long = "log", env = "CALLSEAL_WITNESS_LOGS", value_name = "VKEY", value_delimiter = ',')]
    logs: Vec<LogKey>,
}

/// Where the witness keeps what it must not lose.
#[derive(Debug, Clone, clap::Args)]
struct Place {
    /// Folder of the key and of what was cosigned; made when missing.
    #[arg(long, global = true, env = "CALLSEAL_WITNESS_DATA", default_value = "callseal-witness")]
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Name of the witness: a host name and path of yours, for example audit.example/callseal. Needed
    /// when the key is made, and fixed from then on.
    #[arg(long, global = true, env = "CALLSEAL_WITNESS_NAME", value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum WitnessCommand {
    /// Shows the public key, for `spec.evidence.witnesses` of the tenant; makes the key if there is none.
    Key,
}

/// Runs until SIGTERM or Ctrl-C, or shows the key.
///
/// # Errors
/// What stopped it, in words for the person at the terminal.
pub async fn run(args: WitnessArgs) -> anyhow::Result<ExitCode> {
    if let Some(WitnessCommand::Key) = args.command {
        println!("{}", CosigningKey::open(&args.place.data, args.place.name.as_deref())?.public().vkey());
        return Ok(ExitCode::SUCCESS);
    }
    runtime::logs::init(runtime::logs::Format::Text);
    ensure!(!args.logs.is_empty(), "no log is known: give the public key of at least one with --log");
    let store = Store::open(&args.place.data)?;
    let key = CosigningKey::open(&args.place.data, args.place.name.as_deref())?;
    let vkey = key.public().vkey();
    let witness = Arc::new(Witness::new(store, key, args.logs)?);
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("key: {vkey}\nlistening on http://{}", listener.local_addr()?);
    http::serve(listener, witness).await?;
    Ok(ExitCode::SUCCESS)
}
