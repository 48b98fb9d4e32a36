//! What a rule asks of a call, in the order in which it is asked.

use std::collections::BTreeSet;

use domain::{Direction, ResourceName, resources::Origin};

use crate::{call::Call, lists::List, rule::Rule};

/// The condition of a rule that a call does not meet, named by its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Enabled,
    Directions,
    Origin,
    Scope,
    Numbers,
    /// The position of the list among those that the rule selects.
    ExceptionLists(usize),
}

/// The conditions of a rule, compiled. Its scope is compiled with those of all other rules.
#[derive(Debug)]
pub(crate) struct Conditions {
    pub enabled: bool,
    pub directions: Directions,
    pub origin: Origin,
    /// The outside number is one of these (F-14).
    pub numbers: Option<List>,
    /// The outside number is on none of these (F-15).
    pub exceptions: Vec<(ResourceName, List)>,
}

/// A set of directions.
#[derive(Debug)]
pub(crate) struct Directions {
    bits: u8,
    /// In words: `in, out`.
    listed: String,
}

impl Directions {
    pub fn new(directions: &BTreeSet<Direction>) -> Self {
        let names: Vec<&str> = directions.iter().map(|direction| direction.as_str()).collect();
        let bits = directions.iter().fold(0, |bits, direction| bits | Self::bit(*direction));
        Self { bits, listed: names.join(", ") }
    }

    const fn bit(direction: Direction) -> u8 {
        1 << direction as u8
    }

    const fn has(&self, direction: Direction) -> bool {
        self.bits & Self::bit(direction) != 0
    }
}

impl Conditions {
    /// The first condition that `call` does not meet; `None` if it meets all. `rule` is the position
    /// of the rule.
    pub fn first_failed(&self, rule: usize, call: &Call<'_>) -> Option<Failed> {
        let origin = match self.origin {
            Origin::Both => true,
            Origin::Internal => call.from_inside,
            Origin::External => !call.from_inside,
        };
        if !self.enabled {
            Some(Failed::Enabled)
        } else if !self.directions.has(call.direction) {
            Some(Failed::Directions)
        } else if !origin {
            Some(Failed::Origin)
        } else if !call.covered.by(rule) {
            Some(Failed::Scope)
        } else if self.numbers.is_some_and(|list| !call.tested.is_on(list)) {
            Some(Failed::Numbers)
        } else {
            self.exception(call).map(Failed::ExceptionLists)
        }
    }

    /// The first exception list of the rule that the outside number is on.
    pub fn exception(&self, call: &Call<'_>) -> Option<usize> {
        self.exceptions.iter().position(|(_, list)| call.tested.is_on(*list))
    }
}

impl Failed {
    /// The line of the trace about `rule`, in words that name conditions, never numbers or people.
    /// Put together at once: a call that no rule matches has one for every rule.
    pub fn line(self, rule: &Rule, direction: Direction) -> String {
        const OVER: &str = ": passed over, ";
        let (name, conditions) = (rule.name.as_str(), &rule.conditions);
        match self {
            Self::Enabled => [name, OVER, "enabled: it is disabled"].concat(),
            Self::Directions => {
                let listed = &conditions.directions.listed;
                [name, OVER, "directions: ", direction.as_str(), " is not one of ", listed].concat()
            }
            Self::Origin => {
                let who = match conditions.origin {
                    Origin::Internal => "somebody outside",
                    Origin::External | Origin::Both => "one of the tenant's own",
                };
                [name, OVER, "origin: the call was begun by ", who].concat()
            }
            Self::Scope => [name, OVER, "scope: ", rule.scope_miss].concat(),
            Self::Numbers => [name, OVER, "numbers: the outside number is not one of them"].concat(),
            Self::ExceptionLists(position) => {
                let list = conditions.exceptions.get(position).map_or("", |(name, _)| name.as_str());
                [name, OVER, "exceptionLists: the outside number is on the list ", list].concat()
            }
        }
    }
}
