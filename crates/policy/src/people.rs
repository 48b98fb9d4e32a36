//! Who is behind a number: users and groups by identity.

use std::{collections::HashMap, fmt};

use domain::{Party, resources::Directory};

use crate::{number::NumberPlan, state::Memberships};

/// A user's or group's position in [`People`].
pub(crate) type Index = usize;

/// The directory, turned round: from identity to who it is.
#[derive(Default)]
pub(crate) struct People {
    user_names: Vec<String>,
    group_names: Vec<String>,
    users: HashMap<String, Index>,
    groups: HashMap<String, Index>,
    identities: HashMap<String, Who>,
    /// By user: the groups that the directory puts the user in.
    groups_of_user: Vec<Vec<Index>>,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({} users, {} groups)", self.users.len(), self.groups.len())
    }
}

/// Who one side of a call is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// Users who have one of the side's identities. Several if they share a number.
    pub users: Vec<Index>,
    /// Groups that are called by one of the side's identities.
    pub groups: Vec<Index>,
}

impl Who {
    /// True if it is one of the tenant's own.
    pub fn is_known(&self) -> bool {
        !self.users.is_empty() || !self.groups.is_empty()
    }

    /// Addressed to a user directly: a call that reached a user through a group came with the
    /// group's number.
    pub fn is_user_directly(&self) -> bool {
        !self.users.is_empty() && self.groups.is_empty()
    }

    fn add(&mut self, other: &Self) {
        add(&mut self.users, &other.users);
        add(&mut self.groups, &other.groups);
    }
}

fn add(mine: &mut Vec<Index>, others: &[Index]) {
    for other in others {
        if !mine.contains(other) {
            mine.push(*other);
        }
    }
}

impl People {
    pub fn new(directory: &Directory, plan: &NumberPlan) -> Self {
        let mut people = Self::default();
        for (index, (name, user)) in directory.users.iter().enumerate() {
            people.user_names.push(name.clone());
            people.users.insert(name.clone(), index);
            for identity in &user.identities {
                add(&mut people.identities.entry(plan.canonical(identity)).or_default().users, &[index]);
            }
        }
        people.groups_of_user = vec![Vec::new(); people.user_names.len()];
        for (index, (name, group)) in directory.groups.iter().enumerate() {
            people.group_names.push(name.clone());
            people.groups.insert(name.clone(), index);
            for number in &group.numbers {
                add(&mut people.identities.entry(plan.canonical(number)).or_default().groups, &[index]);
            }
            for member in group.members.iter().filter_map(|member| people.users.get(member)) {
                add(&mut people.groups_of_user[*member], &[index]);
            }
        }
        people
    }

    /// How many groups there are.
    pub const fn groups(&self) -> usize {
        self.group_names.len()
    }

    pub fn user(&self, name: &str) -> Option<Index> {
        self.users.get(name).copied()
    }

    pub fn group(&self, name: &str) -> Option<Index> {
        self.groups.get(name).copied()
    }

    pub fn user_name(&self, user: Index) -> &str {
        &self.user_names[user]
    }

    pub fn group_name(&self, group: Index) -> &str {
        &self.group_names[group]
    }

    /// By name, else by identity.
    pub fn find_users(&self, text: &str, plan: &NumberPlan) -> Vec<Index> {
        self.user(text).map_or_else(|| self.identified(text, plan).users, |user| vec![user])
    }

    /// By name, else by number.
    pub fn find_group(&self, text: &str, plan: &NumberPlan) -> Option<Index> {
        self.group(text).or_else(|| self.identified(text, plan).groups.first().copied())
    }

    /// The groups in which `user` is active (F-08): those of the directory without those that the
    /// user logged off from, and all that the user logged on to.
    pub fn active_groups(&self, user: Index, memberships: &Memberships, mut each: impl FnMut(Index)) {
        let changes = memberships.of(&self.user_names[user]);
        let listed = &self.groups_of_user[user];
        let Some(changes) = changes else { return listed.iter().copied().for_each(each) };
        for group in listed {
            if changes.get(&self.group_names[*group]) != Some(&false) {
                each(*group);
            }
        }
        for (group, _) in changes.iter().filter(|(_, active)| **active) {
            if let Some(group) = self.group(group).filter(|group| !listed.contains(group)) {
                each(group);
            }
        }
    }

    /// Who `party` is, by its number and all its other identities (F-11: forwarded calls come with
    /// the mobile's or the home office's number). What was dialled may begin with the digits for an
    /// outside line.
    pub fn who(&self, party: &Party, dialled: bool, plan: &NumberPlan) -> Who {
        let mut who = Who::default();
        for identity in party.all_identities() {
            self.add_identified(&mut who, identity, plan);
            if dialled {
                let behind = plan.behind_outside_line(identity);
                who.add_found(behind.and_then(|number| self.identities.get(&number)));
            }
        }
        who
    }

    fn identified(&self, identity: &str, plan: &NumberPlan) -> Who {
        let mut who = Who::default();
        self.add_identified(&mut who, identity, plan);
        who
    }

    /// An address is looked up whole, then by its user part: PBXs write the same extension with
    /// different hosts.
    fn add_identified(&self, who: &mut Who, identity: &str, plan: &NumberPlan) {
        who.add_found(self.identities.get(&plan.canonical(identity)));
        who.add_found(plan.user_part(identity).and_then(|user| self.identities.get(&user)));
    }
}

impl Who {
    fn add_found(&mut self, found: Option<&Self>) {
        if let Some(found) = found {
            self.add(found);
        }
    }
}
