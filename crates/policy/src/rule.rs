//! A rule, compiled into conditions and what it orders.

use std::collections::BTreeSet;

use domain::{
    Channels, Class, ResourceName,
    resources::{self, RecordingRule, TenantResources},
};

use crate::{
    condition::{Call, Condition, Pattern, Scope},
    number::NumberPlan,
    people::People,
};

#[derive(Debug)]
pub(crate) struct Rule {
    pub name: ResourceName,
    pub class: Class,
    pub channels: Channels,
    pub targets: Vec<ResourceName>,
    pub journals: Vec<ResourceName>,
    /// All have to be met; tested in this order.
    conditions: Vec<Condition>,
}

impl Rule {
    pub fn new(
        rule: &RecordingRule,
        resources: &TenantResources,
        people: &People,
        plan: &NumberPlan,
    ) -> Self {
        let patterns = |patterns: &[resources::NumberPattern]| -> Vec<Pattern> {
            patterns.iter().map(|pattern| Pattern::new(pattern, plan)).collect()
        };
        let mut conditions = vec![
            Condition::Enabled(rule.enabled),
            Condition::Directions(rule.directions.clone()),
            Condition::Scope(scope(&rule.scope, people)),
        ];
        if !rule.numbers.is_empty() {
            conditions.push(Condition::Numbers(patterns(&rule.numbers)));
        }
        for name in &rule.exception_lists {
            if let Some(list) = resources.exception_lists.get(name) {
                conditions.push(Condition::NotOnList(name.clone(), patterns(&list.entries)));
            }
        }
        Self {
            name: rule.name.clone(),
            class: rule.profile.class(),
            channels: rule.channels,
            targets: rule.targets.clone(),
            journals: rule.journals.clone(),
            conditions,
        }
    }

    /// The first condition that `call` does not meet, in words; `None` if the rule matches.
    pub fn first_failed(&self, call: &Call) -> Option<String> {
        self.conditions.iter().find_map(|condition| condition.failure(call))
    }
}

fn scope(scope: &resources::Scope, people: &People) -> Scope {
    match scope {
        resources::Scope::All => Scope::All,
        resources::Scope::AllUsers => Scope::AllUsers,
        resources::Scope::Selected { groups, users, direct_calls_to_members } => {
            let groups: BTreeSet<_> = groups.iter().filter_map(|group| people.group(group)).collect();
            Scope::Selected {
                users: users.iter().filter_map(|user| people.user(user)).collect(),
                members: groups.iter().flat_map(|group| people.members(*group)).copied().collect(),
                groups,
                direct_calls_to_members: *direct_calls_to_members,
            }
        }
    }
}
