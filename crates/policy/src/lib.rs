//! The decision core: policy, facts and time in, decision and trace out; no I/O.
//!
//! [`Policy::new`] compiles a tenant's resources once; [`Policy::decide`] then costs microseconds.
//!
//! ```text
//! override deny? ─► star? ─► override manual? ─► rule by rule, the first that matches ─► force?
//!                                                            │
//!                                     profile consent: answer stored? ─► record, ask or not
//! ```

mod call;
mod condition;
pub mod consent;
mod control;
mod decided;
mod lists;
mod number;
mod people;
pub mod plain;
mod rule;
mod scope;
mod state;

pub use control::{ManualRefused, ResumeRefused, StopRefused, may_resume};
pub use decided::Decided;
use domain::{CallFacts, Consent, Decision, Override, resources::TenantResources};
pub use plain::{Member, Through, members};
pub use state::{MembershipChange, Memberships, RunTime};

use crate::{
    call::Call,
    decided::{Reason, Ruling, Step},
    lists::{Lists, Named},
    number::NumberPlan,
    people::People,
    rule::{Keys, Rule},
    scope::Scopes,
};

/// The compiled policy of one tenant.
#[derive(Debug)]
pub struct Policy {
    plan: NumberPlan,
    people: People,
    rules: Vec<Rule>,
    scopes: Scopes,
    lists: Lists,
    keys: Keys,
    /// Where forced calls go that no rule matches.
    forced_calls_rule: Option<usize>,
}

impl Policy {
    /// Compiles the resources of a tenant.
    pub fn new(resources: &TenantResources) -> Self {
        let tenant = &resources.tenant;
        let plan = NumberPlan::new(tenant.country.as_deref(), &tenant.numbers);
        let people = People::new(&resources.directory, &plan);
        let scopes = Scopes::new(&resources.rules, &people);
        let (mut lists, mut named) = (Lists::default(), Named::default());
        let compile = |rule| Rule::new(rule, resources, &plan, &mut lists, &mut named);
        let rules: Vec<Rule> = resources.rules.iter().map(compile).collect();
        let forced = tenant.forced_calls_rule.as_ref();
        let forced_calls_rule = forced.and_then(|name| rules.iter().position(|rule| rule.name == *name));
        let keys = Keys { stop_code: tenant.stop_code.clone(), in_band: tenant.in_band_keys };
        Self { plan, people, rules, scopes, lists, keys, forced_calls_rule }
    }

    /// Decides about one call. `time` is when the call began; rules do not depend on it yet.
    pub fn decide(&self, facts: &CallFacts, state: &RunTime, _time: jiff::Timestamp) -> Decided<'_> {
        self.decide_call(&self.call(facts, state), facts, state)
    }

    fn call(&self, facts: &CallFacts, state: &RunTime) -> Call<'_> {
        Call::new(facts, &state.memberships, &self.people, &self.plan, &self.scopes, &self.lists)
    }

    fn decide_call(&self, call: &Call<'_>, facts: &CallFacts, state: &RunTime) -> Decided<'_> {
        let mut steps = Vec::with_capacity(self.rules.len() + 2);
        let ruling = self.rule_on(call, facts, state, &mut steps);
        Decided {
            policy: self,
            direction: call.direction,
            own_sides: call.own_sides(),
            asked_side: call.asked_side(),
            ruling,
            steps,
        }
    }

    /// The order of questions (F-13, F-16, F-05, F-18).
    fn rule_on(&self, call: &Call<'_>, facts: &CallFacts, state: &RunTime, steps: &mut Vec<Step>) -> Ruling {
        let through_api = state.override_ != Override::Auto;
        let wish = if through_api { state.override_ } else { facts.override_by_pbx };
        if wish != Override::Auto {
            steps.push(Step::Override { wish, through_api });
        }
        if wish == Override::Deny {
            return Ruling::Not(Reason::OverrideDeny);
        }
        let forced = wish == Override::Force;
        if call.has_star {
            steps.push(if forced { Step::StarForced } else { Step::Star });
            if !forced {
                return Ruling::Not(Reason::Star);
            }
        }
        if wish == Override::Manual {
            return Ruling::Not(Reason::OverrideManual);
        }
        let rule = self
            .first_match(call, steps)
            .or_else(|| if forced { self.forced_rule(call, steps) } else { None });
        match rule {
            Some(rule) => self.with_consent(rule, state.consent.as_ref(), steps),
            None if forced => Ruling::Not(Reason::NothingToForce),
            None if self.rules.is_empty() => Ruling::Not(Reason::NoRule),
            None => Ruling::Not(Reason::NoRuleMatches),
        }
    }

    fn first_match(&self, call: &Call<'_>, steps: &mut Vec<Step>) -> Option<usize> {
        for (rule, compiled) in self.rules.iter().enumerate() {
            match compiled.conditions.first_failed(rule, call) {
                None => {
                    steps.push(Step::Matches { rule });
                    return Some(rule);
                }
                Some(failed) => steps.push(Step::PassedOver { rule, failed }),
            }
        }
        None
    }

    /// The rule for a forced call that no rule matches. A disabled rule is as good as absent.
    fn forced_rule(&self, call: &Call<'_>, steps: &mut Vec<Step>) -> Option<usize> {
        let enabled = |rule: &usize| self.rules[*rule].conditions.enabled;
        if let Some(rule) = self.forced_calls_rule.filter(enabled) {
            steps.push(Step::ForcedByName { rule });
            return Some(rule);
        }
        let rule = (0..self.rules.len()).filter(enabled).find(|rule| call.covered.by(*rule))?;
        steps.push(Step::ForcedByScope { rule });
        Some(rule)
    }

    /// What the rule that decides says about consent. Nothing is kept before consent, forced or not.
    fn with_consent(&self, rule: usize, answer: Option<&Consent>, steps: &mut Vec<Step>) -> Ruling {
        let Some(asking) = &self.rules[rule].consent else { return Ruling::Record { rule, consent: None } };
        match answer {
            Some(answer) => {
                steps.push(Step::Answered(answer.outcome));
                if asking.permits(answer) {
                    Ruling::Record { rule, consent: Some(answer.clone()) }
                } else {
                    Ruling::Not(Reason::NotPermitted { rule, outcome: answer.outcome })
                }
            }
            None if asking.needs_no_answer() => {
                steps.push(Step::NothingToAsk);
                Ruling::Record { rule, consent: None }
            }
            None => {
                steps.push(Step::Asked);
                Ruling::Ask { rule }
            }
        }
    }
}

/// Decides about one call without a compiled policy: for a single question, as `callseal explain`
/// has it.
pub fn decide(
    resources: &TenantResources,
    facts: &CallFacts,
    state: &RunTime,
    time: jiff::Timestamp,
) -> Decision {
    Policy::new(resources).decide(facts, state, time).into_decision()
}
