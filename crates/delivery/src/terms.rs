//! On what terms a destination is brought something: how much at once, and when.

use domain::resources::{Schedule, Windows};
use jiff::{Timestamp, tz::TimeZone};

/// The terms of one destination. They may change at any time, and then hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Orders carried out at the same time; `None`: as many as
    /// [`EngineOptions::concurrency`](crate::EngineOptions::concurrency) says.
    pub concurrency: Option<usize>,
    /// When anything may be sent.
    pub hours: Hours,
    /// Why nothing can be sent at all, whatever its state (F-75): its description is incomplete. Its
    /// orders wait.
    pub incomplete: Option<String>,
    /// A rule names it: that it is incomplete is told before the first order waits.
    pub chosen: bool,
}

/// When anything may be sent to a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hours {
    /// At any time.
    #[default]
    Always,
    /// Within these windows alone.
    Windows {
        /// Of the week.
        windows: Windows,
        /// Whose clock they mean.
        zone: TimeZone,
    },
    /// At the times of a schedule, each time what has come until then. What was due while nobody was
    /// there to bring it goes as soon as somebody is.
    At {
        /// When.
        schedule: Box<Schedule>,
        /// Whose clock it means.
        zone: TimeZone,
    },
}

/// What the hours say of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Orders may go.
    Open {
        /// What is under way then is broken off; `None`: never.
        until: Option<Timestamp>,
        /// Only orders that came until then; `None`: all.
        arrived_by: Option<Timestamp>,
    },
    /// Nothing before that time; `None`: nothing at all.
    Closed(Option<Timestamp>),
}

impl Terms {
    /// What these terms say of the moment `now`.
    pub fn gate(&self, now: Timestamp) -> Gate {
        if self.incomplete.is_some() {
            return Gate::Closed(None);
        }
        match &self.hours {
            Hours::Always => Gate::Open { until: None, arrived_by: None },
            Hours::Windows { windows, zone } => match windows.next_opening(now, zone) {
                Some(opens) if opens > now => Gate::Closed(Some(opens)),
                Some(_) => Gate::Open { until: windows.closes(now, zone), arrived_by: None },
                None => Gate::Closed(None),
            },
            Hours::At { schedule, zone } => match schedule.last_by(now, zone) {
                Some(due) => Gate::Open { until: None, arrived_by: Some(due) },
                None => Gate::Closed(schedule.next_after(now, zone)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(schedule: &str, now: &str) -> Gate {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = Hours::At { schedule: Box::new(schedule.parse().unwrap()), zone };
        Terms { hours, ..Terms::default() }.gate(now.parse().unwrap())
    }

    #[test]
    fn at_any_time_that_goes_which_came_until_the_last_due_time_also_where_the_clock_was_changed() {
        for (schedule, now, due) in [
            ("0 20 * * *", "2026-11-22T18:59:59Z", "2026-11-21T19:00:00Z"),
            ("0 20 * * *", "2026-11-22T19:00:00Z", "2026-11-22T19:00:00Z"),
            // Summer begins on the 29th of March: 20:00 is an hour earlier, and 02:30 is left out.
            ("0 20 * * *", "2026-03-29T18:30:00Z", "2026-03-29T18:00:00Z"),
            ("30 2 * * *", "2026-03-29T00:59:59Z", "2026-03-28T01:30:00Z"),
            // It ends on the 25th of October: 02:30 comes twice, and is due the first time.
            ("30 2 * * *", "2026-10-25T01:45:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-26T01:29:59Z", "2026-10-25T00:30:00Z"),
        ] {
            let arrived_by = Some(due.parse().unwrap());
            assert_eq!(gate(schedule, now), Gate::Open { until: None, arrived_by }, "{schedule} at {now}");
        }
    }
}
