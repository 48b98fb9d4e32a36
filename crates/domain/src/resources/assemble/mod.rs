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
//!    known is not in force, since it would record people who were promised that it does not; nor is
//!    one whose announcement was never known, since it would record people who were told nothing.
//! 3. A deleted exception list or announcement that a rule still names keeps its last version.
//! 4. Manual recordings never go to a target of recordings by legal duty: until such a rule is
//!    mended it records as ever, but permits no manual recording (F-17).
//! 5. A token of the API is never revived: who deletes its secret wants it to be of no more use.

mod reachable;
mod references;
mod rules;
mod tenant;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Announcement, AudioLibrary, Directory, ExceptionList, FieldError, JournalTarget, Kind, RawResource,
    RecordingRule, ResourceKey, Resources, Secret, Secrets, StorageTarget, Tenant, TenantResources,
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
    Tenant(Box<Tenant>),
    Secret(Secret),
    Directory(Directory),
    ExceptionList(ExceptionList),
    Announcement(Announcement),
    StorageTarget(Box<StorageTarget>),
    JournalTarget(Box<JournalTarget>),
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
    /// first time); `library` reads and checks what announcements consist of.
    pub fn assemble(
        declared: &BTreeMap<ResourceKey, Declared>,
        last: &LastGood,
        library: &dyn AudioLibrary,
    ) -> Assembled {
        let mut assembled = Assembled::default();
        let tenants: BTreeSet<&TenantId> = declared.keys().map(|key| &key.tenant).collect();
        for tenant in tenants {
            let secrets = Secrets::default();
            Assembly { tenant, declared, last, library, out: &mut assembled, secrets }.run();
        }
        reachable::check(&mut assembled);
        assembled
    }
}

/// The work on one tenant.
struct Assembly<'a> {
    tenant: &'a TenantId,
    declared: &'a BTreeMap<ResourceKey, Declared>,
    last: &'a LastGood,
    library: &'a dyn AudioLibrary,
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
            Resource::Tenant(tenant) => Some((**tenant).clone()),
            _ => None,
        });
        // Without its tenant nothing can be in force: not even the time zone is known.
        if let Some(tenant) = tenant {
            let tenant = self.tenant_in_force(tenant);
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
            RawResource::Tenant(spec) => {
                spec.validate(key.tenant.clone()).map(|tenant| Resource::Tenant(Box::new(tenant)))
            }
            RawResource::Secret(spec) => spec.validate().map(Resource::Secret),
            RawResource::Directory(spec) => spec.validate().map(Resource::Directory),
            RawResource::ExceptionList(spec) => spec.validate(name()).map(Resource::ExceptionList),
            RawResource::Announcement(spec) => spec.validate(key, self.library).map(Resource::Announcement),
            RawResource::StorageTarget(spec) => {
                spec.validate(name(), &self.secrets).map(Box::new).map(Resource::StorageTarget)
            }
            RawResource::JournalTarget(spec) => {
                spec.validate(name(), &self.secrets).map(Box::new).map(Resource::JournalTarget)
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
                Resource::Announcement(audio) => drop(resources.announcements.insert(name, audio)),
                Resource::StorageTarget(target) => drop(resources.storage_targets.insert(name, *target)),
                Resource::JournalTarget(journal) => drop(resources.journal_targets.insert(name, *journal)),
                Resource::RecordingRule(rule) => rules.push((key.clone(), *rule)),
            }
        }
        self.check_members(&resources.directory);
        let regulated = references::regulated_targets(rules.iter().map(|(_, rule)| rule));
        for (key, rule) in rules {
            if let Some(rule) = self.rule_in_force(&key, rule, &regulated, &mut resources) {
                resources.rules.push(rule);
            }
        }
        resources.rules.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        resources
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
