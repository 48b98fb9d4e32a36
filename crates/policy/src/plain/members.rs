//! Whom a rule covers (F-04).

use std::{collections::BTreeMap, fmt};

use domain::resources::{RecordingRule, Scope, TenantResources};

/// A user whom a rule covers.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// Name of the user: of a person.
    pub user: String,
    /// Why the rule covers the user; never empty, the rule's own choice first.
    pub through: Vec<Through>,
}

/// Why a rule covers a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Through {
    /// The rule names the user, or is for all.
    Itself,
    /// The rule is for a group, of which the user is a member.
    Group(String),
}

// The name is a person's.
impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("through", &self.through).finish_non_exhaustive()
    }
}

/// The users whom `rule` covers by the directory, by name. Members who are logged off from a group
/// at the moment are among them; users who are logged on to it without being listed are not: that
/// is known at run time only (F-08).
pub fn members(rule: &RecordingRule, resources: &TenantResources) -> Vec<Member> {
    let directory = &resources.directory;
    let mut found: BTreeMap<&str, Vec<Through>> = BTreeMap::new();
    match &rule.scope {
        Scope::All | Scope::AllUsers => {
            found.extend(directory.users.keys().map(|user| (user.as_str(), vec![Through::Itself])));
        }
        Scope::Selected { groups, users, .. } => {
            let known = |user: &&String| directory.users.contains_key(*user);
            for user in users.iter().filter(known) {
                found.entry(user).or_default().push(Through::Itself);
            }
            for (name, group) in groups.iter().filter_map(|name| directory.groups.get_key_value(name)) {
                for user in group.members.iter().filter(known) {
                    let through = Through::Group(name.clone());
                    let all = found.entry(user).or_default();
                    if !all.contains(&through) {
                        all.push(through);
                    }
                }
            }
        }
    }
    found.into_iter().map(|(user, through)| Member { user: user.to_owned(), through }).collect()
}
