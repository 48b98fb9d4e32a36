//! Which message numbers of a recording are still wanted, and in which order they are applied.

use crate::state::call_record::NumberRange;

/// The numbers that have not been applied, as ascending ranges. Messages are applied strictly in
/// ascending order, so the state of a recording depends on the set of messages alone: doubles and
/// a replay from any earlier point change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    wanted: Vec<NumberRange>,
}

impl Numbers {
    /// Of a call that begins: all from 0.
    pub fn all() -> Self {
        Self { wanted: vec![NumberRange { first: 0, last: u64::MAX }] }
    }

    /// As they were stored.
    pub fn restore(wanted: Vec<NumberRange>) -> Self {
        Self { wanted }
    }

    /// As they are to be stored.
    pub fn ranges(&self) -> &[NumberRange] {
        &self.wanted
    }

    /// The number that is to be applied next; `None`: all were.
    pub fn next(&self) -> Option<u64> {
        self.wanted.first().map(|range| range.first)
    }

    /// False: it was applied, or given up, or lies behind the end.
    pub fn wants(&self, number: u64) -> bool {
        self.wanted.iter().any(|range| (range.first..=range.last).contains(&number))
    }

    /// `number`, the next one, was applied.
    pub fn applied(&mut self, number: u64) {
        if let Some(range) = self.wanted.first_mut()
            && range.first == number
        {
            if range.first == range.last {
                self.wanted.remove(0);
            } else {
                range.first += 1;
            }
        }
    }

    /// The last message has this number.
    pub fn end_at(&mut self, number: u64) {
        self.wanted.retain_mut(|range| {
            range.last = range.last.min(number);
            range.first <= number
        });
    }

    /// True when no end is known yet.
    pub fn is_open_ended(&self) -> bool {
        self.wanted.last().is_some_and(|range| range.last == u64::MAX)
    }

    /// Stops waiting for everything below `number`; returns what was given up.
    pub fn give_up_below(&mut self, number: u64) -> Vec<NumberRange> {
        let mut given_up = Vec::new();
        self.wanted.retain_mut(|range| {
            if range.first >= number {
                return true;
            }
            given_up.push(NumberRange { first: range.first, last: range.last.min(number - 1) });
            range.first = number;
            range.first <= range.last
        });
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(list: &[(u64, u64)]) -> Vec<NumberRange> {
        list.iter().map(|(first, last)| NumberRange { first: *first, last: *last }).collect()
    }

    #[test]
    fn a_call_is_whole_when_all_numbers_up_to_the_last_were_applied() {
        let mut numbers = Numbers::all();
        numbers.applied(0);
        numbers.end_at(2);
        assert!(numbers.wants(2) && !numbers.wants(0) && !numbers.wants(3) && !numbers.is_open_ended());
        numbers.applied(1);
        numbers.applied(2);
        assert_eq!(numbers.next(), None);
    }

    #[test]
    fn only_the_next_number_can_be_applied() {
        let mut numbers = Numbers::all();
        numbers.applied(1);
        assert_eq!(numbers.next(), Some(0));
    }

    #[test]
    fn what_is_given_up_is_named_and_wanted_no_longer() {
        let mut numbers = Numbers::restore(ranges(&[(3, 3), (7, u64::MAX)]));
        assert_eq!(numbers.give_up_below(9), ranges(&[(3, 3), (7, 8)]));
        assert_eq!(numbers.next(), Some(9));
        assert!(numbers.is_open_ended() && !numbers.wants(7));
    }

    #[test]
    fn an_end_before_what_is_wanted_leaves_nothing() {
        let mut numbers = Numbers::restore(ranges(&[(5, u64::MAX)]));
        numbers.end_at(4);
        assert_eq!(numbers.next(), None);
    }
}
