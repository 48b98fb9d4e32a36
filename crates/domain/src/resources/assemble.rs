//! From single resources to what is in force: validate each, check what refers to what, fall back
//! where something is wrong.
//!
//! A fault never takes more with it than itself, and whoever must decide on a faulty basis records
//! rather too much than too little:
//! 1. A resource that cannot be read or is invalid: its last good version stays in force. If there
//!    never was one, it is not in force.
//! 2. A rule that refers to something that does not exist: its last good version, if everything
//!    that one refers to is there. Else it is in force as it stands: recordings for a target that
//!    does not exist wait in staging. One exception: a consent rule whose exception list was never
//!    known is not in force, since it would record people who were promised that it does not.
//! 3. A deleted exception list that a rule still selects keeps its last version.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Directory, ExceptionList, FieldError, FieldPath, JournalTarget, Kind, Profile, RawResource,
    RecordingRule, ResourceKey, Resources, Scope, ScopeSpec, Secret, Secrets, SelectedSpec, StorageTarget,
    Tenant, TenantResources,
};
use crate::{ResourceName, TenantId};

/// A resource that exists in the source of configuration.
#[derive(Debug, Clone)]
pub enum Declared {
    /// Its content could be read.
    Readable(Box<RawResource>),
    /// It is there, but could not be read; that was reported by whoever tried.
    Unreadable,
}

/// A validated resource.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each variant is the validated kind of that name")]
pub enum Resource {
    Tenant(Tenant),
    Secret(Secret),
    Directory(Directory),
    ExceptionList(ExceptionList),
    StorageTarget(StorageTarget),
    JournalTarget(JournalTarget),
    RecordingRule(Box<RecordingRule>),
}

/// The last good version of each resource.
pub type LastGood = BTreeMap<ResourceKey, Resource>;

/// What is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which resource.
    pub key: ResourceKey,
    /// Which field, and what is wrong with it.
    pub error: FieldError,
}

/// What became of a set of resources.
#[derive(Debug, Clone, Default)]
pub struct Assembled {
    /// What is in force.
    pub resources: Resources,
    /// What to fall back to the next time.
    pub good: LastGood,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Resources {
    /// Puts all declared resources together. `last` is the `good` of the time before (empty at the
    /// first time).
    pub fn assemble(declared: &BTreeMap<ResourceKey, Declared>, last: &LastGood) -> Assembled {
        let mut assembled = Assembled::default();
        let tenants: BTreeSet<&TenantId> = declared.keys().map(|key| &key.tenant).collect();
        for tenant in tenants {
            Assembly { tenant, declared, last, out: &mut assembled, secrets: Secrets::default() }.run();
        }
        check_reachable(&mut assembled);
        assembled
    }
}

/// The work on one tenant.
struct Assembly<'a> {
    tenant: &'a TenantId,
    declared: &'a BTreeMap<ResourceKey, Declared>,
    last: &'a LastGood,
    out: &'a mut Assembled,
    secrets: Secrets,
}

impl Assembly<'_> {
    fn run(mut self) {
        // Kind by kind: secrets have to be known before the targets that refer to them.
        for kind in Kind::ALL {
            for (key, declared) in
                self.declared.iter().filter(|(k, _)| k.kind == kind && k.tenant == *self.tenant)
            {
                if let Some(resource) = self.validate(key, declared) {
                    if let Resource::Secret(secret) = &resource {
                        self.secrets.insert(key.name.clone(), secret.clone());
                    }
                    self.out.good.insert(key.clone(), resource);
                }
            }
        }
        let tenant = self.good(Kind::Tenant).find_map(|resource| match resource {
            Resource::Tenant(tenant) => Some(tenant.clone()),
            _ => None,
        });
        // Without its tenant nothing can be in force: not even the time zone is known.
        if let Some(tenant) = tenant {
            let resources = self.put_together(tenant);
            self.out.resources.tenants.insert(self.tenant.clone(), resources);
        }
    }

    /// The validated resource, or its last good version.
    fn validate(&mut self, key: &ResourceKey, declared: &Declared) -> Option<Resource> {
        let last = || self.last.get(key).cloned();
        let Declared::Readable(raw) = declared else { return last() };
        let name = || key.name.clone();
        let validated = match &**raw {
            RawResource::Tenant(spec) => spec.validate(key.tenant.clone()).map(Resource::Tenant),
            RawResource::Secret(spec) => spec.validate().map(Resource::Secret),
            RawResource::Directory(spec) => spec.validate().map(Resource::Directory),
            RawResource::ExceptionList(spec) => spec.validate(name()).map(Resource::ExceptionList),
            RawResource::StorageTarget(spec) => {
                spec.validate(name(), &self.secrets).map(Resource::StorageTarget)
            }
            RawResource::JournalTarget(spec) => {
                spec.validate(name(), &self.secrets).map(Resource::JournalTarget)
            }
            RawResource::RecordingRule(spec) => {
                spec.validate(name()).map(|r| Resource::RecordingRule(Box::new(r)))
            }
        };
        match validated {
            Ok(resource) => Some(resource),
            Err(errors) => {
                let last = last();
                self.report(key, errors);
                last
            }
        }
    }

    fn put_together(&mut self, tenant: Tenant) -> TenantResources {
        let mut resources = TenantResources::empty(tenant);
        let mut rules = Vec::new();
        for (key, resource) in self.out.good.iter().filter(|(key, _)| key.tenant == *self.tenant) {
            let name = key.name.clone();
            match resource.clone() {
                Resource::Tenant(_) | Resource::Secret(_) => {}
                Resource::Directory(directory) => resources.directory.merge(&directory),
                Resource::ExceptionList(list) => drop(resources.exception_lists.insert(name, list)),
                Resource::StorageTarget(target) => drop(resources.storage_targets.insert(name, target)),
                Resource::JournalTarget(journal) => drop(resources.journal_targets.insert(name, journal)),
                Resource::RecordingRule(rule) => rules.push((key.clone(), *rule)),
            }
        }
        self.check_members(&resources.directory);
        for (key, rule) in rules {
            if let Some(rule) = self.rule_in_force(&key, rule, &mut resources) {
                resources.rules.push(rule);
            }
        }
        resources.rules.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        resources
    }

    /// The version of a rule that is in force, after a look at what it refers to.
    fn rule_in_force(
        &mut self,
        key: &ResourceKey,
        rule: RecordingRule,
        resources: &mut TenantResources,
    ) -> Option<RecordingRule> {
        let errors = self.references(&rule, resources);
        if errors.is_empty() {
            return Some(rule);
        }
        self.report(key, errors);
        let last = self.last.get(key).cloned();
        if let Some(Resource::RecordingRule(last_rule)) = &last {
            let sound = self.references(last_rule, resources).is_empty();
            let rule = if sound { (**last_rule).clone() } else { rule };
            self.out.good.insert(key.clone(), Resource::RecordingRule(last_rule.clone()));
            return self.with_lists(rule, resources);
        }
        // Never good: it must not become the version that a later fault falls back to.
        self.out.good.remove(key);
        self.with_lists(rule, resources)
    }

    /// Revives deleted lists that `rule` still selects. Nothing if a list was never known and the
    /// rule is one of consent.
    fn with_lists(
        &mut self,
        mut rule: RecordingRule,
        resources: &mut TenantResources,
    ) -> Option<RecordingRule> {
        for name in &rule.exception_lists {
            if resources.exception_lists.contains_key(name) {
                continue;
            }
            let key = self.key(Kind::ExceptionList, name);
            if let Some(resource @ Resource::ExceptionList(list)) = self.last.get(&key) {
                resources.exception_lists.insert(name.clone(), list.clone());
                self.out.good.insert(key, resource.clone());
            }
        }
        let known = |name: &ResourceName| resources.exception_lists.contains_key(name);
        if rule.profile == Profile::Consent && !rule.exception_lists.iter().all(known) {
            return None;
        }
        rule.exception_lists.retain(known);
        Some(rule)
    }

    /// What `rule` refers to without it being there.
    fn references(&self, rule: &RecordingRule, resources: &TenantResources) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let fields = [
            ("exceptionLists", Kind::ExceptionList, &rule.exception_lists),
            ("targets", Kind::StorageTarget, &rule.targets),
            ("journals", Kind::JournalTarget, &rule.journals),
        ];
        for (field, kind, names) in fields {
            for (i, name) in names.iter().enumerate() {
                // A faulty one is reported itself; here it counts as being there.
                if !self.declared.contains_key(&self.key(kind, name)) {
                    let path = FieldPath::spec().key(field).index(i);
                    errors.push(FieldError { path, reason: format!("there is no {kind} \"{name}\"") });
                }
            }
        }
        if let Scope::Selected { groups, users, .. } = &rule.scope {
            let written = self.written_scope(&rule.name);
            let scope = FieldPath::spec().key("scope");
            for group in groups.iter().filter(|g| !resources.directory.groups.contains_key(*g)) {
                let path = listed(scope.key("groups"), written.map(|w| w.groups.as_slice()), group);
                errors.push(FieldError {
                    path,
                    reason: format!("there is no group {group:?} in the Directory"),
                });
            }
            for user in users.iter().filter(|u| !resources.directory.users.contains_key(*u)) {
                let path = listed(scope.key("users"), written.map(|w| w.users.as_slice()), user);
                errors.push(FieldError { path, reason: NO_USER.to_owned() });
            }
        }
        errors
    }

    /// Members of groups have to be users; else their outbound calls would be missed silently.
    fn check_members(&mut self, all: &Directory) {
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

    fn key(&self, kind: Kind, name: &ResourceName) -> ResourceKey {
        ResourceKey { tenant: self.tenant.clone(), kind, name: name.clone() }
    }

    fn good(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        let of_kind = move |key: &ResourceKey| key.kind == kind && key.tenant == *self.tenant;
        self.out.good.iter().filter(move |(key, _)| of_kind(key)).map(|(_, resource)| resource)
    }

    fn report(&mut self, key: &ResourceKey, errors: Vec<FieldError>) {
        self.out.faults.extend(errors.into_iter().map(|error| Fault { key: key.clone(), error }));
    }
}

/// Does not repeat who: it is a person's name, and the path leads there.
const NO_USER: &str = "there is no such user in the Directory";

/// The place of `name` in the list at `path`, if it still stands in it.
fn listed(path: FieldPath, names: Option<&[String]>, name: &str) -> FieldPath {
    let index = names.and_then(|names| names.iter().position(|other| other == name));
    index.map_or(path.clone(), |index| path.index(index))
}

/// With several tenants each call has to find its own.
fn check_reachable(assembled: &mut Assembled) {
    let tenants: Vec<&Tenant> = assembled.resources.tenants.values().map(|t| &t.tenant).collect();
    let mut faults = Vec::new();
    let mut fault = |tenant: &Tenant, path: FieldPath, reason: String| {
        let name = tenant.id.as_str().parse().expect("tenant and resource names obey the same rule");
        let key = ResourceKey { tenant: tenant.id.clone(), kind: Kind::Tenant, name };
        faults.push(Fault { key, error: FieldError { path, reason } });
    };
    let mut owners: BTreeMap<&str, &TenantId> = BTreeMap::new();
    for tenant in &tenants {
        let sip = FieldPath::spec().key("sip");
        if tenants.len() > 1 && tenant.sip.domains.is_empty() && tenant.sip.sources.is_empty() {
            let reason =
                "there are several tenants: domains or sources have to say which calls are this one's";
            fault(tenant, sip.clone(), reason.to_owned());
        }
        for (i, domain) in tenant.sip.domains.iter().enumerate() {
            let owner = owners.entry(domain).or_insert(&tenant.id);
            if **owner != tenant.id {
                fault(
                    tenant,
                    sip.key("domains").index(i),
                    format!("{domain:?} is the domain of tenant {owner}"),
                );
            }
        }
    }
    assembled.faults.extend(faults);
}
