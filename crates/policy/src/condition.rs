//! What a rule asks of a call, in the order in which it is asked.

use std::fmt;

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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directions(u8);

impl Directions {
    const fn bit(direction: Direction) -> u8 {
        1 << direction as u8
    }

    const fn has(self, direction: Direction) -> bool {
        self.0 & Self::bit(direction) != 0
    }
}

impl<'a> FromIterator<&'a Direction> for Directions {
    fn from_iter<I: IntoIterator<Item = &'a Direction>>(directions: I) -> Self {
        Self(directions.into_iter().fold(0, |bits, direction| bits | Self::bit(*direction)))
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

/// A failed condition in words that name conditions, never numbers or people.
pub(crate) struct InWords<'a> {
    pub failed: Failed,
    pub rule: &'a Rule,
    pub direction: Direction,
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = &self.rule.conditions;
        match self.failed {
            Failed::Enabled => f.write_str("enabled: it is disabled"),
            Failed::Directions => {
                write!(f, "directions: {} is not one of ", self.direction)?;
                let listed = Direction::ALL.iter().filter(|direction| conditions.directions.has(**direction));
                for (i, direction) in listed.enumerate() {
                    write!(f, "{}{direction}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Failed::Origin => match conditions.origin {
                Origin::Internal => f.write_str("origin: the call was begun by somebody outside"),
                _ => f.write_str("origin: the call was begun by one of the tenant's own"),
            },
            Failed::Scope => write!(f, "scope: {}", self.rule.scope_miss),
            Failed::Numbers => f.write_str("numbers: the outside number is not one of them"),
            Failed::ExceptionLists(position) => {
                let name = conditions.exceptions.get(position).map_or("", |(name, _)| name.as_str());
                write!(f, "exceptionLists: the outside number is on the list {name}")
            }
        }
    }
}
