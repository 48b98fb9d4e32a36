//! What a rule asks of a call.

use std::{collections::BTreeSet, fmt};

use domain::{CallFacts, Direction, Party, ResourceName, Side, resources::NumberPattern};
use regex::Regex;

use crate::{
    number::NumberPlan,
    people::{Index, People, Who},
};

/// A call as the conditions see it.
#[derive(Debug)]
pub(crate) struct Call {
    pub direction: Direction,
    /// When it began.
    #[expect(dead_code, reason = "schedules are the next conditions, and time must come from the caller")]
    pub time: jiff::Timestamp,
    /// A feature code (F-13).
    pub has_star: bool,
    caller: Who,
    callee: Who,
    /// The numbers that filters and exception lists look at; see [`Call::tested_numbers`].
    tested: Vec<Number>,
}

/// A number as it came, and in its one spelling.
struct Number {
    raw: String,
    canonical: String,
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

impl Call {
    pub fn new(facts: &CallFacts, time: jiff::Timestamp, people: &People, plan: &NumberPlan) -> Self {
        let caller = people.who(&facts.caller, plan);
        let callee = people.who(&facts.callee, plan);
        let direction = facts.direction.unwrap_or_else(|| direction(&caller, &callee));
        let star = |party: &Party| party.number.expose().contains('*');
        let tested = Self::tested_numbers(direction, facts, plan);
        let has_star = star(&facts.caller) || star(&facts.callee);
        Self { direction, time, has_star, caller, callee, tested }
    }

    /// The outside number: inbound the caller's, outbound the callee's (F-14, F-15). An internal
    /// call has none; there each side is the other's outside, so both are tested.
    fn tested_numbers(direction: Direction, facts: &CallFacts, plan: &NumberPlan) -> Vec<Number> {
        let sides: &[Side] = match direction {
            Direction::In => &[Side::Caller],
            Direction::Out => &[Side::Callee],
            Direction::Internal => &[Side::Caller, Side::Callee],
        };
        let number = |side: &Side| match side {
            Side::Caller => facts.caller.number.expose(),
            Side::Callee => facts.callee.number.expose(),
        };
        let given = sides.iter().map(number).filter(|number| !number.is_empty());
        let numbers = given.map(|raw| Number {
            raw: raw.clone(),
            canonical: plan.user_part(raw).unwrap_or_else(|| plan.canonical(raw)),
        });
        numbers.collect()
    }
}

/// Both sides are known: internal. Only the caller is: out. Else in, and so is a call between two
/// strangers: it came from somewhere.
fn direction(caller: &Who, callee: &Who) -> Direction {
    match (caller.is_known(), callee.is_known()) {
        (true, true) => Direction::Internal,
        (true, false) => Direction::Out,
        (false, _) => Direction::In,
    }
}

/// One condition of a rule. A rule matches if all its conditions do. The full rule language adds
/// kinds of conditions here; nothing else needs to know them.
#[derive(Debug)]
pub(crate) enum Condition {
    /// The rule is switched on.
    Enabled(bool),
    /// One of these directions.
    Directions(BTreeSet<Direction>),
    /// The call is one of those that the rule covers.
    Scope(Scope),
    /// The outside number is one of these (F-14).
    Numbers(Vec<Pattern>),
    /// The outside number is not on this list (F-15).
    NotOnList(ResourceName, Vec<Pattern>),
}

/// Whose calls (F-03), compiled.
#[derive(Debug)]
pub(crate) enum Scope {
    All,
    AllUsers,
    Selected {
        /// Selected users: calls from them and to them.
        users: BTreeSet<Index>,
        /// Members of selected groups: calls from them (F-07).
        members: BTreeSet<Index>,
        /// Selected groups: calls to them (F-06).
        groups: BTreeSet<Index>,
        /// Direct calls to members count, too (F-09).
        direct_calls_to_members: bool,
    },
}

impl Condition {
    /// Why `call` does not meet this condition; `None` if it does. The text names conditions, never
    /// numbers or people.
    pub fn failure(&self, call: &Call) -> Option<String> {
        let (met, text) = match self {
            Self::Enabled(enabled) => (*enabled, "it is disabled".to_owned()),
            Self::Directions(directions) => {
                let list: Vec<_> = directions.iter().map(|d| d.as_str()).collect();
                let text = format!("direction: {} is not one of {}", call.direction, list.join(", "));
                (directions.contains(&call.direction), text)
            }
            Self::Scope(scope) => (scope.covers(call), format!("scope: {}", scope.miss())),
            Self::Numbers(patterns) => {
                (any_match(patterns, call), "numbers: the outside number is not one of them".to_owned())
            }
            Self::NotOnList(list, patterns) => (
                !any_match(patterns, call),
                format!("exceptionLists: the outside number is on the list {list}"),
            ),
        };
        (!met).then_some(text)
    }
}

impl Scope {
    /// User-to-user calls are covered if *either* side is (F-10).
    fn covers(&self, call: &Call) -> bool {
        // Addressed to a user directly: a call that reached a user through a group came with the
        // group's number.
        let direct = !call.callee.users.is_empty() && call.callee.groups.is_empty();
        match self {
            Self::All => true,
            Self::AllUsers => !call.caller.users.is_empty() || direct,
            Self::Selected { users, members, groups, direct_calls_to_members } => {
                let meets = |one: &BTreeSet<Index>, other: &BTreeSet<Index>| !one.is_disjoint(other);
                meets(&call.caller.users, users)
                    || meets(&call.callee.users, users)
                    || meets(&call.caller.users, members)
                    || meets(&call.callee.groups, groups)
                    || (*direct_calls_to_members && direct && meets(&call.callee.users, members))
            }
        }
    }

    const fn miss(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::AllUsers => "neither from a user nor to one directly",
            Self::Selected { .. } => "neither side is one of the selected groups and users",
        }
    }
}

/// A number or expression, compiled.
pub(crate) enum Pattern {
    Exact(String),
    Regex(Regex),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

impl Pattern {
    pub fn new(pattern: &NumberPattern, plan: &NumberPlan) -> Self {
        match pattern {
            NumberPattern::Exact(number) => Self::Exact(plan.canonical(number)),
            NumberPattern::Regex(regex) => Self::Regex(regex.clone()),
        }
    }

    /// An expression may be written for the number as the PBX writes it, or for the one with
    /// country code.
    fn matches(&self, number: &Number) -> bool {
        match self {
            Self::Exact(exact) => *exact == number.canonical,
            Self::Regex(regex) => regex.is_match(&number.raw) || regex.is_match(&number.canonical),
        }
    }
}

fn any_match(patterns: &[Pattern], call: &Call) -> bool {
    call.tested.iter().any(|number| patterns.iter().any(|pattern| pattern.matches(number)))
}
