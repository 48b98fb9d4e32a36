//! `Directory`: the tenant's users, their numbers, and the groups they are in.

use std::collections::BTreeMap;

/// All users and groups of a tenant.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// By user name.
    pub users: BTreeMap<String, User>,
    /// By group name.
    pub groups: BTreeMap<String, Group>,
}

/// A user of the PBX.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// Every identity the user is known by: extension, direct number, address of record, mobile.
    pub identities: Vec<String>,
}

/// A group or queue of the PBX.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Numbers that call the group.
    pub numbers: Vec<String>,
    /// User names of the members.
    pub members: Vec<String>,
}
