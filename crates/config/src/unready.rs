//! Rules that name what nothing can be brought to yet (F-75).

use std::path::PathBuf;

use domain::resources::{Kind, RecordingRule, ResourceKey, TenantResources};

use crate::{Loaded, Place, Problem};

impl Loaded {
    /// A warning for each target and journal that an enabled rule names and that lacks something
    /// before anything can be brought there, with the place of the rule. The rule is in force:
    /// recordings are made and wait.
    pub fn unready(&self) -> Vec<Problem> {
        let tenants = self.resources.tenants.values();
        let rules = tenants.flat_map(|tenant| tenant.rules.iter().map(move |rule| (tenant, rule)));
        rules
            .filter(|(_, rule)| rule.enabled)
            .flat_map(|(tenant, rule)| {
                let warning = move |(field, reason)| self.about(tenant, rule, field, reason);
                lacking(tenant, rule).into_iter().map(warning)
            })
            .collect()
    }

    fn about(
        &self,
        tenant: &TenantResources,
        rule: &RecordingRule,
        field: String,
        reason: String,
    ) -> Problem {
        let kind = Kind::RecordingRule;
        let key = ResourceKey { tenant: tenant.tenant.id.clone(), kind, name: rule.name.clone() };
        // A rule whose last good version is in force, though its file is gone wrong, has no place.
        let (file, line) = match self.places.get(&key) {
            Some(Place { file, line, .. }) => (file.clone(), *line),
            None => (PathBuf::from("."), 0),
        };
        let (kind, name) = (kind.to_string(), rule.name.to_string());
        Problem { file, line, column: u64::from(line > 0), kind, name, field, reason }
    }
}

/// Field and reason for whatever the rule names that is incomplete.
fn lacking(tenant: &TenantResources, rule: &RecordingRule) -> Vec<(String, String)> {
    let said = |list: &str, place: usize, what: &str, name: &dyn std::fmt::Display, missing: &str| {
        let reason = format!("the {what} \"{name}\" is incomplete, recordings for it wait: {missing}");
        (format!("spec.{list}[{place}]"), reason)
    };
    let targets = rule.targets.iter().enumerate().filter_map(|(place, name)| {
        let missing = tenant.storage_targets.get(name)?.incomplete()?;
        Some(said("targets", place, "storage target", name, missing))
    });
    let journals = rule.journals.iter().enumerate().filter_map(|(place, name)| {
        let missing = tenant.journal_targets.get(name)?.incomplete()?;
        Some(said("journals", place, "journal", name, missing))
    });
    targets.chain(journals).collect()
}
