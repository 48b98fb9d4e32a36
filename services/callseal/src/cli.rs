//! The command line. Scripts rely on its words.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    announcement, asking::AskArgs, deletion, deliveries, demo, explain, hold, journal, key, load, log, login,
    one_resource::OneResourceArgs, rules, seal_secret, test_target, up, verify, why, witness,
};

/// Records calls that can be proven.
#[derive(Debug, Parser)]
#[command(name = "callseal", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, when the program starts")]
enum Command {
    /// Runs all services in one process, until Ctrl-C.
    Up(up::UpArgs),
    /// Plays a real SIPREC call into the whole system and verifies what comes out.
    Demo(demo::DemoArgs),
    /// Checks recordings or whole archives. Exit code 0: all good, 1: something is wrong, 2: usage.
    Verify(verify::VerifyArgs),
    /// Says whether a call would be recorded, by which rule, and why.
    Explain(explain::ExplainArgs),
    /// Says what became of a call, and why it was recorded or not.
    Why(why::WhyArgs),
    /// Says in plain language what each rule records, and whom it covers.
    Rules(rules::RulesArgs),
    /// The library of announcements: what callers hear.
    #[command(subcommand)]
    Announcement(announcement::AnnouncementCommand),
    /// Makes the signing key, or shows the one that is there.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The transparency logs: how they stand, and notes for them.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Cosigns the checkpoints of logs that only ever grow: for customers and auditors.
    Witness(witness::WitnessArgs),
    /// Says what waits for which storage target or journal, since when, and why.
    Targets(AskArgs),
    /// Says where each recording is, since when, verified by what, and why it is not everywhere.
    Shipments(deliveries::ShipmentsArgs),
    /// Tries a storage target, a journal or a recording now, and what was set aside once more.
    Retry(deliveries::RetryArgs),
    /// Lets go on what was orphaned while its storage target or journal was not in the configuration.
    Release(deliveries::ChangeArgs),
    /// Gives up for good what was orphaned; the reason stands in the log.
    Abandon(deliveries::AbandonArgs),
    /// Says what lies in staging without an order, or is ordered and not there. Exit code 0: nothing.
    Sweep(AskArgs),
    /// Legal holds: what they are over is not deleted, whatever its retention says.
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Deletes a recording that need not be kept, when a second person confirms it.
    Delete(deletion::DeleteArgs),
    /// Writes, reads back and removes a test file on a storage target.
    TestTarget(test_target::TestTargetArgs),
    /// Seals the values of Secrets in files of the configuration, or one value from standard input.
    SealSecret(seal_secret::SealSecretArgs),
    /// Signs a user in to Microsoft, for a OneDrive target that works in that user's name.
    Login(login::LoginArgs),
    /// Makes the table of a journal.
    JournalInit(OneResourceArgs),
    /// Looks whether a journal's database and table can be used; changes nothing.
    JournalCheck(OneResourceArgs),
    /// Plays many SIPREC calls into a recorder and counts every packet.
    Load(load::LoadArgs),
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    /// What stopped it, in words for the person at the terminal.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Up(args) => up::run(args),
            Command::Demo(args) => demo::run(args),
            Command::Verify(args) => verify::run(args),
            Command::Explain(args) => block_on(explain::run(args)),
            Command::Why(args) => block_on(async { Ok(why::run(args).await) }),
            Command::Rules(args) => rules::run(args),
            Command::Announcement(command) => announcement::run(command),
            Command::Key(command) => key::run(command),
            Command::Log(command) => block_on(async { Ok(log::run(command).await) }),
            Command::Witness(args) => block_on(witness::run(args)),
            Command::Targets(args) => block_on(deliveries::list(args)),
            Command::Retry(args) => block_on(deliveries::retry(args)),
            Command::Shipments(args) => block_on(deliveries::shipments(args)),
            Command::Abandon(args) => block_on(deliveries::abandon(args)),
            Command::Sweep(args) => block_on(deliveries::sweep(args)),
            Command::Release(args) => block_on(deliveries::release(args)),
            Command::Hold(command) => block_on(hold::run(command)),
            Command::Delete(args) => block_on(deletion::run(args)),
            Command::TestTarget(args) => block_on(async { Ok(test_target::run(args).await) }),
            Command::SealSecret(args) => seal_secret::run(&args),
            Command::Login(args) => block_on(async { Ok(login::run(args).await) }),
            Command::JournalInit(args) => block_on(async { Ok(journal::init(args).await) }),
            Command::JournalCheck(args) => block_on(async { Ok(journal::check(args).await) }),
            Command::Load(args) => block_on(load::run(args)),
        }
    }
}

fn block_on<F: Future<Output = anyhow::Result<ExitCode>>>(work: F) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
