//! Why a target could not do what it was asked.

use std::{error::Error, io, time::Duration};

use domain::Sensitive;

use crate::files::MOST_ASIDE;

/// What kind of fault it is: it decides how the work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or it broke. Passes by itself.
    Unreachable,
    /// The server does not take the login.
    LoginRefused,
    /// The server shows a host key that is not pinned.
    HostKeyChanged,
    /// Something is missing in its description or its set-up: a host key that nobody has pinned yet,
    /// a login that nobody has made (F-75).
    Incomplete,
    /// The server asks to be left alone for a while.
    Busy,
    /// No space, or a quota is used up.
    Full,
    /// A retention lock of the storage keeps the file from being removed.
    Locked,
    /// No right to read or write there.
    Denied,
    /// What stands there is not what was stored.
    Conflict,
    /// The content to be stored cannot be read or is not what was sealed: a fault of the record,
    /// not of the target.
    Source,
    /// The target cannot take a file of this name: a fault of the record.
    Name,
    /// The place does not take this recording, though it may take others: a fault of the record.
    Refused,
    /// Anything else that reading or writing ran into.
    Io,
}

/// A fault, as a sentence for a person. Holds no file name.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct TargetError {
    kind: ErrorKind,
    sentence: String,
    retry_after: Option<Duration>,
    said: Option<Sensitive<String>>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TargetError {
    /// A fault of this kind, said in a sentence without a file name.
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), retry_after: None, said: None, source: None }
    }

    /// Adds what it was caused by; it is not repeated in the sentence.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what a program said when it failed. It may hold numbers: it stands in no text.
    #[must_use]
    pub fn with_said(mut self, said: String) -> Self {
        self.said = Some(said.into());
        self
    }

    /// What a program said when it failed. Sensitive.
    pub fn said(&self) -> Option<&str> {
        self.said.as_ref().map(|said| said.expose().as_str())
    }

    /// Adds how long the server wants to be left alone.
    #[must_use]
    pub const fn not_before(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// How long the server wants to be left alone, if it says so.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The kind of fault.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// True if time alone does not mend it: somebody has to change the target or its server. Such
    /// a target is paused and only probed.
    pub const fn is_permanent(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::LoginRefused | ErrorKind::HostKeyChanged | ErrorKind::Incomplete | ErrorKind::Denied
        )
    }

    /// True if the fault lies in the record, so that other records go on.
    pub const fn concerns_record(&self) -> bool {
        matches!(self.kind, ErrorKind::Source | ErrorKind::Name | ErrorKind::Refused)
    }

    /// The content to be stored could not be read.
    pub(crate) fn source_unreadable(error: io::Error) -> Self {
        Self::new(ErrorKind::Source, "a file cannot be read from staging").caused_by(error)
    }

    /// The content to be stored is not what was sealed.
    pub(crate) fn source_changed() -> Self {
        Self::new(ErrorKind::Source, "a file in staging is not what was sealed: its size or hash is another")
    }

    /// What was stored is gone.
    pub(crate) fn gone() -> Self {
        Self::new(ErrorKind::Conflict, "a file that was stored is not there any more")
    }

    /// What stands there is not what was stored.
    pub(crate) fn changed() -> Self {
        Self::new(ErrorKind::Conflict, "a stored file reads back differently from what was sealed")
    }

    /// The name and all that are tried in its place are taken by different files.
    pub(crate) fn no_name_left() -> Self {
        let sentence = format!(
            "{MOST_ASIDE} different files of the same name stand there already; look why, and move them away"
        );
        Self::new(ErrorKind::Conflict, sentence)
    }
}

impl From<tunnel::SshError> for TargetError {
    fn from(error: tunnel::SshError) -> Self {
        let kind = match error.kind() {
            tunnel::ErrorKind::Unreachable => ErrorKind::Unreachable,
            tunnel::ErrorKind::LoginRefused => ErrorKind::LoginRefused,
            tunnel::ErrorKind::HostKeyChanged => ErrorKind::HostKeyChanged,
            tunnel::ErrorKind::Incomplete => ErrorKind::Incomplete,
            tunnel::ErrorKind::Denied => ErrorKind::Denied,
        };
        let sentence = error.to_string();
        Self { kind, sentence, retry_after: None, said: None, source: error.into_source() }
    }
}
