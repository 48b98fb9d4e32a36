//! When people are told that something ends: 30, 7 and 1 days ahead, and when it is over (F-77).

use jiff::{SignedDuration, Timestamp};

/// How near the end is. The later is the more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Within 30 days.
    Month,
    /// Within 7 days.
    Week,
    /// Within a day.
    Day,
    /// Past.
    Over,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Month, Self::Week, Self::Day, Self::Over];

    /// How long before the end it begins.
    const fn ahead(self) -> SignedDuration {
        match self {
            Self::Month => SignedDuration::from_hours(30 * 24),
            Self::Week => SignedDuration::from_hours(7 * 24),
            Self::Day => SignedDuration::from_hours(24),
            Self::Over => SignedDuration::ZERO,
        }
    }

    /// The stage of `now`, of something that ends at `end`; `None`: there is time.
    pub fn of(end: Timestamp, now: Timestamp) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|stage| end.duration_since(now) <= stage.ahead())
    }

    /// Its word, in SQL and in the texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Over => "over",
        }
    }

    /// The stage of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}

/// Whether people are told now that they know of `told`.
pub fn is_news(told: Option<Stage>, now: Option<Stage>) -> bool {
    now > told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f77_an_end_is_told_30_7_and_1_days_ahead_and_when_it_is_over_once_each() {
        let end = Timestamp::from_second(1_800_000_000).unwrap();
        let (mut told, mut said) = (None, Vec::new());
        for hours in (-60 * 24..=5 * 24).step_by(6) {
            let now = Stage::of(end, end + SignedDuration::from_hours(hours));
            if is_news(told, now) {
                said.push((hours, now));
            }
            told = now;
        }
        let expected = [
            (-30 * 24, Some(Stage::Month)),
            (-7 * 24, Some(Stage::Week)),
            (-24, Some(Stage::Day)),
            (0, Some(Stage::Over)),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn f77_what_is_found_late_is_told_once_with_what_is_left_and_what_is_renewed_is_told_anew() {
        let end = Timestamp::from_second(1_800_000_000).unwrap();
        let late = Stage::of(end, end - SignedDuration::from_hours(50));
        assert_eq!(late, Some(Stage::Week));
        assert!(is_news(None, late) && !is_news(late, late));
        // Renewed: nothing is told, and the next end is news again.
        assert!(!is_news(late, None) && is_news(None, Some(Stage::Month)));
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
        }
    }
}
