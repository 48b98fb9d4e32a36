//! `callseal journal-init`: makes the table of a journal, and checks it (F-91, F-92).

use std::process::ExitCode;

use crate::one_resource::OneResourceArgs;

/// Exit code 0: the table is there with its columns, 1: it is not (said in words), 2: there is no
/// such journal.
pub async fn run(args: OneResourceArgs) -> ExitCode {
    match args.find("JournalTarget", |tenant| &tenant.journal_targets) {
        Ok(journal) => {
            let made = async {
                let database = callseal_journal::database::open(&journal, &args.data)?;
                database.create_table().await?;
                database.check().await
            };
            args.say(made.await, &format!("the table {} is there, with all its columns", journal.table))
        }
        Err(code) => code,
    }
}
