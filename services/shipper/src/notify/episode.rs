//! When a fault is mailed about: once when it has lasted a while, once more when it gets worse, once
//! when it has been over a while. A pure function of what was, what is, and the time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::observed::Observed;

/// How long people are left alone.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So long a fault lasts before it is told, and so long it is gone before it counts as over.
    pub blip: Duration,
    /// Of a fault that comes and goes, so long after the mail of its start there is no further one.
    pub between: Duration,
}

/// One fault, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// When it began.
    pub since: Timestamp,
    /// Since when it is gone; `None`: it is there.
    pub gone_since: Option<Timestamp>,
    /// The level that people were told of; `None`: they were not told.
    pub told: Option<u8>,
    /// The highest level of this episode that they were told of.
    pub peak: u8,
    /// When they were last told of its start, also in an episode before.
    pub told_at: Option<Timestamp>,
    /// The most recordings that waited.
    pub most: u64,
    /// How bad it was when it was last seen, as [`Observed::level`].
    pub level: u8,
    /// How many waited when it was last seen, as [`Observed::count`].
    pub count: u64,
    /// What was last said to be wrong.
    pub problem: String,
    /// The last recording that it was about.
    pub recording: String,
}

/// What people are told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// It is there, or worse than they know.
    Start,
    /// It is over.
    Over,
}

impl Episode {
    fn begin(observed: &Observed, now: Timestamp, told_at: Option<Timestamp>) -> Self {
        Self {
            since: observed.since.min(now),
            gone_since: None,
            told: None,
            peak: 0,
            told_at,
            most: 0,
            level: 0,
            count: 0,
            problem: String::new(),
            recording: String::new(),
        }
    }

    /// Whether it is there, or has not been gone for long enough.
    pub fn is_open(&self, now: Timestamp, patience: &Patience) -> bool {
        self.gone_since.is_none_or(|gone| !passed(gone, patience.blip, now))
    }

    fn may_be_told(&self, now: Timestamp, patience: &Patience) -> bool {
        self.told_at.is_none_or(|told| passed(told, patience.between, now))
    }

    /// Whether a digest lists it: it has lasted, told of by a mail of its own or not.
    pub fn is_listed(&self, now: Timestamp, patience: &Patience) -> bool {
        self.gone_since.is_none() && passed(self.since, patience.blip, now)
    }
}

/// What becomes of a fault that is `observed` at `now`, or is not, and what people are told. `None`: it
/// is forgotten.
pub fn step(
    known: Option<Episode>,
    observed: Option<&Observed>,
    now: Timestamp,
    patience: &Patience,
) -> (Option<Episode>, Option<Say>) {
    match (known, observed) {
        (None, None) => (None, None),
        (known, Some(observed)) => {
            let mut episode = match known {
                Some(episode) if episode.told.is_some() || episode.is_open(now, patience) => episode,
                Some(over) => Episode::begin(observed, now, over.told_at),
                None => Episode::begin(observed, now, None),
            };
            let say = seen(&mut episode, observed, now, patience);
            (Some(episode), say)
        }
        (Some(episode), None) => unseen(episode, now, patience),
    }
}

fn seen(episode: &mut Episode, observed: &Observed, now: Timestamp, patience: &Patience) -> Option<Say> {
    episode.gone_since = None;
    episode.most = episode.most.max(observed.count);
    (episode.level, episode.count) = (observed.level, observed.count);
    episode.problem.clone_from(&observed.problem);
    episode.recording.clone_from(&observed.recording);
    let is_worse = match episode.told {
        None => passed(episode.since, patience.blip, now) && episode.may_be_told(now, patience),
        // A level that was never reached before is news at once.
        Some(told) => {
            observed.level > told && (observed.level > episode.peak || episode.may_be_told(now, patience))
        }
    };
    if is_worse {
        episode.told = Some(observed.level);
        episode.peak = episode.peak.max(observed.level);
        episode.told_at = Some(now);
        return Some(Say::Start);
    }
    // Better, if not well: the way up again is news again.
    episode.told = episode.told.map(|told| told.min(observed.level));
    None
}

fn unseen(mut episode: Episode, now: Timestamp, patience: &Patience) -> (Option<Episode>, Option<Say>) {
    let gone_since = *episode.gone_since.get_or_insert(now);
    if !passed(gone_since, patience.blip, now) {
        return (Some(episode), None);
    }
    let say = episode.told.take().map(|_| Say::Over);
    // Remembered as long as it could come again too soon.
    let keep = say.is_some() || !episode.may_be_told(now, patience);
    (keep.then_some(episode), say)
}

/// When a digest is due: `every` after the last one, and after the start of the oldest fault that it
/// would list, which had a mail of its own.
pub fn digest_is_due(
    last: Option<Timestamp>,
    oldest: Option<Timestamp>,
    every: Duration,
    now: Timestamp,
) -> bool {
    oldest.is_some_and(|oldest| passed(last.map_or(oldest, |last| last.max(oldest)), every, now))
}

fn passed(from: Timestamp, span: Duration, now: Timestamp) -> bool {
    now.duration_since(from) >= SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { blip: Duration::from_secs(120), between: Duration::from_secs(3600) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn fault(since: i64, level: u8) -> Observed {
        let problem = "the server cannot be reached".to_owned();
        Observed { since: at(since), problem, level, count: 3, recording: String::new() }
    }

    /// Looks every ten seconds up to `until`; `is_there` says whether the fault is there, and how bad
    /// it is. What was said, and when.
    fn play(until: i64, is_there: impl Fn(i64) -> Option<u8>) -> Vec<(i64, Say)> {
        let (mut episode, mut said, mut since) = (None, Vec::new(), None);
        for second in (0..=until).step_by(10) {
            let level = is_there(second);
            since = level.map(|_| since.unwrap_or(second));
            let observed = level.map(|level| fault(since.unwrap_or(second), level));
            let (next, say) = step(episode, observed.as_ref(), at(second), &PATIENCE);
            episode = next;
            said.extend(say.map(|say| (second, say)));
        }
        said
    }

    #[test]
    fn f82_a_fault_that_lasts_is_told_once_at_its_start_and_once_at_its_end() {
        let said = play(90_000, |second| (100..80_000).contains(&second).then_some(0));
        assert_eq!(said, [(220, Say::Start), (80_120, Say::Over)]);
    }

    #[test]
    fn f82_a_blip_is_not_told() {
        assert_eq!(play(3_600, |second| (100..210).contains(&second).then_some(0)), []);
    }

    #[test]
    fn f82_a_fault_at_each_attempt_is_one_mail_and_not_one_per_attempt() {
        // Fails for 50 of 60 seconds, for six hours.
        let said = play(22_000, |second| (second < 21_600 && second % 60 < 50).then_some(0));
        assert_eq!(said, [(120, Say::Start), (21_710, Say::Over)]);
    }

    #[test]
    fn f82_one_that_comes_and_goes_slowly_starts_at_most_once_an_hour() {
        // Four minutes there, six minutes gone, for six hours.
        let said = play(21_600, |second| (second % 600 < 240).then_some(0));
        let starts: Vec<i64> =
            said.iter().filter(|(_, say)| *say == Say::Start).map(|(second, _)| *second).collect();
        assert_eq!(starts.len(), 6, "{said:?}");
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 3_600), "{starts:?}");
        assert!(said.len() - starts.len() <= starts.len(), "{said:?}");
    }

    #[test]
    fn f83_each_level_is_told_once_on_the_way_up_and_the_end_once() {
        let level = |second| match second {
            0..1000 => None,
            1000..2000 => Some(70),
            2000..3000 => Some(85),
            3000..4000 => Some(95),
            4000..5000 => Some(85),
            // Up again within the hour: known.
            5000..5500 => Some(95),
            5500..6000 => Some(70),
            _ => None,
        };
        let said = play(9_000, level);
        let expected = [(1_120, Say::Start), (2_000, Say::Start), (3_000, Say::Start), (6_120, Say::Over)];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_has_lasted_before_anybody_looked_is_told_at_once() {
        let (episode, say) = step(None, Some(&fault(-5_000, 0)), at(0), &PATIENCE);
        assert_eq!(say, Some(Say::Start));
        // After a restart in the same moment: it is known.
        assert_eq!(step(episode, Some(&fault(-5_000, 0)), at(1), &PATIENCE).1, None);
    }

    #[test]
    fn a_digest_comes_a_day_after_the_start_and_then_daily_and_never_without_a_fault() {
        let day = Duration::from_secs(86_400);
        assert!(!digest_is_due(None, None, day, at(0)));
        assert!(!digest_is_due(None, Some(at(0)), day, at(86_399)));
        assert!(digest_is_due(None, Some(at(0)), day, at(86_400)));
        assert!(!digest_is_due(Some(at(86_400)), Some(at(0)), day, at(172_799)));
        assert!(digest_is_due(Some(at(86_400)), Some(at(0)), day, at(172_800)));
        // A new fault long after the last digest has just had a mail of its own.
        assert!(!digest_is_due(Some(at(0)), Some(at(500_000)), day, at(500_100)));
    }
}
