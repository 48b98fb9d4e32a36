//! What a reader wants to see of a journal.

use std::fmt;

use wire::recording_v1::JournalRow;

use super::table::Value;

/// Which rows, newest first. Everything that is given has to be true of a row.
#[derive(Clone, Default)]
pub struct Query {
    /// At that time or later, Unix ms.
    pub from_unix_ms: Option<i64>,
    /// Before that time, Unix ms.
    pub before_unix_ms: Option<i64>,
    /// This number called, or was called, exactly as the journal has it. Sensitive.
    pub caller_or_callee: Option<String>,
    /// `in` or `out`.
    pub direction: Option<String>,
    /// The rule.
    pub rule: Option<String>,
    /// Only rows that come after this one in the order of reading: where the next page begins.
    pub after: Option<Place>,
    /// At most so many rows.
    pub limit: u32,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query(at most {} rows, ‹sensitive›)", self.limit)
    }
}

/// The place of a row in the order of reading. Sensitive: it has the name of the recording's files.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    time_unix_ms: i64,
    base_file_name: String,
}

impl From<&JournalRow> for Place {
    fn from(row: &JournalRow) -> Self {
        Self { time_unix_ms: row.time_unix_ms, base_file_name: row.base_file_name.clone() }
    }
}

/// A column held against a value.
pub(super) struct Test<'a> {
    pub(super) column: &'static str,
    pub(super) operator: &'static str,
    pub(super) value: Value<'a>,
}

impl Query {
    /// The newest rows, at most `limit`.
    pub fn newest(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// All of these have to be true; each is true if one of its alternatives is, which is if all of its
    /// tests are.
    pub(super) fn conditions(&self) -> Vec<Vec<Vec<Test<'_>>>> {
        fn text<'a>(column: &'static str, operator: &'static str, text: &'a str) -> Test<'a> {
            Test { column, operator, value: Value::Text(text.into()) }
        }
        fn number(column: &'static str, operator: &'static str, number: i64) -> Test<'static> {
            Test { column, operator, value: Value::Number(number) }
        }
        let mut conditions = Vec::new();
        if let Some(from) = self.from_unix_ms {
            conditions.push(vec![vec![number("time", ">=", from)]]);
        }
        if let Some(before) = self.before_unix_ms {
            conditions.push(vec![vec![number("time", "<", before)]]);
        }
        if let Some(party) = &self.caller_or_callee {
            conditions.push(vec![vec![text("caller", "=", party)], vec![text("callee", "=", party)]]);
        }
        if let Some(direction) = &self.direction {
            conditions.push(vec![vec![text("direction", "=", direction)]]);
        }
        if let Some(rule) = &self.rule {
            conditions.push(vec![vec![text("setting", "=", rule)]]);
        }
        if let Some(Place { time_unix_ms, base_file_name }) = &self.after {
            conditions.push(vec![
                vec![number("time", "<", *time_unix_ms)],
                vec![number("time", "=", *time_unix_ms), text("basefilename", "<", base_file_name)],
            ]);
        }
        conditions
    }
}
