//! Entries read back.

use std::str::{FromStr, Split};

use super::{
    Entry, KeyEntry, SealedEntry, What,
    line::{parse_clock, parse_list},
};
use crate::text::unescape;

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not text, or not `Callseal-Log: 1`.
    #[error("it is not an entry of a Callseal log of version 1")]
    Format,
    /// Another kind than this version knows.
    #[error("it is of a kind that this version does not know: verify with a newer one")]
    Kind,
    /// A line is missing, stands elsewhere, or holds no such value.
    #[error("its line {0} is missing or makes no sense")]
    Line(&'static str),
    /// Lines too many, or values spelled in another way than they are written.
    #[error("it holds more than an entry of its kind, or spells it in another way")]
    Spelling,
}

/// The lines that are still to be read.
struct Lines<'a>(Split<'a, char>);

impl<'a> Lines<'a> {
    fn value(&mut self, key: &'static str) -> Result<&'a str, EntryError> {
        let value = self.0.next().and_then(|line| line.strip_prefix(key)?.strip_prefix(": "));
        value.ok_or(EntryError::Line(key))
    }

    fn parsed<T: FromStr>(&mut self, key: &'static str) -> Result<T, EntryError> {
        self.value(key)?.parse().map_err(|_| EntryError::Line(key))
    }

    fn or_none<T: FromStr>(&mut self, key: &'static str) -> Result<Option<T>, EntryError> {
        match self.value(key)? {
            "none" => Ok(None),
            value => value.parse().map(Some).map_err(|_| EntryError::Line(key)),
        }
    }

    fn text(&mut self, key: &'static str) -> Result<String, EntryError> {
        self.value(key).map(unescape)
    }

    fn list(&mut self, key: &'static str, none_given: &str) -> Result<Vec<String>, EntryError> {
        self.value(key).map(|value| parse_list(value, none_given))
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Entry, EntryError> {
    let text = std::str::from_utf8(bytes).map_err(|_| EntryError::Format)?;
    let mut lines = Lines(text.split('\n'));
    if lines.value("Callseal-Log") != Ok("1") {
        return Err(EntryError::Format);
    }
    let kind = lines.value("Kind")?;
    let (at, tenant) = (lines.parsed("Time")?, lines.parsed("Tenant")?);
    let entry = Entry { at, tenant, what: what(kind, &mut lines)? };
    // One entry, one spelling: capitals, other time zones, a plus before a number, lines that follow.
    if entry.to_bytes() == bytes { Ok(entry) } else { Err(EntryError::Spelling) }
}

fn what(kind: &str, lines: &mut Lines<'_>) -> Result<What, EntryError> {
    Ok(match kind {
        "started" => What::Started { reference: lines.parsed("Reference")? },
        "decided" => What::Decided {
            reference: lines.parsed("Reference")?,
            outcome: lines.parsed("Outcome")?,
            rule: lines.text("Rule")?,
        },
        "stopped" => What::Stopped { reference: lines.parsed("Reference")?, way: lines.text("Way")? },
        "sealed" => What::Sealed(Box::new(sealed(lines)?)),
        "empty" => What::Empty { reference: lines.parsed("Reference")?, reason: lines.text("Reason")? },
        "deleted" => What::Deleted {
            recording: lines.parsed("Recording")?,
            targets: lines.list("Targets", "all")?,
            reason: lines.text("Reason")?,
            by: lines.text("By")?,
        },
        "accessed" => What::Accessed {
            recording: lines.parsed("Recording")?,
            how: lines.parsed("How")?,
            by: lines.text("By")?,
        },
        "key" => What::Key(Box::new(key(lines)?)),
        "heartbeat" => What::Heartbeat,
        _ => return Err(EntryError::Kind),
    })
}

fn sealed(lines: &mut Lines<'_>) -> Result<SealedEntry, EntryError> {
    Ok(SealedEntry {
        reference: lines.parsed("Reference")?,
        recording: lines.parsed("Recording")?,
        class: lines.parsed("Class")?,
        position: lines.parsed("Position")?,
        hash_list: lines.parsed("HashList")?,
        signature: lines.parsed("Signature")?,
        key_id: lines.parsed("KeyId")?,
        started: lines.parsed("Started")?,
        duration: parse_clock(lines.value("Duration")?).ok_or(EntryError::Line("Duration"))?,
        gaps: lines.parsed("Gaps")?,
        interrupted: match lines.value("Interrupted")? {
            "yes" => true,
            "no" => false,
            _ => return Err(EntryError::Line("Interrupted")),
        },
        supplement_to: lines.or_none("SupplementTo")?,
        targets: lines.list("Targets", "none")?,
    })
}

fn key(lines: &mut Lines<'_>) -> Result<KeyEntry, EntryError> {
    Ok(KeyEntry {
        change: lines.parsed("Change")?,
        key_id: lines.parsed("KeyId")?,
        previous: lines.or_none("PreviousKeyId")?,
        certificate: lines.parsed("Certificate")?,
        log_key: lines.text("LogKey")?,
        statement: lines.or_none("Statement")?,
        reason: lines.text("Reason")?,
    })
}
