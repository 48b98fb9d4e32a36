//! `callseal explain`: would this call be recorded, by which rule, and why? (F-104)

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use config::Loaded;
use domain::{CallFacts, Decision, Direction, Override, Party, TenantId, Verdict, resources::TenantResources};
use serde::Deserialize;

/// Nothing could be explained.
const USAGE: u8 = 2;

/// Which configuration, and which call.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Folder of resources: YAML files, sub-folders for tenants.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    config: PathBuf,
    /// The facts of the call: callId, direction, caller and callee with number, name, identities;
    /// the tenant only if there are several.
    #[arg(long, value_name = "FACTS.yaml")]
    call: PathBuf,
}

/// The facts as a person writes them: the tenant may be left out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Facts {
    tenant: Option<String>,
    call_id: String,
    direction: Option<Direction>,
    caller: Party,
    callee: Party,
    #[serde(rename = "override")]
    override_: Override,
}

/// Prints the decision and its trace. Exit code 0: explained, recorded or not; 2: folder or file
/// cannot be read, or there is no such tenant (said on standard error).
///
/// # Errors
/// Only those of writing to the terminal.
pub async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    match explain(&args) {
        Ok((loaded, decision)) => {
            for problem in loaded.problems.iter() {
                eprintln!("warning: {problem}");
            }
            print!("{}", Explained(&decision));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn explain(args: &ExplainArgs) -> anyhow::Result<(Loaded, Decision)> {
    let loaded = config::load(&args.config)?;
    let facts = read_facts(&args.call)?;
    let (tenant, facts) = with_tenant(&loaded, facts)?;
    let decision = policy::decide(tenant, &facts, jiff::Timestamp::now());
    Ok((loaded, decision))
}

fn read_facts(file: &Path) -> anyhow::Result<Facts> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    config::yaml::from_str(&text).with_context(|| file.display().to_string())
}

fn with_tenant(loaded: &Loaded, facts: Facts) -> anyhow::Result<(&TenantResources, CallFacts)> {
    let tenants = &loaded.resources.tenants;
    let known = || tenants.keys().map(TenantId::as_str).collect::<Vec<_>>().join(", ");
    let tenant = match &facts.tenant {
        Some(name) => {
            let tenant = name.parse().ok().and_then(|id: TenantId| tenants.get(&id));
            tenant.with_context(|| format!("there is no tenant {name:?} in force; there are: {}", known()))?
        }
        None if tenants.len() > 1 => anyhow::bail!("the call needs a `tenant:`; there are: {}", known()),
        None => tenants.values().next().with_context(|| {
            let problems: Vec<String> =
                loaded.problems.iter().map(|problem| format!("\n  {problem}")).collect();
            format!("there is no tenant in force{}", problems.concat())
        })?,
    };
    let Facts { call_id, direction, caller, callee, override_, .. } = facts;
    let facts = CallFacts {
        tenant: tenant.tenant.id.clone(),
        call_id,
        direction,
        caller,
        callee,
        override_by_pbx: override_,
    };
    Ok((tenant, facts))
}

/// A decision for a person at a terminal.
struct Explained<'a>(&'a Decision);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[domain::ResourceName]| match names {
            [] => "none".to_owned(),
            names => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
        };
        match &self.0.verdict {
            Verdict::Record(recorded) => {
                writeln!(f, "recorded by rule {}", recorded.rule)?;
                writeln!(f, "  direction  {}", self.0.direction)?;
                writeln!(f, "  class      {}", recorded.class)?;
                writeln!(f, "  channels   {}", recorded.channels)?;
                writeln!(f, "  targets    {}", list(&recorded.targets))?;
                writeln!(f, "  journals   {}", list(&recorded.journals))?;
            }
            Verdict::AskConsent(asked) => {
                writeln!(f, "recorded by rule {} if consent stands", asked.recorded.rule)?;
                writeln!(f, "  direction  {}", self.0.direction)?;
            }
            Verdict::DoNotRecord(not) => {
                writeln!(f, "not recorded: {}", not.reason)?;
                writeln!(f, "  direction  {}", self.0.direction)?;
            }
        }
        if !self.0.trace.is_empty() {
            writeln!(f, "why")?;
        }
        for (i, line) in self.0.trace.iter().enumerate() {
            writeln!(f, "  {}. {line}", i + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
    }

    fn args(call: &Path) -> ExplainArgs {
        ExplainArgs { config: examples().join("config"), call: call.to_owned() }
    }

    fn explained(facts: &str) -> anyhow::Result<String> {
        let dir = tempfile::tempdir()?;
        let call = dir.path().join("call.yaml");
        fs::write(&call, facts)?;
        explain(&args(&call)).map(|(_, decision)| Explained(&decision).to_string())
    }

    #[test]
    fn the_example_call_is_recorded_and_the_configuration_has_no_problem() {
        let (loaded, decision) = explain(&args(&examples().join("call.yaml"))).unwrap();
        assert_eq!(*loaded.problems, []);
        let expected = [
            "recorded by rule advice",
            "  direction  in",
            "  class      regulated",
            "  channels   stereo",
            "  targets    archive",
            "  journals   main",
            "why",
            "  1. advice: matches",
        ];
        assert_eq!(Explained(&decision).to_string().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_call_that_is_not_recorded_says_why_rule_by_rule() {
        let text = explained("caller: {number: \"+4989123456\"}\ncallee: {number: 500}\n").unwrap();
        assert_eq!(
            text,
            "not recorded: no rule matches\n  direction  in\nwhy\n  \
             1. advice: passed over, exceptionLists: the outside number is on the list never\n"
        );
    }

    #[test]
    fn a_wrong_file_is_named_with_line_and_field() {
        let error = format!("{:#}", explained("callId: x\ncaller:\n  nummer: 1\n").unwrap_err());
        assert!(
            error.ends_with(
                "call.yaml: line 3: caller.nummer: there is no such field; known are number, name, identities"
            ),
            "{error}"
        );
        let error = format!("{:#}", explained("tenant: globex\n").unwrap_err());
        assert_eq!(error, "there is no tenant \"globex\" in force; there are: acme");
        assert!(explain(&args(Path::new("missing.yaml"))).is_err());
    }
}
