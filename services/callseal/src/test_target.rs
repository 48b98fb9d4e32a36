//! `callseal test-target`: writes, reads back and removes a test file on a storage target (F-74).
//!
//! An SSH server whose host key nobody has pinned gets no test file and no login. Its keys are shown
//! instead; `--pin` writes them into the target's YAML file (F-79).

mod host_keys;
mod yaml_edit;

use std::{path::PathBuf, process::ExitCode};

use domain::resources::Kind;
use targets::{Place, Surroundings, TargetError, Tested};

use crate::one_resource::OneResourceArgs;
use host_keys::{Learnt, learn};

/// Which target, and what to do about its host keys.
#[derive(Debug, clap::Args)]
pub struct TestTargetArgs {
    #[command(flatten)]
    one: OneResourceArgs,
    /// Writes the host keys that SSH servers of the target show now into its file, where none are
    /// pinned yet, and then tests. What is pinned is never changed.
    #[arg(long)]
    pin: bool,
    /// Folder of the programs that script targets may run, as the shipper has it.
    #[arg(long, env = "CALLSEAL_SCRIPTS", value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// Runs the program of a script target, with a recording of silence. Without it the program is only
    /// looked at: what it does, nobody can undo.
    #[arg(long)]
    run: bool,
}

/// Exit code 0: the target works, 1: it does not, or a host key is still to be pinned (said in
/// words), 2: there is no such target.
pub async fn run(args: TestTargetArgs) -> ExitCode {
    let one = &args.one;
    let (mut target, place) = match one.find_with_place(Kind::StorageTarget, |tenant| &tenant.storage_targets)
    {
        Ok(found) => found,
        Err(code) => return code,
    };
    let file: Option<(PathBuf, u64)> = place.map(|place| (one.config.join(place.file), place.line));
    match learn(&one.name, &mut target.kind, file.as_ref(), args.pin).await {
        Ok(Learnt::AllPinned) => {
            let around = Surroundings::new(&one.data).with_scripts(args.scripts);
            match targets::open(&target, &around) {
                Place::Storage(target) => {
                    one.say(target.test().await, "works: a test file was written, read back and removed")
                }
                Place::Dispatch(dispatch) => match dispatch.test(args.run).await {
                    Ok(Tested { done, said }) => {
                        print!("{said}");
                        one.say(Ok::<(), TargetError>(()), &format!("works: {done}"))
                    }
                    Err(error) => {
                        print!("{}", error.said().unwrap_or_default());
                        one.say(Err(error), "")
                    }
                },
            }
        }
        Ok(Learnt::Shown) => ExitCode::FAILURE,
        Err(error) => {
            println!("{}: {error:#}", one.name);
            ExitCode::FAILURE
        }
    }
}
