//! Keys that are away: when each is asked for again, and when it is spoken of again.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a key that stays away is reported again.
const SAY_AGAIN: Duration = Duration::from_secs(3_600);

/// Keys that are away, by label. Pure: time is an argument.
#[derive(Debug, Default)]
pub struct Away(BTreeMap<String, One>);

#[derive(Debug)]
struct One {
    problem: Arc<str>,
    pause: Duration,
    try_at: Instant,
    say_at: Instant,
}

impl Away {
    /// Takes in that the key could not be used; true if that is to be reported.
    pub fn note(&mut self, label: &str, problem: &str, now: Instant) -> bool {
        let before = self.0.remove(label);
        let is_news = before.as_ref().is_none_or(|one| &*one.problem != problem || one.say_at <= now);
        let pause = before.as_ref().map_or(FIRST_PAUSE, |one| (one.pause * 2).min(LONGEST_PAUSE));
        let say_at = match (&before, is_news) {
            (Some(one), false) => one.say_at,
            _ => now + SAY_AGAIN,
        };
        let problem = Arc::from(problem);
        self.0.insert(label.to_owned(), One { problem, pause, try_at: now + pause, say_at });
        is_news
    }

    /// Why the key is not to be asked for yet; `None`: try.
    pub fn not_yet(&self, label: &str, now: Instant) -> Option<Arc<str>> {
        self.0.get(label).filter(|one| one.try_at > now).map(|one| one.problem.clone())
    }

    /// The key signs; true if it was away.
    pub fn is_back(&mut self, label: &str) -> bool {
        self.0.remove(label).is_some()
    }

    /// What is wrong, key by key.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|one| &*one.problem)
    }

    /// How many are away.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stays_away_is_asked_for_ever_less_and_spoken_of_once_an_hour() {
        let (mut away, begun) = (Away::default(), Instant::now());
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        assert!(away.note("a", "no token", at(0)));
        assert!(away.not_yet("a", at(0)).is_some());
        assert!(away.not_yet("b", at(0)).is_none());
        assert!(away.not_yet("a", at(1)).is_none());
        assert!(!away.note("a", "no token", at(1)));
        assert_eq!(away.not_yet("a", at(2)).as_deref(), Some("no token"));
        assert!(away.not_yet("a", at(3)).is_none());
        assert!(away.note("a", "wrong PIN", at(3)), "another fault is news");
        for second in 4..20 {
            assert!(!away.note("a", "wrong PIN", at(second)));
        }
        assert!(away.not_yet("a", at(33)).is_some());
        assert!(away.not_yet("a", at(34)).is_none());
        assert!(away.note("a", "wrong PIN", at(3_603)));
        assert!(!away.note("a", "wrong PIN", at(3_604)));
        assert_eq!((away.count(), away.problems().collect::<Vec<_>>()), (1, vec!["wrong PIN"]));
        assert!(away.is_back("a"));
        assert!(!away.is_back("a"));
        assert!(away.note("a", "wrong PIN", at(3_605)));
    }
}
