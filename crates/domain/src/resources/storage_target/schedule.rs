//! Times at which something is due: `0 20 * * *`.

use std::{fmt, str::FromStr};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Times of a calendar, as cron writes them: minute, hour, day of the month, month, day of the week. What
/// they mean in a zone follows that zone's clock: a time that the clock leaves out in spring is due when it
/// goes on; one that comes twice in autumn is due the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It has another form.
    #[error(
        "is not a schedule: write minute, hour, day of the month, month and day of the week, for example \"0 20 * * *\" for \
         20:00 every day or \"30 6 * * MON-FRI\""
    )]
    Form,
    /// It names days that no calendar has.
    #[error("names a day that never comes")]
    Never,
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        // `@daily` and the like have no time that a reader sees.
        if fields.len() != 5 {
            return Err(ScheduleError::Form);
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let text = fields.join(" ");
        let cron = parser.parse(&text).map_err(|_| ScheduleError::Form)?;
        // A leap day comes within eight years: 2096 and 2104.
        let first = DateTime::constant(2026, 1, 1, 0, 0, 0, 0);
        let next = cron.find_next_occurrence(&first, true).map_err(|_| ScheduleError::Never)?;
        if next.year() > first.year() + 8 {
            return Err(ScheduleError::Never);
        }
        Ok(Self { text, cron })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// The first time after `now`; `None` at the end of all calendars.
    pub fn next_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&now.to_zoned(zone.clone()), false).ok()?;
        Some(next.timestamp())
    }

    /// The last time that has come by `now`, `now` itself included.
    pub fn last_by(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&now.to_zoned(zone.clone()), true).ok()?;
        Some(last.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime>().unwrap().to_zoned(berlin()).unwrap().timestamp()
    }

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for wrong in
            ["", "20:00", "0 20 * *", "0 20 * * * *", "60 20 * * *", "0 24 * * *", "@daily", "x 1 * * *"]
        {
            assert_eq!(wrong.parse::<Schedule>(), Err(ScheduleError::Form), "{wrong:?}");
        }
        assert_eq!("0 0 31 2 *".parse::<Schedule>(), Err(ScheduleError::Never));
        assert_eq!(schedule("0  20 * * *").to_string(), "0 20 * * *");
        schedule("0 0 29 2 *");
    }

    #[test]
    fn the_time_is_that_of_the_zones_clock() {
        let evenings = schedule("0 20 * * MON-FRI");
        // 2026-11-20 is a Friday.
        for (now, last, next) in [
            ("2026-11-20T19:59:59", "2026-11-19T20:00", "2026-11-20T20:00"),
            ("2026-11-20T20:00", "2026-11-20T20:00", "2026-11-23T20:00"),
            ("2026-11-22T12:00", "2026-11-20T20:00", "2026-11-23T20:00"),
        ] {
            assert_eq!(evenings.last_by(at(now), &berlin()), Some(at(last)), "{now}");
            assert_eq!(evenings.next_after(at(now), &berlin()), Some(at(next)), "{now}");
        }
        // The same schedule, by another clock.
        let utc = evenings.next_after(at("2026-11-20T12:00"), &TimeZone::UTC).unwrap();
        assert_eq!(utc, at("2026-11-20T21:00"));
    }

    #[test]
    fn a_day_of_a_changed_clock_has_its_evening_all_the_same() {
        let evenings = schedule("0 20 * * *");
        for (before, due, hours) in
            [("2026-03-28T20:00", "2026-03-29T20:00", 23), ("2026-10-24T20:00", "2026-10-25T20:00", 25)]
        {
            let next = evenings.next_after(at(before), &berlin()).unwrap();
            assert_eq!((next, next.duration_since(at(before)).as_hours()), (at(due), hours));
            assert_eq!(evenings.last_by(next, &berlin()), Some(next));
        }
    }

    #[test]
    fn a_time_that_spring_leaves_out_is_due_when_the_clock_goes_on_and_once() {
        let nights = schedule("30 2 * * *");
        let gone_on = at("2026-03-29T03:00");
        let due = nights.next_after(at("2026-03-29T01:00"), &berlin()).unwrap();
        assert!((gone_on..=at("2026-03-29T03:30")).contains(&due), "{due}");
        assert_eq!(nights.last_by(at("2026-03-29T12:00"), &berlin()), Some(due));
        assert_eq!(nights.next_after(due, &berlin()), Some(at("2026-03-30T02:30")));
    }

    #[test]
    fn a_time_that_autumn_repeats_is_due_once() {
        let nights = schedule("30 2 * * *");
        let first: Timestamp = "2026-10-25T00:30:00Z".parse().unwrap();
        assert_eq!(nights.next_after(at("2026-10-25T01:00"), &berlin()), Some(first));
        assert_eq!(nights.next_after(first, &berlin()), Some(at("2026-10-26T02:30")));
        // In the second of the two hours, and afterwards, it is the first time that counts.
        for now in ["2026-10-25T01:20:00Z", "2026-10-25T01:40:00Z", "2026-10-25T12:00:00Z"] {
            let now: Timestamp = now.parse().unwrap();
            assert_eq!(nights.last_by(now, &berlin()), Some(first), "{now}");
        }
    }
}
