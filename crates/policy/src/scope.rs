//! Whose calls (F-03), for all rules at once: a call is in the scope of a rule if the rule's bit is
//! set. Looking each rule's users up for every call would cost more than all other conditions.

use std::{collections::HashMap, fmt};

use domain::resources::{RecordingRule, Scope};

use crate::{
    people::{Index, People, Who},
    state::Memberships,
};

/// One bit for each rule.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Covered(Vec<u64>);

impl fmt::Debug for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Covered({} rules)", self.0.iter().map(|word| word.count_ones()).sum::<u32>())
    }
}

impl Covered {
    fn none(rules: usize) -> Self {
        Self(vec![0; rules.div_ceil(64)])
    }

    fn set(&mut self, rule: usize) {
        self.0[rule / 64] |= 1 << (rule % 64);
    }

    fn add(&mut self, other: &Self) {
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            *mine |= others;
        }
    }

    /// True if the call is in the scope of this rule.
    pub fn by(&self, rule: usize) -> bool {
        self.0[rule / 64] & (1 << (rule % 64)) != 0
    }
}

/// The scopes of all rules.
#[derive(Debug)]
pub(crate) struct Scopes {
    /// Rules for all calls.
    all: Covered,
    /// Rules for calls by users and to users directly.
    all_users: Covered,
    /// Rules that select a user: calls from and to the user.
    by_user: HashMap<Index, Covered>,
    /// By group: rules that select it. Calls to the group (F-06), and by its active members (F-07).
    by_group: Vec<Covered>,
    /// By group: rules that want direct calls to its active members, too (F-09).
    direct: Vec<Covered>,
}

impl Scopes {
    pub fn new(rules: &[RecordingRule], people: &People) -> Self {
        let none = Covered::none(rules.len());
        let mut scopes = Self {
            all: none.clone(),
            all_users: none.clone(),
            by_user: HashMap::new(),
            by_group: vec![none.clone(); people.groups()],
            direct: vec![none.clone(); people.groups()],
        };
        for (rule, scope) in rules.iter().map(|rule| &rule.scope).enumerate() {
            match scope {
                Scope::All => scopes.all.set(rule),
                Scope::AllUsers => scopes.all_users.set(rule),
                Scope::Selected { groups, users, direct_calls_to_members } => {
                    for user in users.iter().filter_map(|user| people.user(user)) {
                        scopes.by_user.entry(user).or_insert_with(|| none.clone()).set(rule);
                    }
                    for group in groups.iter().filter_map(|group| people.group(group)) {
                        scopes.by_group[group].set(rule);
                        if *direct_calls_to_members {
                            scopes.direct[group].set(rule);
                        }
                    }
                }
            }
        }
        scopes
    }

    /// The rules in whose scope a call is. User-to-user calls are covered if *either* side is (F-10).
    pub fn covered(&self, caller: &Who, callee: &Who, memberships: &Memberships, people: &People) -> Covered {
        let mut covered = self.all.clone();
        if !caller.users.is_empty() || callee.is_user_directly() {
            covered.add(&self.all_users);
        }
        for user in caller.users.iter().chain(&callee.users) {
            covered.add_of(self.by_user.get(user));
        }
        for group in &callee.groups {
            covered.add(&self.by_group[*group]);
        }
        for user in &caller.users {
            people.active_groups(*user, memberships, |group| covered.add(&self.by_group[group]));
        }
        if callee.is_user_directly() {
            for user in &callee.users {
                people.active_groups(*user, memberships, |group| covered.add(&self.direct[group]));
            }
        }
        covered
    }

    /// The rules that cover a user, whatever the call (F-17).
    pub fn of_user(&self, user: Index, memberships: &Memberships, people: &People) -> Covered {
        let mut covered = self.all.clone();
        covered.add(&self.all_users);
        covered.add_of(self.by_user.get(&user));
        people.active_groups(user, memberships, |group| covered.add(&self.by_group[group]));
        covered
    }
}

impl Covered {
    fn add_of(&mut self, other: Option<&Self>) {
        if let Some(other) = other {
            self.add(other);
        }
    }
}
