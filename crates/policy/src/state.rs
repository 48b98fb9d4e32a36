//! What is known of a call at run time beside its facts: who is logged on, what the PBX wishes, what
//! the other side answered.

use std::{collections::HashMap, fmt, sync::Arc};

use domain::{Consent, Override, Sensitive};

use crate::Policy;

/// Run-time state, as it is when a call is decided. By default nothing was said at run time.
#[derive(Debug, Clone, Default)]
pub struct RunTime {
    /// Who logged on and off (F-08).
    pub memberships: Memberships,
    /// What the PBX wishes for this call, said through the API (F-16). Anything but `auto` goes
    /// before what was said in signalling.
    pub override_: Override,
    /// The answer stored for this call.
    pub consent: Option<Consent>,
}

/// Somebody logged on to a group, or off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// The group's name, or one of its numbers.
    pub group: String,
    /// The user's name, or one of the user's identities.
    pub user: Sensitive<String>,
    /// Logged on, or off.
    pub active: bool,
}

/// Changes of membership against what the `Directory` says, by names: they stay good when the
/// policy is compiled anew. Cheap to clone.
#[derive(Clone, Default)]
pub struct Memberships(Arc<HashMap<String, HashMap<String, bool>>>);

impl fmt::Debug for Memberships {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memberships(of {} users)", self.0.len())
    }
}

impl Memberships {
    /// What was said last about each group for this user.
    pub(crate) fn of(&self, user: &str) -> Option<&HashMap<String, bool>> {
        if self.0.is_empty() { None } else { self.0.get(user) }
    }
}

impl Policy {
    /// Compiles changes, the later one of the same group and user wins. Groups and users that the
    /// directory does not know are left out: ask [`group_name`](Self::group_name) and
    /// [`user_names`](Self::user_names) before.
    pub fn memberships(&self, changes: &[MembershipChange]) -> Memberships {
        let mut by_user: HashMap<String, HashMap<String, bool>> = HashMap::new();
        for change in changes {
            let Some(group) = self.group_name(&change.group) else { continue };
            for user in self.user_names(change.user.expose()) {
                by_user.entry(user.to_owned()).or_default().insert(group.to_owned(), change.active);
            }
        }
        Memberships(Arc::new(by_user))
    }

    /// The name of the group that is called so, or has this number.
    pub fn group_name(&self, text: &str) -> Option<&str> {
        self.people.find_group(text, &self.plan).map(|group| self.people.group_name(group))
    }

    /// The names of the users who are called so, or have this identity. Several if they share a
    /// number.
    pub fn user_names(&self, text: &str) -> Vec<&str> {
        self.people.find_users(text, &self.plan).into_iter().map(|user| self.people.user_name(user)).collect()
    }
}
