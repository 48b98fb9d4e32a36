//! From which shares of the quota on people are told, and when it counts as less again.

use std::time::Duration;

/// Percent of the quota.
const LEVELS: [u8; 3] = [70, 85, 95];
/// So many percent below a level it is left: staging breathes with each recording.
const BACK: f64 = 5.0;
/// What is full sooner is told.
const SOON: Duration = Duration::from_secs(24 * 3600);
/// What is full later is not soon any more.
const NOT_SOON: Duration = Duration::from_secs(36 * 3600);

/// How full staging counts as being.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fullness {
    /// The level that is reached, percent; 0: none.
    pub level: u8,
    /// At this rate it is full within a day.
    pub soon: bool,
}

impl Fullness {
    /// What follows from `share` of the quota (0 to 1, or more) being taken and the forecast.
    #[must_use]
    pub fn next(self, share: f64, full_in: Option<Duration>) -> Self {
        let percent = share * 100.0;
        let holds = |level: u8| {
            let level_holds = percent >= f64::from(level);
            level_holds || (level <= self.level && percent > f64::from(level) - BACK)
        };
        let level = LEVELS.into_iter().rev().find(|level| holds(*level)).unwrap_or(0);
        let within = if self.soon { NOT_SOON } else { SOON };
        Self { level, soon: full_in.is_some_and(|left| left <= within) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f83_a_level_is_reached_at_its_share_and_left_five_percent_below() {
        let mut full = Fullness::default();
        let mut seen = Vec::new();
        for percent in [50, 69, 70, 84, 85, 82, 81, 94, 95, 96, 91, 90, 85, 81, 80, 66, 65, 69, 70] {
            full = full.next(f64::from(percent) / 100.0, None);
            seen.push((percent, full.level));
        }
        let expected = [
            (50, 0),
            (69, 0),
            (70, 70),
            (84, 70),
            (85, 85),
            (82, 85),
            (81, 85),
            (94, 85),
            (95, 95),
            (96, 95),
            (91, 95),
            (90, 85),
            (85, 85),
            (81, 85),
            (80, 70),
            (66, 70),
            (65, 0),
            (69, 0),
            (70, 70),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn f83_soon_is_within_a_day_and_over_only_when_it_is_a_day_and_a_half() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        let full = Fullness::default().next(0.1, hours(25));
        assert!(!full.soon);
        let full = full.next(0.1, hours(24));
        assert!(full.soon);
        assert!(full.next(0.1, hours(36)).soon);
        assert!(!full.next(0.1, hours(37)).soon);
        assert!(!full.next(0.1, None).soon);
    }
}
