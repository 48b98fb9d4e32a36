//! `Directory`: the tenant's users, their numbers, and the groups they are in.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use super::{FieldError, FieldPath, field::Findings};

/// All users and groups of a tenant.
#[derive(Clone, Default)]
pub struct Directory {
    /// By user name.
    pub users: BTreeMap<String, User>,
    /// By group name.
    pub groups: BTreeMap<String, Group>,
}

/// A user of the PBX.
#[derive(Clone, Default)]
pub struct User {
    /// Every identity the user is known by: extension, direct number, address of record, mobile.
    pub identities: Vec<String>,
}

/// A group or queue of the PBX.
#[derive(Clone, Default)]
pub struct Group {
    /// Numbers that call the group.
    pub numbers: Vec<String>,
    /// User names of the members.
    pub members: Vec<String>,
}

// A directory is nothing but names and numbers of people: `Debug` counts them.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} users, {} groups)", self.users.len(), self.groups.len())
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({} identities)", self.identities.len())
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} numbers, {} members)", self.numbers.len(), self.members.len())
    }
}

impl Directory {
    /// Adds what stands in `other`. A user or group that is in both keeps what it has and gets the
    /// other's identities, numbers and members as well.
    pub fn merge(&mut self, other: &Self) {
        for (name, user) in &other.users {
            extend(&mut self.users.entry(name.clone()).or_default().identities, &user.identities);
        }
        for (name, group) in &other.groups {
            let mine = self.groups.entry(name.clone()).or_default();
            extend(&mut mine.numbers, &group.numbers);
            extend(&mut mine.members, &group.members);
        }
    }
}

fn extend(mine: &mut Vec<String>, others: &[String]) {
    for other in others {
        if !mine.contains(other) {
            mine.push(other.clone());
        }
    }
}

/// The raw form of a `Directory`.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DirectorySpec {
    /// By user name.
    pub users: BTreeMap<String, UserSpec>,
    /// By group name.
    pub groups: BTreeMap<String, GroupSpec>,
}

/// The raw form of a [`User`].
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UserSpec {
    /// See [`User::identities`].
    pub identities: Vec<String>,
}

/// The raw form of a [`Group`].
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GroupSpec {
    /// See [`Group::numbers`].
    pub numbers: Vec<String>,
    /// See [`Group::members`].
    pub members: Vec<String>,
}

impl fmt::Debug for DirectorySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectorySpec({} users, {} groups)", self.users.len(), self.groups.len())
    }
}

impl DirectorySpec {
    /// The validated directory, or everything that is wrong. Whether members are users is seen
    /// only when all directories of the tenant are together.
    pub fn validate(&self) -> Result<Directory, Vec<FieldError>> {
        let mut findings = Findings::default();
        let mut directory = Directory::default();
        let users = FieldPath::spec().key("users");
        for (name, user) in &self.users {
            not_empty(&user.identities, &users.person(name).key("identities"), &mut findings);
            directory.users.insert(name.clone(), User { identities: user.identities.clone() });
        }
        let groups = FieldPath::spec().key("groups");
        for (name, group) in &self.groups {
            let path = groups.key(name);
            not_empty(&group.numbers, &path.key("numbers"), &mut findings);
            not_empty(&group.members, &path.key("members"), &mut findings);
            let group = Group { numbers: group.numbers.clone(), members: group.members.clone() };
            directory.groups.insert(name.clone(), group);
        }
        findings.finish(Some(directory))
    }
}

fn not_empty(texts: &[String], path: &FieldPath, findings: &mut Findings) {
    for (i, _) in texts.iter().enumerate().filter(|(_, text)| text.trim().is_empty()) {
        findings.add(path.index(i), "must not be empty");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_a_user_names_the_field_and_not_the_person() {
        let user = UserSpec { identities: vec!["22".into(), " ".into()] };
        let spec = DirectorySpec { users: [("erika".to_owned(), user)].into(), ..Default::default() };
        let errors = spec.validate().unwrap_err();
        assert_eq!(errors[0].to_string(), "spec.users.‹user›.identities[1]: must not be empty");
    }

    #[test]
    fn debug_shows_neither_names_nor_numbers() {
        let mut directory = Directory::default();
        directory.users.insert("erika".into(), User { identities: vec!["+4970311234".into()] });
        assert_eq!(
            format!("{directory:?} {:?}", directory.users.values().next()),
            "Directory(1 users, 0 groups) Some(User(1 identities))"
        );
    }
}
