//! Who is behind a number: users and groups by identity.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use domain::{Party, resources::Directory};

use crate::number::NumberPlan;

/// A user's or group's position in [`People`].
pub(crate) type Index = usize;

/// The directory, turned round: from identity to who it is.
#[derive(Default)]
pub(crate) struct People {
    users: HashMap<String, Index>,
    groups: HashMap<String, Index>,
    user_identities: HashMap<String, BTreeSet<Index>>,
    group_numbers: HashMap<String, BTreeSet<Index>>,
    /// Members by group.
    members: Vec<BTreeSet<Index>>,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({} users, {} groups)", self.users.len(), self.groups.len())
    }
}

/// Who one side of a call is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    /// Users who have one of the side's identities. Several if they share a number.
    pub users: BTreeSet<Index>,
    /// Groups that are called by one of the side's identities.
    pub groups: BTreeSet<Index>,
}

impl Who {
    /// True if it is one of the tenant's own.
    pub fn is_known(&self) -> bool {
        !self.users.is_empty() || !self.groups.is_empty()
    }
}

impl People {
    pub fn new(directory: &Directory, plan: &NumberPlan) -> Self {
        let mut people = Self::default();
        for (index, (name, user)) in directory.users.iter().enumerate() {
            people.users.insert(name.clone(), index);
            for identity in &user.identities {
                people.user_identities.entry(plan.canonical(identity)).or_default().insert(index);
            }
        }
        for (index, (name, group)) in directory.groups.iter().enumerate() {
            people.groups.insert(name.clone(), index);
            for number in &group.numbers {
                people.group_numbers.entry(plan.canonical(number)).or_default().insert(index);
            }
            let members = group.members.iter().filter_map(|member| people.users.get(member).copied());
            people.members.push(members.collect());
        }
        people
    }

    pub fn user(&self, name: &str) -> Option<Index> {
        self.users.get(name).copied()
    }

    pub fn group(&self, name: &str) -> Option<Index> {
        self.groups.get(name).copied()
    }

    /// The members of a group.
    pub fn members(&self, group: Index) -> &BTreeSet<Index> {
        &self.members[group]
    }

    /// Who `party` is, by its number and all its other identities (F-11: forwarded calls come with
    /// the mobile's or the home office's number). An address is looked up whole, then by its user
    /// part: PBXs write the same extension with different hosts.
    pub fn who(&self, party: &Party, plan: &NumberPlan) -> Who {
        let mut who = Who::default();
        for identity in party.all_identities() {
            for spelling in [Some(plan.canonical(identity)), plan.user_part(identity)].into_iter().flatten() {
                who.users.extend(self.user_identities.get(&spelling).into_iter().flatten());
                who.groups.extend(self.group_numbers.get(&spelling).into_iter().flatten());
            }
        }
        who
    }
}
