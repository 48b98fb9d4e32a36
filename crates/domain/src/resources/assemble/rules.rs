//! Which version of a rule is in force.

use super::{
    Assembly, Resource,
    references::{RegulatedTargets, mixed_archives, unlocked},
};
use crate::{
    ResourceName,
    resources::{FieldError, FieldPath, Kind, Profile, RecordingRule, ResourceKey, TenantResources},
};

impl Assembly<'_> {
    /// The version of a rule that is in force, after a look at what it refers to.
    pub(super) fn rule_in_force(
        &mut self,
        key: &ResourceKey,
        rule: RecordingRule,
        regulated: &RegulatedTargets,
        resources: &mut TenantResources,
    ) -> Option<RecordingRule> {
        let errors = |of: &RecordingRule, assembly: &Self, resources: &TenantResources| {
            let mut errors = assembly.missing(of, resources);
            errors.extend(mixed_archives(of, regulated));
            errors.extend(unlocked(of, resources));
            errors
        };
        let found = errors(&rule, self, resources);
        // Also of a sound rule: what it names may be declared, but never have been good.
        if found.is_empty() {
            let in_force = self.with_what_is_known(rule, regulated, resources);
            if in_force.is_none() {
                let reason = "is not in force: an exception list or announcement that it names \
                              has no good version yet";
                let error = FieldError { path: FieldPath::spec(), reason: reason.to_owned() };
                self.report(key, vec![error]);
            }
            return in_force;
        }
        self.report(key, found);
        let last = self.last.get(key).cloned();
        if let Some(Resource::RecordingRule(last_rule)) = &last {
            let sound = errors(last_rule, self, resources).is_empty();
            let rule = if sound { (**last_rule).clone() } else { rule };
            self.out.good.insert(key.clone(), Resource::RecordingRule(last_rule.clone()));
            return self.with_what_is_known(rule, regulated, resources);
        }
        // Never good: it must not become the version that a later fault falls back to.
        self.out.good.remove(key);
        self.with_what_is_known(rule, regulated, resources)
    }

    /// `rule` without what is not known, after deleted lists and announcements that it still names
    /// were revived. Nothing if it is one of consent, and who is asked would not be protected or
    /// told.
    fn with_what_is_known(
        &mut self,
        mut rule: RecordingRule,
        regulated: &RegulatedTargets,
        resources: &mut TenantResources,
    ) -> Option<RecordingRule> {
        for name in &rule.exception_lists {
            self.revive(Kind::ExceptionList, name, resources);
        }
        for (_, name) in rule.named_announcements() {
            self.revive(Kind::Announcement, name, resources);
        }
        let list_known = |name: &ResourceName| resources.exception_lists.contains_key(name);
        let known = |name: &ResourceName| resources.announcements.contains_key(name);
        let announcements = &mut rule.announcements;
        let asked = [&announcements.inbound, &announcements.outbound];
        if rule.profile == Profile::Consent
            && !(rule.exception_lists.iter().all(list_known) && asked.into_iter().flatten().all(known))
        {
            return None;
        }
        rule.exception_lists.retain(list_known);
        announcements.inbound.take_if(|name| !known(name));
        announcements.outbound.take_if(|name| !known(name));
        if let Some(terms) = &mut rule.consent {
            terms.granted.take_if(|name| !known(name));
            terms.denied.take_if(|name| !known(name));
        }
        if !mixed_archives(&rule, regulated).is_empty() {
            rule.manual_recording = None;
        }
        Some(rule)
    }

    /// Puts the last version of a deleted list or announcement in force again.
    fn revive(&mut self, kind: Kind, name: &ResourceName, resources: &mut TenantResources) {
        let key = self.key(kind, name);
        if self.out.good.contains_key(&key) {
            return;
        }
        let Some(last) = self.last.get(&key) else { return };
        match last {
            Resource::ExceptionList(list) => {
                drop(resources.exception_lists.insert(name.clone(), list.clone()));
            }
            Resource::Announcement(audio) => {
                drop(resources.announcements.insert(name.clone(), audio.clone()));
            }
            _ => return,
        }
        self.out.good.insert(key, last.clone());
    }
}
