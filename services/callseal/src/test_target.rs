//! `callseal test-target`: writes, reads back and removes a test file on a storage target (F-74).

use std::process::ExitCode;

use targets::Surroundings;

use crate::one_resource::OneResourceArgs;

/// Exit code 0: the target works, 1: it does not (said in words), 2: there is no such target.
pub async fn run(args: OneResourceArgs) -> ExitCode {
    match args.find("StorageTarget", |tenant| &tenant.storage_targets) {
        Ok(target) => {
            let outcome = targets::open(&target, &Surroundings::new(&args.data)).test().await;
            args.say(outcome, "works: a test file was written, read back and removed")
        }
        Err(code) => code,
    }
}
