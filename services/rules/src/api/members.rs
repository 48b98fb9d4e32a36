//! Logging on and off (F-08).

use std::collections::BTreeMap;

use wire::control_v1::{
    ListMembershipsRequest, ListMembershipsResponse, Membership, SetMembershipRequest, SetMembershipResponse,
};

use super::{ApiError, ControlApi, Operation};
use crate::{in_force::TenantInForce, state::Member};

impl Operation for SetMembershipRequest {
    const NAME: &'static str = "SetMembership";
    type Answer = SetMembershipResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<SetMembershipResponse, ApiError> {
        let group = tenant.group_named(&self.group)?;
        let user = tenant.user_named(&self.user)?;
        let active = self.active.ok_or_else(|| {
            ApiError::Invalid("field active: say true to log on, false to log off".to_owned())
        })?;
        let state = api.memberships.set(tenant.id(), &group, &user, active).await;
        let state = state.map_err(|e| ApiError::state(&e))?;
        let listed = tenant.lists(&group, &user);
        Ok(SetMembershipResponse { membership: Some(membership(&user, listed, Some(state))) })
    }
}

impl Operation for ListMembershipsRequest {
    const NAME: &'static str = "ListMemberships";
    type Answer = ListMembershipsResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, _: &ControlApi, tenant: &TenantInForce) -> Result<ListMembershipsResponse, ApiError> {
        let group = tenant.group_named(&self.group)?;
        let directory = &tenant.resources().directory;
        let listed = directory.groups.get(&group).map(|group| group.members.as_slice()).unwrap_or_default();
        let mut members: BTreeMap<&str, Option<Member>> =
            listed.iter().map(|user| (user.as_str(), None)).collect();
        for ((_, user), state) in tenant.members().iter().filter(|((of, _), _)| *of == group) {
            // Who left the Directory is nobody's member; who logged on and off again, neither.
            let known = directory.users.contains_key(user);
            if known && (state.active || listed.contains(user)) {
                members.insert(user, Some(*state));
            }
        }
        let members = members
            .into_iter()
            .map(|(user, state)| membership(user, listed.iter().any(|listed| listed == user), state));
        Ok(ListMembershipsResponse { members: members.collect() })
    }
}

impl TenantInForce {
    fn lists(&self, group: &str, user: &str) -> bool {
        let groups = &self.resources().directory.groups;
        groups.get(group).is_some_and(|group| group.members.iter().any(|member| member == user))
    }
}

/// A listed member is active until logged off.
fn membership(user: &str, listed: bool, state: Option<Member>) -> Membership {
    Membership {
        user: user.to_owned(),
        active: state.map_or(listed, |state| state.active),
        listed,
        changed_at: state.map(|state| super::calls::rfc3339(state.changed_unix_us)).unwrap_or_default(),
    }
}
