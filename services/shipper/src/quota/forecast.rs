//! When staging will be full, at the rate of the last hour. Values in, values out: the clock is an
//! argument.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

/// A look over less than this share of the window says nothing of the hours to come.
const LEAST: f64 = 1.0 / 6.0;
/// One look in this share of the window is kept: 60.
const APART: f64 = 1.0 / 60.0;
/// What fills up more slowly than in this time does so by chance.
const MOST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What staging held when.
#[derive(Debug)]
pub struct Forecast {
    /// Seconds.
    window: f64,
    looks: VecDeque<(Timestamp, u64)>,
}

impl Forecast {
    /// At the rate of the last `window`; an hour, but in tests of the whole.
    pub fn over(window: Duration) -> Self {
        Self { window: window.as_secs_f64(), looks: VecDeque::new() }
    }

    /// Notes that staging held `used` bytes at `now`.
    pub fn note(&mut self, now: Timestamp, used: u64) {
        // A clock that was set back: what was seen before is of no time that can be told.
        if self.looks.back().is_some_and(|(last, _)| *last > now) {
            self.looks.clear();
        }
        if self.looks.back().is_some_and(|(last, _)| seconds(*last, now) < self.window * APART) {
            return;
        }
        self.looks.push_back((now, used));
        while self.looks.front().is_some_and(|(first, _)| seconds(*first, now) > self.window) {
            self.looks.pop_front();
        }
    }

    /// Bytes a second; negative while it empties. `None`: not known yet.
    ///
    /// The median of the slopes between any two looks (Theil and Sen): a batch that comes and goes, or
    /// one large recording, does not bend it.
    pub fn rate(&self) -> Option<f64> {
        let ((first, _), (last, _)) = (self.looks.front()?, self.looks.back()?);
        if seconds(*first, *last) < self.window * LEAST {
            return None;
        }
        let mut slopes: Vec<f64> = Vec::new();
        for (i, (from, before)) in self.looks.iter().enumerate() {
            for (to, after) in self.looks.iter().skip(i + 1) {
                slopes.push((*after as f64 - *before as f64) / seconds(*from, *to));
            }
        }
        let middle = slopes.len() / 2;
        Some(*slopes.select_nth_unstable_by(middle, f64::total_cmp).1)
    }

    /// How long until `room` more bytes are taken at this rate; `None`: not within a month, or not known.
    pub fn full_in(&self, room: u64) -> Option<Duration> {
        let rate = self.rate().filter(|rate| *rate > 0.0)?;
        let left = Duration::try_from_secs_f64(room as f64 / rate).ok()?;
        (left <= MOST).then_some(left)
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    /// Looks once a minute; `used` bytes at a minute.
    fn watched(minutes: i64, used: impl Fn(i64) -> u64) -> Forecast {
        let mut forecast = Forecast::over(Duration::from_secs(3600));
        for minute in 0..=minutes {
            forecast.note(Timestamp::from_second(1_800_000_000 + minute * 60).unwrap(), used(minute));
        }
        forecast
    }

    fn hours(forecast: &Forecast, room: u64) -> Option<f64> {
        forecast.full_in(room).map(|left| (left.as_secs_f64() / 360.0).round() / 10.0)
    }

    #[test]
    fn f83_at_a_gigabyte_an_hour_six_gigabytes_are_full_in_six_hours() {
        let forecast = watched(60, |minute| 20 * GB + minute as u64 * GB / 60);
        assert_eq!(hours(&forecast, 6 * GB), Some(6.0));
    }

    #[test]
    fn what_is_known_for_a_few_minutes_forecasts_nothing() {
        assert_eq!(watched(9, |minute| minute as u64 * GB).rate(), None);
        assert!(watched(10, |minute| minute as u64 * GB).rate().is_some());
    }

    #[test]
    fn recordings_that_come_and_go_fill_nothing() {
        // Each is there for six minutes of ten.
        let forecast = watched(60, |minute| if minute % 10 < 6 { 3 * GB } else { GB });
        assert_eq!(hours(&forecast, 100 * GB), None);
        let emptying = watched(60, |minute| (100 - minute as u64) * GB);
        assert!(emptying.rate().unwrap() < 0.0);
        assert_eq!(emptying.full_in(GB), None);
    }

    #[test]
    fn one_heap_of_recordings_is_not_taken_for_a_rate() {
        // 50 GB at once, in the middle of an hour in which nothing else happened.
        let forecast = watched(60, |minute| if minute < 50 { GB } else { 51 * GB });
        assert_eq!(hours(&forecast, 10 * GB), None);
        // And a steady rate is seen through it.
        let forecast = watched(60, |minute| minute as u64 * GB / 60 + if minute < 55 { 0 } else { 5 * GB });
        let found = hours(&forecast, 6 * GB).unwrap();
        assert!((4.5..=6.0).contains(&found), "{found}");
    }

    #[test]
    fn the_window_slides_a_rate_that_has_ended_is_forgotten_within_the_hour() {
        let forecast = watched(180, |minute| minute.min(60) as u64 * GB);
        assert_eq!(forecast.rate(), Some(0.0));
        assert!(forecast.looks.len() <= 61);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut forecast = watched(60, |minute| minute as u64 * GB);
        forecast.note(Timestamp::from_second(1_700_000_000).unwrap(), GB);
        assert_eq!((forecast.rate(), forecast.looks.len()), (None, 1));
    }
}
