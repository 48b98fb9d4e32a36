//! `callseal journal-init` and `journal-check`: makes the table of a journal, and looks whether it can be
//! used (F-91, F-92).

use std::process::ExitCode;

use callseal_journal::database::{self, JournalDb, JournalError, Proven, Query};
use domain::resources::JournalTarget;

use crate::one_resource::OneResourceArgs;

/// Makes the table. Exit code 0: it is there with its columns, 1: it is not (said in words), 2: there is
/// no such journal.
pub async fn init(args: OneResourceArgs) -> ExitCode {
    with(args, async |database| {
        database.create_table().await?;
        database.check().await.map(|()| "is there, with all its columns")
    })
    .await
}

/// Leaves nothing behind: looks whether the database takes the login, the table has what the journal
/// writes, a row can be written (and is taken back), and rows can be read. Exit codes as of [`init`].
pub async fn check(args: OneResourceArgs) -> ExitCode {
    with(args, async |database| {
        let proven = database.probe().await?;
        database.read(&Query::newest(1)).await?;
        Ok(match proven {
            Proven::Writing => "has all columns; a row was written and taken back, and rows can be read",
            Proven::Columns => "has all columns and can be read; whether this user may write was not tried",
        })
    })
    .await
}

async fn with(
    args: OneResourceArgs,
    act: impl AsyncFnOnce(Box<dyn JournalDb>) -> Result<&'static str, JournalError>,
) -> ExitCode {
    let journal: JournalTarget = match args.find("JournalTarget", |tenant| &tenant.journal_targets) {
        Ok(journal) => journal,
        Err(code) => return code,
    };
    let done = match database::open(&journal, &args.data) {
        Ok(database) => act(database).await,
        Err(error) => Err(error),
    };
    let well = done.as_ref().map_or("", |well| *well);
    let good = format!("the table {} {well}", journal.table);
    args.say(done.map(drop), &good)
}
