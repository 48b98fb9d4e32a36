//! `callseal test-target`: writes, reads back and removes a test file on a storage target (F-74).

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use domain::{
    ResourceName, TenantId,
    resources::{Resources, StorageTarget},
};

/// Exit code for a wrong call.
const USAGE: u8 = 2;

/// Arguments of `callseal test-target`.
#[derive(Debug, clap::Args)]
pub struct TestTargetArgs {
    /// Folder with the configuration.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// Folder that relative paths of targets start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub data: PathBuf,
    /// The tenant, where several have a target of this name.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<TenantId>,
    /// The storage target.
    pub name: ResourceName,
}

/// Exit code 0: the target works, 1: it does not (said in words), 2: there is no such target.
///
/// # Errors
/// The configuration folder cannot be read.
pub async fn run(args: TestTargetArgs) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&args.config).context("the configuration cannot be read")?;
    for problem in loaded.problems.iter() {
        eprintln!("{problem}");
    }
    let target = match find(&loaded.resources, args.tenant.as_ref(), &args.name) {
        Ok(target) => target,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    Ok(match targets::open(target, &args.data).test().await {
        Ok(()) => {
            println!("{}: works: a test file was written, read back and removed", args.name);
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
) -> anyhow::Result<&'a StorageTarget> {
    let mut found = resources
        .tenants
        .iter()
        .filter(|(id, _)| tenant.is_none_or(|tenant| tenant == *id))
        .filter_map(|(_, resources)| resources.storage_targets.get(name));
    let target =
        found.next().with_context(|| format!("there is no StorageTarget {name} in this configuration"))?;
    if found.next().is_some() {
        bail!("several tenants have a StorageTarget {name}: say which by --tenant");
    }
    Ok(target)
}
