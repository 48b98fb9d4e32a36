//! A call and its run-time state, as a person writes them down.

use anyhow::Context;
use domain::{
    CallFacts, Consent, ConsentMode, ConsentOutcome, ConsentSource, Direction, Override, Party, Sensitive,
    TenantId,
};
use policy::{MembershipChange, Policy, RunTime};
use serde::Deserialize;

/// The facts of a call; the tenant may be left out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Facts {
    pub tenant: Option<String>,
    call_id: String,
    direction: Option<Direction>,
    caller: Party,
    callee: Party,
    #[serde(rename = "override")]
    override_: Override,
    logged_on: Vec<Member>,
    logged_off: Vec<Member>,
    consent: Option<Answer>,
}

/// A user in a group, each by name or number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Member {
    group: String,
    user: Sensitive<String>,
}

/// The answer of who was asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    outcome: ConsentOutcome,
    /// What could be chosen; where it is not said, the mode that permits least.
    #[serde(default)]
    mode: Option<ConsentMode>,
    #[serde(default)]
    key: Option<char>,
}

impl Facts {
    /// The facts and the state as the policy takes them.
    pub fn into_call(self, tenant: TenantId, policy: &Policy) -> anyhow::Result<(CallFacts, RunTime)> {
        let mut changes = Vec::new();
        for (field, members, active) in
            [("loggedOff", &self.logged_off, false), ("loggedOn", &self.logged_on, true)]
        {
            for (i, member) in members.iter().enumerate() {
                policy.group_name(&member.group).with_context(|| {
                    format!("{field}[{i}].group: no Directory has a group {:?}", member.group)
                })?;
                anyhow::ensure!(
                    !policy.user_names(member.user.expose()).is_empty(),
                    "{field}[{i}].user: no Directory has a user of this name or number"
                );
                let (group, user) = (member.group.clone(), member.user.clone());
                changes.push(MembershipChange { group, user, active });
            }
        }
        let consent = self.consent.map(|answer| Consent {
            mode: answer.mode.unwrap_or(ConsentMode::OptIn),
            outcome: answer.outcome,
            key: answer.key,
            at_unix_us: 0,
            announcement: None,
            announcement_sha256: None,
            source: ConsentSource::Api,
        });
        let state = RunTime { memberships: policy.memberships(&changes), override_: Override::Auto, consent };
        let facts = CallFacts {
            tenant,
            call_id: self.call_id,
            direction: self.direction,
            caller: self.caller,
            callee: self.callee,
            override_by_pbx: self.override_,
        };
        Ok((facts, state))
    }
}
