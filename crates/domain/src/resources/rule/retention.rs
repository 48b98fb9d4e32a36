//! How long a recording is kept (F-84). Pure: the time comes in as an argument.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde::Deserialize;

use crate::{
    Class,
    resources::{FieldPath, field::Findings},
};

/// How long a recording is kept. Always whole days by the tenant's clock: a recording is kept to the end
/// of the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// So many days after the day on which it ended, 1 to 9999.
    Days(u16),
    /// To the same date so many years later, 1 to 100; of 29 February to 28 February where there is none.
    Years(u16),
    /// To the end of the calendar year that comes so many years after the one in which it ended, 1 to 100.
    EndOfYear(u16),
}

/// Until when one recording is kept, as it is fixed when it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptUntil {
    /// Not before that moment; `None`: for ever.
    pub until: Option<Timestamp>,
    /// It may be deleted before on a person's request, if nothing stands against it.
    pub erasable: bool,
}

impl Retention {
    /// The moment up to which a recording that ended at `ended` is kept, in the tenant's zone. A time that
    /// the calendar cannot hold is the last one that it can.
    pub fn end(self, ended: Timestamp, zone: &TimeZone) -> Timestamp {
        let day = ended.to_zoned(zone.clone()).date();
        let last = match self {
            Self::Days(days) => day.saturating_add(i64::from(days).days()),
            Self::Years(years) => day.saturating_add(i64::from(years).years()),
            Self::EndOfYear(years) => {
                let year = day.year().saturating_add(i16::try_from(years).unwrap_or(i16::MAX));
                Date::new(year, 12, 31).unwrap_or(Date::MAX)
            }
        };
        // The beginning of the day after: where clocks change at midnight, the first moment there is.
        let after = last.tomorrow().and_then(|day| day.to_zoned(zone.clone()));
        after.map_or(Timestamp::MAX, |begin| begin.timestamp())
    }

    /// What a rule says of a recording of this class that ended at `ended`; `retention` is the one that
    /// counts for that class, `None`: for ever.
    pub fn terms(retention: Option<Self>, class: Class, ended: Timestamp, zone: &TimeZone) -> KeptUntil {
        let erasable = match class {
            // The law wants it: nobody's request counts.
            Class::Regulated => false,
            // Consent can be taken back.
            Class::Consent => true,
            // A user's own: what the rule says counts, and where it says nothing, people do.
            Class::Manual => retention.is_none(),
        };
        KeptUntil { until: retention.map(|retention| retention.end(ended, zone)), erasable }
    }
}

impl std::fmt::Display for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |n: u16, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        match *self {
            Self::Days(days) => f.write_str(&counted(days, "day")),
            Self::Years(years) => f.write_str(&counted(years, "year")),
            Self::EndOfYear(years) => {
                write!(f, "to the end of the calendar year, {} on", counted(years, "year"))
            }
        }
    }
}

/// The raw form of a [`Retention`]: exactly one of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetentionSpec {
    /// Days, 1 to 9999.
    pub days: Option<i64>,
    /// Years, 1 to 100.
    pub years: Option<i64>,
    /// To the end of the calendar year so many years later, 1 to 100.
    pub end_of_year: Option<i64>,
}

impl RetentionSpec {
    /// What is wrong with the one at `path` is noted.
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<Retention> {
        let all =
            [("days", self.days, 9_999), ("years", self.years, 100), ("endOfYear", self.end_of_year, 100)];
        let mut given = all.into_iter().filter_map(|(field, value, most)| Some((field, value?, most)));
        let (Some((field, value, most)), None) = (given.next(), given.next()) else {
            findings.add(path.clone(), "must have exactly one of days, years, endOfYear");
            return None;
        };
        match u16::try_from(value) {
            Ok(number) if (1..=most).contains(&value) => Some(match field {
                "days" => Retention::Days(number),
                "years" => Retention::Years(number),
                _ => Retention::EndOfYear(number),
            }),
            _ => {
                findings.add(
                    path.key(field),
                    format!("must be 1 to {most}; leave retention out to keep for ever"),
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(retention: Retention, ended: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        retention.end(ended.parse().unwrap(), &zone).to_zoned(zone).to_string()
    }

    #[test]
    fn a_recording_is_kept_to_the_end_of_its_last_day_by_the_tenants_clock() {
        use Retention::{Days, EndOfYear, Years};
        for (retention, ended, zone, expected) in [
            (Days(1), "2026-11-22T09:00:00Z", "Europe/Berlin", "2026-11-24T00:00:00+01:00[Europe/Berlin]"),
            // It ended on the 23rd in Berlin.
            (Days(1), "2026-11-22T23:30:00Z", "Europe/Berlin", "2026-11-25T00:00:00+01:00[Europe/Berlin]"),
            // Clocks go forward, and back, in between: whole days nevertheless.
            (Days(7), "2026-03-25T09:00:00Z", "Europe/Berlin", "2026-04-02T00:00:00+02:00[Europe/Berlin]"),
            (Days(7), "2026-10-21T09:00:00Z", "Europe/Berlin", "2026-10-29T00:00:00+01:00[Europe/Berlin]"),
            // On the day itself.
            (Days(1), "2026-03-28T09:00:00Z", "Europe/Berlin", "2026-03-30T00:00:00+02:00[Europe/Berlin]"),
            // Midnight does not exist on that day there.
            (
                Days(1),
                "2024-09-06T12:00:00Z",
                "America/Santiago",
                "2024-09-08T01:00:00-03:00[America/Santiago]",
            ),
            (Years(1), "2024-02-29T12:00:00Z", "Europe/Berlin", "2025-03-01T00:00:00+01:00[Europe/Berlin]"),
            (Years(4), "2024-02-29T12:00:00Z", "Europe/Berlin", "2028-03-01T00:00:00+01:00[Europe/Berlin]"),
            (Years(10), "2026-11-22T09:00:00Z", "Europe/Berlin", "2036-11-23T00:00:00+01:00[Europe/Berlin]"),
            (
                EndOfYear(1),
                "2026-01-01T09:00:00Z",
                "Europe/Berlin",
                "2028-01-01T00:00:00+01:00[Europe/Berlin]",
            ),
            // New Year in Berlin, the old one in UTC; and the other way round in New York.
            (
                EndOfYear(10),
                "2026-12-31T23:30:00Z",
                "Europe/Berlin",
                "2038-01-01T00:00:00+01:00[Europe/Berlin]",
            ),
            (
                EndOfYear(1),
                "2027-01-01T03:00:00Z",
                "America/New_York",
                "2028-01-01T00:00:00-05:00[America/New_York]",
            ),
            (Years(100), "2026-11-22T09:00:00Z", "UTC", "2126-11-23T00:00:00+00:00[UTC]"),
        ] {
            assert_eq!(end(retention, ended, zone), expected, "{retention} of {ended}");
        }
        assert_eq!(EndOfYear(100).end(Timestamp::MAX, &TimeZone::UTC), Timestamp::MAX);
    }

    #[test]
    fn only_consent_and_manual_recordings_without_a_term_can_be_erased_before() {
        let ended = "2026-11-22T09:00:00Z".parse().unwrap();
        let terms = |retention, class| Retention::terms(retention, class, ended, &TimeZone::UTC);
        let days = Some(Retention::Days(3));
        let until = Some("2026-11-26T00:00:00Z".parse().unwrap());
        assert_eq!(terms(days, Class::Regulated), KeptUntil { until, erasable: false });
        assert_eq!(terms(None, Class::Regulated), KeptUntil { until: None, erasable: false });
        assert_eq!(terms(days, Class::Consent), KeptUntil { until, erasable: true });
        assert_eq!(terms(days, Class::Manual), KeptUntil { until, erasable: false });
        assert_eq!(terms(None, Class::Manual), KeptUntil { until: None, erasable: true });
    }

    #[test]
    fn what_is_wrong_with_a_retention_is_named_where_it_stands() {
        let validate = |spec: RetentionSpec| {
            let mut findings = Findings::default();
            let found = spec.validate(&FieldPath::spec().key("retention"), &mut findings);
            let errors = findings.finish(Some(())).err().unwrap_or_default();
            (found, errors.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let both = RetentionSpec { days: Some(1), years: Some(1), end_of_year: None };
        let exactly = "spec.retention: must have exactly one of days, years, endOfYear";
        assert_eq!(validate(both), (None, vec![exactly.to_owned()]));
        assert_eq!(validate(RetentionSpec::default()), (None, vec![exactly.to_owned()]));
        for wrong in [0, -1, 101, i64::MAX] {
            let (found, errors) = validate(RetentionSpec { end_of_year: Some(wrong), ..Default::default() });
            assert_eq!(found, None);
            let expected = "spec.retention.endOfYear: must be 1 to 100; leave retention out to keep for ever";
            assert_eq!(errors, [expected]);
        }
        let ten = RetentionSpec { years: Some(10), ..Default::default() };
        assert_eq!(validate(ten).0, Some(Retention::Years(10)));
    }
}
