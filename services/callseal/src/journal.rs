//! `callseal journal-init` and `journal-check`: makes the table of a journal, and looks whether it can be
//! used (F-91, F-92).

use std::process::ExitCode;

use callseal_journal::database::{self, JournalDb, JournalError, Query};
use domain::resources::JournalTarget;

use crate::one_resource::OneResourceArgs;

/// Makes the table. Exit code 0: it is there with its columns, 1: it is not (said in words), 2: there is
/// no such journal.
pub async fn init(args: OneResourceArgs) -> ExitCode {
    with(args, "is there, with all its columns", async |database| {
        database.create_table().await?;
        database.check().await
    })
    .await
}

/// Changes nothing: looks whether the database takes the login, and the table has what the journal
/// writes, and can be read. Exit codes as of [`init`].
pub async fn check(args: OneResourceArgs) -> ExitCode {
    with(args, "has all columns and can be read", async |database| {
        database.check().await?;
        database.read(&Query::newest(1)).await.map(drop)
    })
    .await
}

async fn with(
    args: OneResourceArgs,
    well: &str,
    act: impl AsyncFnOnce(Box<dyn JournalDb>) -> Result<(), JournalError>,
) -> ExitCode {
    let journal: JournalTarget = match args.find("JournalTarget", |tenant| &tenant.journal_targets) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    let done = match database::open(&journal, &args.data) {
        Ok(database) => act(database).await,
        Err(error) => Err(error),
    };
    args.say(done, &format!("the table {} {well}", journal.table))
}
