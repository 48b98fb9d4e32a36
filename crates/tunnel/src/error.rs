//! Why there is no way to a server.

use std::error::Error;

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or it broke. Passes by itself.
    Unreachable,
    /// A server does not take the login, or the private key cannot be used.
    LoginRefused,
    /// A server shows a host key that is not pinned.
    HostKeyChanged,
    /// No host key of a server is pinned yet, or what is pinned is none: nothing was sent.
    Incomplete,
    /// The server takes the login but refuses what was asked for: forwarding, a subsystem.
    Denied,
}

/// A fault, as a sentence for a person; it names the server and, in a tunnel, which hop it is.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct SshError {
    kind: ErrorKind,
    sentence: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SshError {
    pub(crate) fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), source: None }
    }

    /// Adds what it was caused by; it is not repeated in the sentence.
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of fault.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it was caused by, to be passed on with an error of one's own.
    pub fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }
}
