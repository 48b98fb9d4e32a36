//! Rules that name what nothing can be brought to yet (F-75).

use std::path::PathBuf;

use domain::{
    ResourceName, TenantId,
    resources::{Kind, RecordingRule, ResourceKey, TenantResources},
};

use crate::{Loaded, Place, Problem};

/// An enabled rule that names a target or journal which lacks something before anything can be brought
/// there. The rule is in force: recordings are made and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// Whose rule.
    pub tenant: TenantId,
    /// Its name.
    pub rule: ResourceName,
    /// `StorageTarget` or `JournalTarget`.
    pub kind: Kind,
    /// Which target or journal.
    pub destination: ResourceName,
    /// What it lacks, and how to give it.
    pub missing: String,
    /// All of that as a warning, with the place of the rule.
    pub warning: Problem,
}

impl Loaded {
    /// Each incomplete target and journal that an enabled rule names.
    pub fn unready(&self) -> Vec<Unready> {
        let tenants = self.resources.tenants.values();
        let rules = tenants.flat_map(|tenant| tenant.rules.iter().map(move |rule| (tenant, rule)));
        rules
            .filter(|(_, rule)| rule.enabled)
            .flat_map(|(tenant, rule)| {
                let of_rule = lacking(tenant, rule).into_iter();
                of_rule.map(move |lacking| self.about(tenant, rule, lacking))
            })
            .collect()
    }

    fn about(&self, tenant: &TenantResources, rule: &RecordingRule, lacking: Lacking<'_>) -> Unready {
        let tenant = tenant.tenant.id.clone();
        let Lacking { kind, destination, field, missing } = lacking;
        let key = ResourceKey { tenant: tenant.clone(), kind: Kind::RecordingRule, name: rule.name.clone() };
        // A rule whose last good version is in force, though its file is gone wrong, has no place.
        let (file, line) = match self.places.get(&key) {
            Some(Place { file, line, .. }) => (file.clone(), *line),
            None => (PathBuf::from("."), 0),
        };
        let what = if kind == Kind::JournalTarget { "journal" } else { "storage target" };
        let reason = format!("the {what} \"{destination}\" is incomplete, recordings for it wait: {missing}");
        let warning = Problem {
            file,
            line,
            column: u64::from(line > 0),
            kind: key.kind.to_string(),
            name: rule.name.to_string(),
            field,
            reason,
        };
        let (rule, destination) = (rule.name.clone(), destination.clone());
        Unready { tenant, rule, kind, destination, missing: missing.to_owned(), warning }
    }
}

struct Lacking<'a> {
    kind: Kind,
    destination: &'a ResourceName,
    field: String,
    missing: &'a str,
}

/// Whatever the rule names that is incomplete.
fn lacking<'a>(tenant: &'a TenantResources, rule: &'a RecordingRule) -> Vec<Lacking<'a>> {
    let targets = rule.targets.iter().enumerate().filter_map(|(place, destination)| {
        let missing = tenant.storage_targets.get(destination)?.incomplete()?;
        let field = format!("spec.targets[{place}]");
        Some(Lacking { kind: Kind::StorageTarget, destination, field, missing })
    });
    let journals = rule.journals.iter().enumerate().filter_map(|(place, destination)| {
        let missing = tenant.journal_targets.get(destination)?.incomplete()?;
        let field = format!("spec.journals[{place}]");
        Some(Lacking { kind: Kind::JournalTarget, destination, field, missing })
    });
    targets.chain(journals).collect()
}
