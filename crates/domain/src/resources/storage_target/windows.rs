//! Windows of the week in which something may be sent: `Mon-Fri 19:00-06:00`, `Sat-Sun`.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// A window of the week: on some days, from a time to a time, which may lie on the next day. What it
/// means in a zone follows that zone's clock, also on the days when that is put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins, Monday first.
    days: [bool; 7],
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight of the day on which it begins: up to two days.
    to: u16,
}

/// Windows of the week; together they say when. None at all: at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// Why a text is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It has another form.
    #[error(
        "is not a window: write days, times, or both, for example \"Mon-Fri 19:00-06:00\", \"Sat-Sun\" or \"22:00-05:00\""
    )]
    Form,
    /// It is empty or a whole day, nobody knows.
    #[error("begins and ends at the same time; leave the times out for whole days")]
    Empty,
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (days, times) = match text.split_whitespace().collect::<Vec<_>>()[..] {
            [days, times] => (Some(days), Some(times)),
            [times] if times.starts_with(|c: char| c.is_ascii_digit()) => (None, Some(times)),
            [days] => (Some(days), None),
            _ => return Err(WindowError::Form),
        };
        let days = days.map_or(Ok([true; 7]), parse_days)?;
        let Some(times) = times else { return Ok(Self { days, from: 0, to: DAY_MINUTES }) };
        let (from, to) = times.split_once('-').ok_or(WindowError::Form)?;
        let (from, to) = (parse_time(from)?, parse_time(to)?);
        if from == to {
            return Err(WindowError::Empty);
        }
        if from == DAY_MINUTES {
            return Err(WindowError::Form);
        }
        Ok(Self { days, from, to: if to > from { to } else { to + DAY_MINUTES } })
    }
}

/// `Mon`, `Mon-Fri`, `Sat,Mon-Tue`; `Fri-Mon` goes over the week's end.
fn parse_days(text: &str) -> Result<[bool; 7], WindowError> {
    let day = |name: &str| DAYS.iter().position(|d| d.eq_ignore_ascii_case(name)).ok_or(WindowError::Form);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

/// `06:00` as minutes; `24:00` is the end of the day.
fn parse_time(text: &str) -> Result<u16, WindowError> {
    let (hours, minutes) = text.split_once(':').ok_or(WindowError::Form)?;
    let two_digits = |part: &str| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse::<u16>().ok()).flatten().ok_or(WindowError::Form)
    };
    if minutes.len() != 2 {
        return Err(WindowError::Form);
    }
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let time = hours * 60 + minutes;
    if minutes < 60 && time <= DAY_MINUTES { Ok(time) } else { Err(WindowError::Form) }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<&str> = (0..7).filter(|day| self.days[*day]).map(|day| DAYS[day]).collect();
        let whole_days = self.from == 0 && self.to == DAY_MINUTES;
        if named.len() < 7 || whole_days {
            write!(f, "{}", named.join(","))?;
        }
        if whole_days {
            return Ok(());
        }
        let space = if named.len() < 7 { " " } else { "" };
        let to = if self.to > DAY_MINUTES { self.to - DAY_MINUTES } else { self.to };
        write!(f, "{space}{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, to / 60, to % 60)
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows: Vec<String> = self.0.iter().map(Window::to_string).collect();
        write!(f, "{}", windows.join("; "))
    }
}

impl Window {
    /// From when to when it is open if it begins on `date`.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let days =
            [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];
        let weekday = days.iter().position(|day| *day == date.weekday());
        let weekday = weekday.unwrap_or(if date.weekday() == Weekday::Saturday { 5 } else { 6 });
        if !self.days[weekday] {
            return None;
        }
        // A time that the clock leaves out is taken as if it had not been put forward; of a time that
        // comes twice the first is meant.
        let at = |minutes: u16| {
            let midnight = DateTime::from_parts(date, Time::midnight());
            let civil = midnight.checked_add(i64::from(minutes).minutes()).ok()?;
            zone.to_ambiguous_timestamp(civil).compatible().ok()
        };
        let (from, to) = (at(self.from)?, at(self.to)?);
        (from < to).then_some((from, to))
    }
}

impl Windows {
    /// These windows together.
    pub const fn new(windows: Vec<Window>) -> Self {
        Self(windows)
    }

    /// At any time: there are no windows.
    pub const fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// When a window is open at or after `now`: `now` itself while one is open.
    pub fn next_opening(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.is_always() || self.around(now, zone).any(|(from, to)| from <= now && now < to) {
            return Some(now);
        }
        self.around(now, zone).map(|(from, _)| from).filter(|from| *from > now).min()
    }

    /// When the windows that are open at `now` end; `None` if nothing ends within a week, or nothing is
    /// open.
    pub fn closes(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let week = now.checked_add((7 * 24).hours()).ok()?;
        let mut end = now;
        // Windows that touch are one.
        while let Some(next) =
            self.around(end, zone).filter(|(from, to)| *from <= end && end < *to).map(|(_, to)| to).max()
        {
            end = next;
            if end >= week {
                return None;
            }
        }
        (end > now).then_some(end)
    }

    /// Every opening from the day before `now` to a week after it.
    fn around(&self, now: Timestamp, zone: &TimeZone) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = zone.to_datetime(now).date();
        let days = (-2..=8_i64).filter_map(move |day| today.checked_add(day.days()).ok());
        days.flat_map(move |date| self.0.iter().filter_map(move |window| window.on(date, zone)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(texts: &[&str]) -> Windows {
        Windows::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime>().unwrap().to_zoned(berlin()).unwrap().timestamp()
    }

    #[test]
    fn a_window_is_written_as_people_write_it() {
        for (text, shown) in [
            ("Mon-Fri 19:00-06:00", "Mon,Tue,Wed,Thu,Fri 19:00-06:00"),
            ("sat-sun", "Sat,Sun"),
            ("Fri-Mon 8:30-24:00", "Mon,Fri,Sat,Sun 08:30-24:00"),
            ("22:00-05:00", "22:00-05:00"),
            ("Mon,Wed", "Mon,Wed"),
        ] {
            let window: Window = text.parse().unwrap();
            assert_eq!(window.to_string(), shown);
            assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        }
        for wrong in [
            "",
            "Mo-Fr",
            "Mon 19-6",
            "Mon 19:00",
            "25:00-26:00",
            "10:60-11:00",
            "Mon 1:0-2:00",
            "24:00-06:00",
            "Mon Tue 1:00-2:00",
            "Mon-",
        ] {
            assert_eq!(wrong.parse::<Window>(), Err(WindowError::Form), "{wrong:?}");
        }
        assert_eq!("Mon 07:00-07:00".parse::<Window>(), Err(WindowError::Empty));
    }

    #[test]
    fn windows_open_and_close_by_the_clock_of_the_zone() {
        let nights = windows(&["Mon-Fri 19:00-06:00", "Sat-Sun"]);
        // 2026-11-23 is a Monday.
        for (now, opens, closes) in [
            ("2026-11-23T12:00", "2026-11-23T19:00", None),
            ("2026-11-23T19:00", "2026-11-23T19:00", Some("2026-11-24T06:00")),
            ("2026-11-24T05:59", "2026-11-24T05:59", Some("2026-11-24T06:00")),
            ("2026-11-24T06:00", "2026-11-24T19:00", None),
            // Friday's night and the week-end are one, up to Monday midnight.
            ("2026-11-27T20:00", "2026-11-27T20:00", Some("2026-11-30T00:00")),
            ("2026-11-30T00:00", "2026-11-30T19:00", None),
        ] {
            assert_eq!(nights.next_opening(at(now), &berlin()), Some(at(opens)), "{now}");
            assert_eq!(nights.closes(at(now), &berlin()), closes.map(at), "{now}");
        }
    }

    #[test]
    fn the_night_when_the_clock_is_put_back_is_an_hour_longer() {
        let night = windows(&["Sat 22:00-06:00"]);
        let (from, to) = (at("2026-10-24T22:00"), at("2026-10-25T06:00"));
        assert_eq!(to.duration_since(from).as_hours(), 9);
        assert_eq!(night.closes(from, &berlin()), Some(to));
        let spring = at("2026-03-28T22:00");
        assert_eq!(night.closes(spring, &berlin()).unwrap().duration_since(spring).as_hours(), 7);
        // The window lies in the hour that is left out.
        let gone = windows(&["Sun 02:15-02:45"]);
        let opens = gone.next_opening(at("2026-03-29T00:00"), &berlin()).unwrap();
        assert_eq!(opens, at("2026-03-29T03:15"));
    }

    #[test]
    fn no_window_is_always_open_and_all_days_never_close() {
        let now = at("2026-11-23T12:00");
        assert_eq!(Windows::default().next_opening(now, &berlin()), Some(now));
        let all = windows(&["Mon-Sun"]);
        assert_eq!((all.next_opening(now, &berlin()), all.closes(now, &berlin())), (Some(now), None));
    }
}
