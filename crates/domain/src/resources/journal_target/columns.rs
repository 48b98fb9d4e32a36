//! Columns that a journal has beside those of F-91, where somebody asks for them.

use crate::resources::{FieldPath, field::Findings};

/// A column beside those of F-91.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtraColumn {
    /// The recording's id, text.
    RecordingId,
    /// The tenant's name, text.
    Tenant,
    /// How long the recording is, milliseconds, bigint.
    DurationMs,
    /// SHA-256 of its audio, 64 hexadecimal digits, text; of several files one after the other, with a
    /// space between.
    Sha256,
    /// Why the recording is not whole, text; empty if it is.
    Interrupted,
}

impl ExtraColumn {
    /// All of them, in the order in which a new table has them.
    pub const ALL: [Self; 5] =
        [Self::RecordingId, Self::Tenant, Self::DurationMs, Self::Sha256, Self::Interrupted];

    /// Its name in the table and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordingId => "recordingid",
            Self::Tenant => "tenant",
            Self::DurationMs => "durationms",
            Self::Sha256 => "sha256",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Each column once, in the order of [`ExtraColumn::ALL`].
pub(super) fn validate(names: &[String], path: &FieldPath, findings: &mut Findings) -> Vec<ExtraColumn> {
    for (i, name) in names.iter().enumerate() {
        if !ExtraColumn::ALL.iter().any(|column| column.as_str() == name) {
            let known = ExtraColumn::ALL.map(ExtraColumn::as_str).join(", ");
            findings.add(path.index(i), format!("{name:?} is not a column; use {known}"));
        }
    }
    ExtraColumn::ALL.into_iter().filter(|column| names.iter().any(|name| name == column.as_str())).collect()
}
