//! What refers to something that is not there, or must not be referred to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Assembly, Declared, Fault};
use crate::{
    ResourceName,
    resources::{
        Directory, FieldError, FieldPath, Kind, Profile, RawResource, RecordingRule, Scope, ScopeSpec,
        SelectedSpec, StorageTarget, TenantResources,
    },
};

/// The targets of recordings by legal duty, each with a rule that says so. A disabled rule counts:
/// what it recorded lies there.
pub(super) type RegulatedTargets = BTreeMap<ResourceName, ResourceName>;

pub(super) fn regulated_targets<'a>(rules: impl Iterator<Item = &'a RecordingRule>) -> RegulatedTargets {
    let regulated = rules.filter(|rule| rule.profile == Profile::LegalDuty);
    let targets =
        regulated.flat_map(|rule| rule.targets.iter().map(|target| (target.clone(), rule.name.clone())));
    targets.collect()
}

/// Manual recordings that would go to a target of recordings by legal duty (F-17).
pub(super) fn mixed_archives(rule: &RecordingRule, regulated: &RegulatedTargets) -> Vec<FieldError> {
    let targets = rule.manual_recording.iter().flat_map(|manual| manual.targets.iter().enumerate());
    let mixed = targets.filter_map(|(i, target)| Some((i, target, regulated.get(target)?)));
    let error = |(i, target, by): (usize, &ResourceName, &ResourceName)| FieldError {
        path: FieldPath::spec().key("manualRecording").key("targets").index(i),
        reason: format!(
            "\"{target}\" takes the recordings by legal duty of rule \"{by}\"; \
             manual recordings must have targets of their own"
        ),
    };
    mixed.map(error).collect()
}

/// Targets that lock what is brought there, of a rule by which nothing would be locked: that would be worse than
/// no lock at all.
pub(super) fn unlocked(rule: &RecordingRule, resources: &TenantResources) -> Vec<FieldError> {
    const NO_RETENTION: &str = "locks what is brought there until its retention ends, and here is no retention: nothing would be locked";
    const ERASABLE: &str = "locks what is brought there; recordings by consent must stay erasable";
    let spec = FieldPath::spec();
    let of_rule = match (rule.profile, rule.retention) {
        (Profile::Consent, _) => Some(ERASABLE),
        (Profile::LegalDuty, None) => Some(NO_RETENTION),
        (Profile::LegalDuty, Some(_)) => None,
    };
    let manual = rule.manual_recording.as_ref().filter(|manual| manual.retention.is_none());
    let lists = [
        (of_rule, rule.targets.as_slice(), spec.clone()),
        (
            manual.map(|_| NO_RETENTION),
            manual.map_or(&[], |manual| &*manual.targets),
            spec.key("manualRecording"),
        ),
    ];
    let mut errors = Vec::new();
    for (problem, targets, path) in lists {
        let Some(problem) = problem else { continue };
        for (i, name) in targets.iter().enumerate() {
            if resources.storage_targets.get(name).is_some_and(StorageTarget::locks) {
                let path = path.key("targets").index(i);
                errors.push(FieldError { path, reason: format!("\"{name}\" {problem}") });
            }
        }
    }
    errors
}

impl Assembly<'_> {
    /// What `rule` refers to without it being there.
    pub(super) fn missing(&self, rule: &RecordingRule, resources: &TenantResources) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = FieldPath::spec();
        let mut lists = vec![
            (spec.key("exceptionLists"), Kind::ExceptionList, &rule.exception_lists),
            (spec.key("targets"), Kind::StorageTarget, &rule.targets),
            (spec.key("journals"), Kind::JournalTarget, &rule.journals),
        ];
        if let Some(manual) = &rule.manual_recording {
            let path = spec.key("manualRecording");
            lists.push((path.key("targets"), Kind::StorageTarget, &manual.targets));
            lists.push((path.key("journals"), Kind::JournalTarget, &manual.journals));
        }
        for (path, kind, names) in lists {
            let missing = names.iter().enumerate().filter_map(|(i, name)| {
                let reason = self.not_declared(kind, name)?;
                Some(FieldError { path: path.index(i), reason })
            });
            errors.extend(missing);
        }
        for (field, name) in rule.named_announcements() {
            if let Some(reason) = self.not_declared(Kind::Announcement, name) {
                let path = field.split('.').fold(spec.clone(), |path, key| path.key(key));
                errors.push(FieldError { path, reason });
            }
        }
        if let Scope::Selected { groups, users, .. } = &rule.scope {
            let written = self.written_scope(&rule.name);
            let scope = spec.key("scope");
            self.missing_people(groups, users, &scope, written, &resources.directory, &mut errors);
        }
        errors
    }

    fn missing_people(
        &self,
        groups: &BTreeSet<String>,
        users: &BTreeSet<String>,
        scope: &FieldPath,
        written: Option<&SelectedSpec>,
        directory: &Directory,
        errors: &mut Vec<FieldError>,
    ) {
        for group in groups.iter().filter(|g| !directory.groups.contains_key(*g)) {
            let path = listed(scope.key("groups"), written.map(|w| w.groups.as_slice()), group);
            errors.push(FieldError { path, reason: format!("there is no group {group:?} in the Directory") });
        }
        for user in users.iter().filter(|u| !directory.users.contains_key(*u)) {
            let path = listed(scope.key("users"), written.map(|w| w.users.as_slice()), user);
            errors.push(FieldError { path, reason: NO_USER.to_owned() });
        }
    }

    /// The reason, if there is no such resource. A faulty one is reported itself; here it counts as
    /// being there.
    fn not_declared(&self, kind: Kind, name: &ResourceName) -> Option<String> {
        let there = self.declared.contains_key(&self.key(kind, name));
        (!there).then(|| format!("there is no {kind} \"{name}\""))
    }

    /// Members of groups have to be users; else their outbound calls would be missed silently.
    pub(super) fn check_members(&mut self, all: &Directory) {
        let mut faults = Vec::new();
        for (key, declared) in self.declared.iter().filter(|(key, _)| key.tenant == *self.tenant) {
            let Declared::Readable(raw) = declared else { continue };
            let RawResource::Directory(spec) = &**raw else { continue };
            for (name, group) in &spec.groups {
                let path = FieldPath::spec().key("groups").key(name).key("members");
                for (i, _) in group.members.iter().enumerate().filter(|(_, m)| !all.users.contains_key(*m)) {
                    let error = FieldError { path: path.index(i), reason: NO_USER.to_owned() };
                    faults.push(Fault { key: key.clone(), error });
                }
            }
        }
        self.out.faults.extend(faults);
    }

    /// Groups and users of a rule in the order in which they are written.
    fn written_scope(&self, rule: &ResourceName) -> Option<&SelectedSpec> {
        match self.declared.get(&self.key(Kind::RecordingRule, rule))? {
            Declared::Readable(raw) => match &**raw {
                RawResource::RecordingRule(spec) => match &spec.scope {
                    ScopeSpec::Selected(selected) => Some(selected),
                    ScopeSpec::Word(_) => None,
                },
                _ => None,
            },
            Declared::Unreadable => None,
        }
    }
}

/// Does not repeat who: it is a person's name, and the path leads there.
const NO_USER: &str = "there is no such user in the Directory";

/// The place of `name` in the list at `path`, if it still stands in it.
fn listed(path: FieldPath, names: Option<&[String]>, name: &str) -> FieldPath {
    let index = names.and_then(|names| names.iter().position(|other| other == name));
    index.map_or(path.clone(), |index| path.index(index))
}
