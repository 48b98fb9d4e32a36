//! A call as the conditions see it.

use domain::{CallFacts, Direction, Party, Side};

use crate::{
    lists::{Number, Tested},
    number::{NumberPlan, has_star},
    people::{People, Who},
    scope::{Covered, Scopes},
    state::Memberships,
};

/// A call, with all that can be said of it before any rule is looked at.
#[derive(Debug)]
pub(crate) struct Call<'p> {
    pub direction: Direction,
    /// The PBX said the direction; else it was found by numbers, of which the caller's can be a lie.
    is_direction_told: bool,
    /// A feature code (F-13).
    pub has_star: bool,
    /// Begun by one of the tenant's own (F-10).
    pub from_inside: bool,
    pub caller: Who,
    pub callee: Who,
    /// The rules whose scope it is in.
    pub covered: Covered,
    /// The outside number against the lists.
    pub tested: Tested<'p>,
}

impl<'p> Call<'p> {
    pub fn new(
        facts: &CallFacts,
        memberships: &Memberships,
        people: &People,
        plan: &NumberPlan,
        scopes: &Scopes,
        lists: &'p crate::lists::Lists,
    ) -> Self {
        let caller = people.who(&facts.caller, false, plan);
        let dialled = caller.is_known() || facts.direction.is_some_and(begun_inside);
        let callee = people.who(&facts.callee, dialled, plan);
        let direction = facts.direction.unwrap_or_else(|| direction(&caller, &callee));
        Self {
            direction,
            is_direction_told: facts.direction.is_some(),
            has_star: holds_star(&facts.caller) || holds_star(&facts.callee),
            from_inside: caller.is_known() || begun_inside(direction),
            covered: scopes.covered(&caller, &callee, memberships, people),
            tested: lists.test(tested_numbers(direction, facts, dialled, plan)),
            caller,
            callee,
        }
    }

    /// The sides that are surely the tenant's own (F-32): ours by the direction, and in the directory,
    /// which after a transfer they need not be. Who calls from outside can show any number, also one of
    /// ours: where nobody said the direction, the caller of a call to one of ours is no own side.
    pub fn own_sides(&self) -> &'static [Side] {
        let caller = match self.direction {
            Direction::In => false,
            Direction::Out => self.caller.is_known(),
            Direction::Internal => self.is_direction_told && self.caller.is_known(),
        };
        match (caller, self.direction != Direction::Out && self.callee.is_known()) {
            (true, true) => &[Side::Caller, Side::Callee],
            (true, false) => &[Side::Caller],
            (false, true) => &[Side::Callee],
            (false, false) => &[],
        }
    }

    /// Who is asked for consent: the outside party; in an internal call the caller.
    pub const fn asked_side(&self) -> Side {
        match self.direction {
            Direction::In | Direction::Internal => Side::Caller,
            Direction::Out => Side::Callee,
        }
    }
}

const fn begun_inside(direction: Direction) -> bool {
    matches!(direction, Direction::Out | Direction::Internal)
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

/// The number that was dialled or called from; where the PBX gave none, what else it knows.
fn numbers(party: &Party) -> impl Iterator<Item = &str> {
    let fallback = party.number.is_empty();
    party.all_identities().take(if fallback { usize::MAX } else { 1 })
}

fn holds_star(party: &Party) -> bool {
    numbers(party).any(|number| has_star(number.split('@').next().unwrap_or(number)))
}

/// The outside number: inbound the caller's, outbound the callee's (F-14, F-15). An internal call
/// has none; there each side is the other's outside, so both are tested.
fn tested_numbers(direction: Direction, facts: &CallFacts, dialled: bool, plan: &NumberPlan) -> Vec<Number> {
    let mut tested = Vec::with_capacity(2);
    if matches!(direction, Direction::In | Direction::Internal) {
        for raw in numbers(&facts.caller) {
            tested.push(Number::new(raw, plan));
        }
    }
    if matches!(direction, Direction::Out | Direction::Internal) {
        for raw in numbers(&facts.callee) {
            tested.push(Number::new(raw, plan));
            if let Some(behind) = dialled.then(|| plan.behind_outside_line(raw)).flatten() {
                tested.push(Number::of(behind));
            }
        }
    }
    tested
}
