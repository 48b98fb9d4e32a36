//! Codes of several keys, such as `*1`, found in what somebody dials.

use std::collections::VecDeque;
use std::time::Duration;

use super::Key;

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// No key at all.
    #[error("the code holds no key")]
    Empty,
    /// A character that is no key.
    #[error("the code may hold only the keys 0–9, *, # and A–D")]
    NotAKey,
}

/// Watches the keys of one party for one code.
#[derive(Debug, Clone)]
pub struct CodeMatcher {
    code: Vec<Key>,
    max_gap_us: i64,
    /// The latest keys, at most as many as the code has.
    dialled: VecDeque<Key>,
    last_at_unix_us: i64,
}

impl CodeMatcher {
    /// Watches for `code`, whose keys may lie up to `max_gap` apart.
    ///
    /// # Errors
    /// If the code is empty or holds anything but keys.
    pub fn new(code: &str, max_gap: Duration) -> Result<Self, CodeError> {
        let code =
            code.chars().map(Key::try_from).collect::<Result<Vec<_>, _>>().map_err(|_| CodeError::NotAKey)?;
        if code.is_empty() {
            return Err(CodeError::Empty);
        }
        Ok(Self {
            dialled: VecDeque::with_capacity(code.len()),
            code,
            max_gap_us: i64::try_from(max_gap.as_micros()).unwrap_or(i64::MAX),
            last_at_unix_us: i64::MIN,
        })
    }

    /// Takes one key press; true if it completes the code. Keys before the code don't matter
    /// (`**1` holds `*1`), and a key belongs to one code only (`111` holds `11` once).
    pub fn key(&mut self, key: Key, at_unix_us: i64) -> bool {
        if at_unix_us.saturating_sub(self.last_at_unix_us) > self.max_gap_us {
            self.dialled.clear();
        }
        self.last_at_unix_us = at_unix_us;
        if self.dialled.len() == self.code.len() {
            self.dialled.pop_front();
        }
        self.dialled.push_back(key);
        let complete = self.dialled.iter().eq(self.code.iter());
        if complete {
            self.dialled.clear();
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(3);

    /// At which of the dialled keys the code is complete. Keys come half a second apart; a space
    /// is a pause of four seconds.
    fn completed_at(code: &str, dialled: &str) -> Vec<usize> {
        let mut matcher = CodeMatcher::new(code, GAP).unwrap();
        let mut now = 1_700_000_000_000_000;
        let mut completed = Vec::new();
        for (position, character) in dialled.chars().enumerate() {
            if character == ' ' {
                now += 4_000_000;
                continue;
            }
            now += 500_000;
            if matcher.key(character.try_into().unwrap(), now) {
                completed.push(position);
            }
        }
        completed
    }

    #[test]
    fn a_code_is_found_wherever_it_stands_among_the_keys() {
        for (code, dialled, expected) in [
            ("*1", "*1", vec![1]),
            ("*1", "**1", vec![2]),
            ("*1", "5*1", vec![2]),
            ("*1", "*21", vec![]),
            ("*1", "1*", vec![]),
            ("*1", "*1*1", vec![1, 3]),
            ("11", "111", vec![1]),
            ("11", "1111", vec![1, 3]),
            ("121", "12121", vec![2]),
            ("1", "123", vec![0]),
            ("a#", "A#", vec![1]),
        ] {
            assert_eq!(completed_at(code, dialled), expected, "{code} in {dialled}");
        }
    }

    #[test]
    fn a_pause_longer_than_the_gap_breaks_the_code() {
        assert_eq!(completed_at("*1", "* 1"), Vec::<usize>::new());
        assert_eq!(completed_at("*1", "* *1"), vec![3]);
        let mut matcher = CodeMatcher::new("*1", GAP).unwrap();
        let [star, one] = ["*", "1"].map(|key| key.parse().unwrap());
        assert!(!matcher.key(star, 0));
        assert!(matcher.key(one, 3_000_000), "three seconds are within the gap");
        assert!(!matcher.key(star, 10_000_000));
        assert!(!matcher.key(one, 13_000_001), "a microsecond more is not");
    }

    #[test]
    fn a_clock_that_steps_back_does_not_lose_the_code() {
        let mut matcher = CodeMatcher::new("*1", GAP).unwrap();
        let [star, one] = ["*", "1"].map(|key| key.parse().unwrap());
        assert!(!matcher.key(star, 10_000_000));
        assert!(matcher.key(one, 2_000_000));
    }

    #[test]
    fn a_code_of_something_else_than_keys_is_refused() {
        assert_eq!(CodeMatcher::new("", GAP).unwrap_err(), CodeError::Empty);
        assert_eq!(CodeMatcher::new("*x", GAP).unwrap_err(), CodeError::NotAKey);
        assert_eq!(CodeMatcher::new("* 1", GAP).unwrap_err(), CodeError::NotAKey);
    }
}
