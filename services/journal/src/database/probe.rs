//! Trying whether rows can be written, without leaving one.

use domain::RecordingId;
use jiff::Timestamp;
use wire::recording_v1::JournalRow;

/// What was proven of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// A row was written, found, and taken back within its transaction: this user may insert.
    Writing,
    /// The table has its columns. Nothing was written: it could not be taken back there.
    Columns,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// What was written stays.
    Commit,
    /// What was written is taken back.
    TakeBack,
}

/// A row of a call that never was, in the form that all rows have: a table may have constraints.
pub(super) fn made_up() -> JournalRow {
    let id = RecordingId::new();
    let now = Timestamp::now();
    JournalRow {
        base_file_name: format!("{}_in_check_check_{id}", now.strftime("%Y%m%d-%H%M%S.000Z")),
        direction: "in".into(),
        time_unix_ms: now.as_millisecond(),
        call_id: "check".into(),
        caller_name: "check".into(),
        caller: "check".into(),
        callee: "check".into(),
        setting: "check".into(),
        signature: "Y2hlY2s=".into(),
        recording_id: id.to_string(),
        tenant: "check".into(),
        ..JournalRow::default()
    }
}
