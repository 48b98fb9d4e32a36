//! `callseal rules`: what the rules record, in plain language, and whom they cover (F-04).

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use config::Loaded;
use domain::{TenantId, resources::TenantResources};
use policy::plain::{self, Language};

/// Nothing could be listed.
const USAGE: u8 = 2;

/// Which configuration, and how to say it.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// Folder of resources: YAML files, sub-folders for tenants.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    config: PathBuf,
    /// File with the key that opens sealed values of Secrets. Without it nothing is said of targets and
    /// journals whose login is sealed.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", value_name = "FILE")]
    vault_key: Option<PathBuf>,
    /// Only the rules of this tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Language of the sentences: de, en or fr.
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
    /// Lists the users whom each rule covers, and through which group.
    #[arg(long)]
    members: bool,
}

/// Prints the rules in the order in which they are tried. Exit code 0: listed; 2: the folder cannot
/// be read, or there is no such tenant (said on standard error).
///
/// # Errors
/// None; what stopped it is said.
pub fn run(args: RulesArgs) -> anyhow::Result<ExitCode> {
    match list(&args) {
        Ok((loaded, text)) => {
            let unready: Vec<_> = loaded.unready().into_iter().map(|found| found.warning).collect();
            let exposed = loaded.exposed(&args.config);
            for problem in loaded.problems.iter().chain(&unready).chain(&exposed) {
                eprintln!("warning: {problem}");
            }
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn list(args: &RulesArgs) -> anyhow::Result<(Loaded, String)> {
    let loaded = match &args.vault_key {
        Some(key) => config::load_with_key(&args.config, key)?,
        None => config::load(&args.config)?,
    };
    let tenants = tenants(&loaded, args.tenant.as_deref())?;
    let texts: Vec<String> = tenants.into_iter().map(|tenant| rules_of(tenant, args)).collect();
    let text = texts.join("\n");
    Ok((loaded, text))
}

/// All tenants in force, or the one that is asked for.
fn tenants<'a>(loaded: &'a Loaded, name: Option<&str>) -> anyhow::Result<Vec<&'a TenantResources>> {
    let tenants = &loaded.resources.tenants;
    if tenants.is_empty() {
        let problems: Vec<String> = loaded.problems.iter().map(|problem| format!("\n  {problem}")).collect();
        anyhow::bail!("there is no tenant in force{}", problems.concat());
    }
    let Some(name) = name else { return Ok(tenants.values().collect()) };
    let tenant = name.parse().ok().and_then(|id: TenantId| tenants.get(&id));
    let known = || tenants.keys().map(TenantId::as_str).collect::<Vec<_>>().join(", ");
    let tenant =
        tenant.with_context(|| format!("there is no tenant {name:?} in force; there are: {}", known()))?;
    Ok(vec![tenant])
}

fn rules_of(tenant: &TenantResources, args: &RulesArgs) -> String {
    let mut text = format!("{}\n", tenant.tenant.id);
    if tenant.rules.is_empty() {
        add(&mut text, &plain::no_rules(args.lang));
    }
    for (i, rule) in tenant.rules.iter().enumerate() {
        let _ = writeln!(text, "{:>3}. {}", i + 1, rule.name);
        add(&mut text, &plain::sentence(rule, tenant, args.lang));
        if args.members {
            add(&mut text, &plain::covered(&policy::members(rule, tenant), args.lang));
        }
    }
    text
}

fn add(text: &mut String, sentence: &str) {
    let _ = writeln!(text, "     {sentence}");
}
