//! `callseal journal-init`: makes the table of a journal, and checks it (F-91, F-92).

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use domain::{
    ResourceName, TenantId,
    resources::{JournalTarget, Resources},
};

/// Exit code for a wrong call.
const USAGE: u8 = 2;

/// Arguments of `callseal journal-init`.
#[derive(Debug, clap::Args)]
pub struct JournalInitArgs {
    /// Folder with the configuration.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// Folder that relative paths of SQLite journals start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub data: PathBuf,
    /// The tenant, where several have a journal of this name.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<TenantId>,
    /// The journal.
    pub name: ResourceName,
}

/// Exit code 0: the table is there with its columns, 1: it is not (said in words), 2: there is no
/// such journal.
///
/// # Errors
/// The configuration folder cannot be read.
pub async fn run(args: JournalInitArgs) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.config).context("the configuration cannot be read")?;
    for problem in loaded.problems.iter() {
        eprintln!("{problem}");
    }
    let journal = match find(&loaded.resources, args.tenant.as_ref(), &args.name) {
        Ok(journal) => journal,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let made = async { callseal_journal::database::open(journal, &args.data)?.create_table().await };
    Ok(match made.await {
        Ok(()) => {
            println!("{}: the table {} is there, with all its columns", args.name, journal.table);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}: {error}", args.name);
            if let Some(cause) = std::error::Error::source(&error) {
                println!("  cause: {cause}");
            }
            ExitCode::FAILURE
        }
    })
}

fn find<'a>(
    resources: &'a Resources,
    tenant: Option<&TenantId>,
    name: &ResourceName,
) -> anyhow::Result<&'a JournalTarget> {
    let mut found = resources
        .tenants
        .iter()
        .filter(|(id, _)| tenant.is_none_or(|tenant| tenant == *id))
        .filter_map(|(_, resources)| resources.journal_targets.get(name));
    let journal =
        found.next().with_context(|| format!("there is no JournalTarget {name} in this configuration"))?;
    if found.next().is_some() {
        bail!("several tenants have a JournalTarget {name}: say which by --tenant");
    }
    Ok(journal)
}
