//! The decision core: policy, facts and time in, decision and trace out; no I/O.
//!
//! [`Policy::new`] compiles a tenant's resources once; [`Policy::decide`] then costs microseconds.
//!
//! ```text
//! facts ─► number with a star? ─► direction ─► rule by rule, in order: the first that matches records
//! ```

mod condition;
pub mod consent;
mod number;
mod people;
pub mod plain;
mod rule;

use domain::{CallFacts, Decision, Direction, NotRecorded, Recorded, Verdict, resources::TenantResources};
pub use plain::{Member, Through, members};

use crate::{condition::Call, number::NumberPlan, people::People, rule::Rule};

/// The compiled policy of one tenant.
#[derive(Debug)]
pub struct Policy {
    plan: NumberPlan,
    people: People,
    rules: Vec<Rule>,
}

impl Policy {
    /// Compiles the resources of a tenant.
    pub fn new(resources: &TenantResources) -> Self {
        let plan = NumberPlan::new(resources.tenant.country.as_deref(), &resources.tenant.numbers);
        let people = People::new(&resources.directory, &plan);
        let rules = resources.rules.iter().map(|rule| Rule::new(rule, resources, &people, &plan)).collect();
        Self { plan, people, rules }
    }

    /// Decides about one call. `time` is when the call began; rules do not depend on it yet.
    pub fn decide(&self, facts: &CallFacts, time: jiff::Timestamp) -> Decision {
        let call = Call::new(facts, time, &self.people, &self.plan);
        let direction = call.direction;
        if call.has_star {
            let reason = "a number holds a star: feature codes are never recorded".to_owned();
            return not_recorded(direction, reason.clone(), vec![reason]);
        }
        let mut trace = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            match rule.first_failed(&call) {
                None => {
                    trace.push(format!("{}: matches", rule.name));
                    return Decision { direction, verdict: Verdict::Record(rule.recorded()), trace };
                }
                Some(failed) => trace.push(format!("{}: passed over, {failed}", rule.name)),
            }
        }
        let reason = if self.rules.is_empty() { "there is no rule" } else { "no rule matches" };
        not_recorded(direction, reason.to_owned(), trace)
    }
}

fn not_recorded(direction: Direction, reason: String, trace: Vec<String>) -> Decision {
    Decision { direction, verdict: Verdict::DoNotRecord(NotRecorded { reason }), trace }
}

/// Decides about one call without a compiled policy: for a single question, as `callseal explain`
/// has it.
pub fn decide(resources: &TenantResources, facts: &CallFacts, time: jiff::Timestamp) -> Decision {
    Policy::new(resources).decide(facts, time)
}

impl Rule {
    fn recorded(&self) -> Recorded {
        Recorded {
            rule: self.name.clone(),
            class: self.class,
            channels: self.channels,
            targets: self.targets.clone(),
            journals: self.journals.clone(),
            consent: None,
            stop_keys: None,
        }
    }
}
