//! Why a journal could not be written.

use std::error::Error;

/// What kind of fault it is: it decides how the work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or it broke. Passes by itself.
    Unreachable,
    /// Other writers are in the way: a deadlock, a lock held for long. Passes by itself.
    Busy,
    /// The server does not take the login.
    LoginRefused,
    /// The database does not exist.
    NoDatabase,
    /// The table does not exist.
    NoTable,
    /// The table lacks a column, or has it with another type.
    Columns,
    /// The user may not.
    Denied,
    /// No space.
    Full,
    /// The row itself cannot be stored.
    Row,
    /// What the resource says cannot be used.
    Description,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// In one word, for counting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::LoginRefused => "login",
            Self::NoDatabase => "database",
            Self::NoTable => "table",
            Self::Columns => "columns",
            Self::Denied => "denied",
            Self::Full => "full",
            Self::Row => "row",
            Self::Description => "description",
            Self::Other => "other",
        }
    }
}

/// A fault, as a sentence for a person. Holds nothing of a row.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct JournalError {
    kind: ErrorKind,
    sentence: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl JournalError {
    pub(crate) fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of fault.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// True if time alone does not mend it.
    pub const fn is_permanent(&self) -> bool {
        !matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Busy | ErrorKind::Full | ErrorKind::Other)
    }

    /// True if the fault lies in the row, so that other rows go on.
    pub const fn concerns_row(&self) -> bool {
        matches!(self.kind, ErrorKind::Row)
    }
}
