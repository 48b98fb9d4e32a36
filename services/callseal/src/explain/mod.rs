//! `callseal explain`: would this call be recorded, by which rule, and why? (F-104)

mod facts;
#[cfg(test)]
mod tests;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use config::Loaded;
use domain::{TenantId, resources::TenantResources};
use facts::Facts;
use policy::{
    Policy,
    plain::{self, Language},
};
use text::Explained;

/// Nothing could be explained.
const USAGE: u8 = 2;

/// Which configuration, and which call.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Folder of resources: YAML files, sub-folders for tenants.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    config: PathBuf,
    /// The call: callId, direction, caller and callee with number, name, identities; the tenant
    /// only if there are several. And what is known at run time: override, loggedOn and loggedOff
    /// (group, user), consent (outcome, mode, key).
    #[arg(long, value_name = "FACTS.yaml")]
    call: PathBuf,
    /// Adds what the rule that decides records, in plain language: de, en or fr.
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

/// Prints the decision and its trace. Exit code 0: explained, recorded or not; 2: folder or file
/// cannot be read, or there is no such tenant, group or user (said on standard error).
///
/// # Errors
/// Only those of writing to the terminal.
pub async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    match explain(&args) {
        Ok((loaded, explained)) => {
            for problem in loaded.problems.iter() {
                eprintln!("warning: {problem}");
            }
            print!("{explained}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn explain(args: &ExplainArgs) -> anyhow::Result<(Loaded, Explained)> {
    let loaded = config::load(&args.config)?;
    let facts = read_facts(&args.call)?;
    let tenant = tenant_of(&loaded, facts.tenant.as_deref())?;
    let policy = Policy::new(tenant);
    let (facts, state) = facts.into_call(tenant.tenant.id.clone(), &policy)?;
    let decided = policy.decide(&facts, &state, jiff::Timestamp::now());
    let rule = decided.rule().and_then(|name| tenant.rules.iter().find(|rule| rule.name == *name));
    let sentence = rule.zip(args.lang).map(|(rule, language)| plain::sentence(rule, tenant, language));
    let explained = Explained { decision: decided.into_decision(), sentence };
    Ok((loaded, explained))
}

fn read_facts(file: &Path) -> anyhow::Result<Facts> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    config::yaml::from_str(&text).with_context(|| file.display().to_string())
}

fn tenant_of<'a>(loaded: &'a Loaded, name: Option<&str>) -> anyhow::Result<&'a TenantResources> {
    let tenants = &loaded.resources.tenants;
    let known = || tenants.keys().map(TenantId::as_str).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => {
            let tenant = name.parse().ok().and_then(|id: TenantId| tenants.get(&id));
            tenant.with_context(|| format!("there is no tenant {name:?} in force; there are: {}", known()))
        }
        None if tenants.len() > 1 => anyhow::bail!("the call needs a `tenant:`; there are: {}", known()),
        None => tenants.values().next().with_context(|| {
            let problems: Vec<String> =
                loaded.problems.iter().map(|problem| format!("\n  {problem}")).collect();
            format!("there is no tenant in force{}", problems.concat())
        }),
    }
}
