//! What may be done to a call while it lasts: recorded by hand, stopped, started anew (F-17, F-18,
//! F-32).

use domain::{CallFacts, Class, Override, Recorded, ResourceName};

use crate::{
    Policy, RunTime,
    call::Call,
    decided::{Reason, Ruling},
    people::Index,
};

/// Why a user may not record a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManualRefused {
    /// Nobody of that name or identity is in the directory.
    #[error("the user is not in any Directory of the tenant")]
    UnknownUser,
    /// The user has no part in the call.
    #[error("the user is not a party of this call")]
    NotAParty,
    /// No rule lets this user record.
    #[error("no enabled rule that covers the user has a section manualRecording")]
    NotPermitted,
    /// F-13.
    #[error("a number of the call holds a star: feature codes are never recorded")]
    FeatureCode,
    /// F-16.
    #[error("the PBX asked that this call is never recorded (override deny)")]
    Denied,
    /// Recorded by law already, or stopped: nobody starts such a recording by hand.
    #[error(
        "rule {0} records this call by legal duty: it cannot be recorded by hand as well, nor anew after a stop"
    )]
    RecordedByDuty(ResourceName),
    /// The question is still open.
    #[error("rule {0} asks for consent to record this call, and there is no answer yet")]
    ConsentOpen(ResourceName),
    /// The other side did not agree.
    #[error("the other side did not consent to being recorded")]
    NoConsent,
    /// F-15.
    #[error("the outside number is on the exception list {0}")]
    Excepted(ResourceName),
}

/// Why a user may not stop a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopRefused {
    /// Nobody of that name or identity is in the directory.
    #[error("the user is not in any Directory of the tenant")]
    UnknownUser,
    /// The user has no part in the call.
    #[error("the user is not a party of this call")]
    NotAParty,
}

/// Why a recording may not go on after a stop, or begin late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResumeRefused {
    /// F-18.
    #[error(
        "a recording by legal duty begins with the call and is whole: it cannot begin late, pause, or go on after a stop"
    )]
    LegalDuty,
}

impl Policy {
    /// How `user` (a name, or any identity) may record this call by hand (F-17): by the first
    /// enabled rule that covers the user and permits it. Where the other side was asked for consent
    /// and gave it, the recording names the proof.
    ///
    /// # Errors
    /// Why not; the first of the reasons in the order of [`ManualRefused`] after override and star.
    pub fn manual_recording(
        &self,
        facts: &CallFacts,
        user: &str,
        state: &RunTime,
        time: jiff::Timestamp,
    ) -> Result<Recorded, ManualRefused> {
        let call = self.call(facts, state);
        let users = self.people.find_users(user, &self.plan);
        if users.is_empty() {
            return Err(ManualRefused::UnknownUser);
        }
        let parties: Vec<Index> =
            users.into_iter().filter(|user| self.is_party(*user, &call, state)).collect();
        if parties.is_empty() {
            return Err(ManualRefused::NotAParty);
        }
        let wish = if state.override_ == Override::Auto { facts.override_by_pbx } else { state.override_ };
        if wish == Override::Deny {
            return Err(ManualRefused::Denied);
        }
        if call.has_star {
            return Err(ManualRefused::FeatureCode);
        }
        let (rule, manual) = parties
            .iter()
            .flat_map(|user| self.permitting(*user, state))
            .min_by_key(|(rule, _)| *rule)
            .ok_or(ManualRefused::NotPermitted)?;
        self.check_rules(facts, state, time)?;
        let rule = &self.rules[rule];
        if let Some(list) = rule.conditions.exception(&call) {
            return Err(ManualRefused::Excepted(rule.conditions.exceptions[list].0.clone()));
        }
        let consent = state.consent.clone();
        if consent.as_ref().is_some_and(|answer| !answer.permits()) {
            return Err(ManualRefused::NoConsent);
        }
        Ok(Recorded { consent, ..rule.recorded_by_hand(manual, &call, &self.keys) })
    }

    /// Whether `user` (a name, or any identity) may stop the recording of this call: every user who
    /// is a party may, whatever the class. The stop is an event that names the user (F-32).
    ///
    /// # Errors
    /// The user is unknown, or not a party.
    pub fn may_stop(&self, facts: &CallFacts, user: &str, state: &RunTime) -> Result<(), StopRefused> {
        let users = self.people.find_users(user, &self.plan);
        if users.is_empty() {
            return Err(StopRefused::UnknownUser);
        }
        let call = self.call(facts, state);
        let party = users.into_iter().any(|user| self.is_party(user, &call, state));
        if party { Ok(()) } else { Err(StopRefused::NotAParty) }
    }

    /// One of the two, or an active member of the group that was called: the PBX need not say who
    /// of them answered.
    fn is_party(&self, user: Index, call: &Call<'_>, state: &RunTime) -> bool {
        let mut party = call.caller.users.contains(&user) || call.callee.users.contains(&user);
        self.people
            .active_groups(user, &state.memberships, |group| party |= call.callee.groups.contains(&group));
        party
    }

    /// The first enabled rule that covers `user` and permits manual recordings.
    fn permitting(
        &self,
        user: Index,
        state: &RunTime,
    ) -> Option<(usize, &domain::resources::ManualRecording)> {
        let covered = self.scopes.of_user(user, &state.memberships, &self.people);
        let rules = self.rules.iter().enumerate();
        rules
            .filter(|(rule, compiled)| compiled.conditions.enabled && covered.by(*rule))
            .find_map(|(rule, compiled)| Some((rule, compiled.manual.as_ref()?)))
    }

    /// What the rules say about this call goes before what a user wants.
    fn check_rules(
        &self,
        facts: &CallFacts,
        state: &RunTime,
        time: jiff::Timestamp,
    ) -> Result<(), ManualRefused> {
        let name = |rule: usize| self.rules[rule].name.clone();
        match self.decide(facts, state, time).ruling {
            Ruling::Record { rule, .. } if self.rules[rule].class == Class::Regulated => {
                Err(ManualRefused::RecordedByDuty(name(rule)))
            }
            Ruling::Ask { rule } => Err(ManualRefused::ConsentOpen(name(rule))),
            Ruling::Not(Reason::NotPermitted { .. }) => Err(ManualRefused::NoConsent),
            Ruling::Record { .. } | Ruling::Not(_) => Ok(()),
        }
    }
}

/// Whether a recording of this class may go on after a stop, or begin in mid-call.
///
/// # Errors
/// Not by legal duty.
pub const fn may_resume(class: Class) -> Result<(), ResumeRefused> {
    match class {
        Class::Regulated => Err(ResumeRefused::LegalDuty),
        Class::Consent | Class::Manual => Ok(()),
    }
}
