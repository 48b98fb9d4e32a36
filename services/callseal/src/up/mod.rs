//! `callseal up`: all services in one process, and NATS as its child.

mod command_line;
mod data_folder;
mod key_store;
mod options;
mod running;

use std::{process::ExitCode, time::Duration};

pub use key_store::enter_environment;
pub use options::UpArgs;
pub use running::{Ready, Running};

/// Blocking work that hangs (a dead disk) must not hold the process.
const LEFT_OVER: Duration = Duration::from_secs(2);
/// A NATS that is just starting can only be stopped when it is ready, or has failed.
const BROKEN_OFF: Duration = Duration::from_secs(90);

/// Runs until Ctrl-C or SIGTERM, then drains.
///
/// # Errors
/// It could not start, or a service failed; the text says which and why.
pub fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    if args.keys.is_softhsm() {
        enter_environment(None, "CALLSEAL_DATA", &args.data)?;
    }
    runtime::logs::init(runtime::logs::Format::Text);
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut left_over = LEFT_OVER;
    let outcome = tokio.block_on(async {
        let drain = Duration::from_secs(args.drain);
        // From now on: a start that is broken off must not leave NATS behind.
        let mut asked_to_stop = std::pin::pin!(runtime::wait_for_stop_signal());
        let mut running = tokio::select! {
            // Listened for before anything is started.
            biased;
            () = &mut asked_to_stop => {
                left_over = BROKEN_OFF;
                return Ok(());
            }
            started = Running::start(&args) => started?,
        };
        println!("{}", running.ready());
        tokio::select! {
            failure = running.failed() => Err(failure),
            () = asked_to_stop => running.stop(drain).await,
        }
    });
    tokio.shutdown_timeout(left_over);
    outcome.map(|()| ExitCode::SUCCESS)
}
