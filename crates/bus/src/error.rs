//! What can go wrong between a service and NATS, in words for whoever runs the PBX.

use std::{io, path::PathBuf, time::Duration};

/// Why something on the bus did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The address of NATS cannot be used. Nothing is tried again.
    #[error("the NATS address is not usable: write nats://HOST:PORT or tls://HOST:PORT")]
    Address(#[source] async_nats::ConnectError),
    /// There is no connection now; the bus goes on trying by itself.
    #[error("NATS is not reachable; check that it runs and that its address is right")]
    NotConnected,
    /// Nobody answered in time.
    #[error("no answer from {whom} within {} ms", .after.as_millis())]
    Timeout {
        /// Whose answer was awaited.
        whom: String,
        /// For how long.
        after: Duration,
    },
    /// No service listens on the subject.
    #[error("no service listens on {subject}; is it running?")]
    NoResponder {
        /// The subject of the request.
        subject: String,
    },
    /// The answer or message is not what the protocol says.
    #[error("the message on {subject} cannot be read")]
    Undecodable {
        /// Where it came from.
        subject: String,
        /// What the decoder says.
        #[source]
        source: prost::DecodeError,
    },
    /// The stream takes no more (`discard: new`) until its consumers have caught up.
    #[error("the NATS stream {stream} is full; its consumers are behind or its max_bytes is too small")]
    StreamFull {
        /// Name of the stream.
        stream: String,
    },
    /// The stream is not there: `ensure_streams` was not run, or somebody deleted it.
    #[error("NATS has no stream for {subject}")]
    NoStream {
        /// The subject that was to be stored.
        subject: String,
    },
    /// The message is larger than the server's `max_payload`: it will never be taken.
    #[error("the message on {subject} is larger than max_payload of NATS allows")]
    TooLarge {
        /// The subject that was to be stored.
        subject: String,
    },
    /// An existing stream has settings under which recordings can be lost.
    #[error("the NATS stream {stream} could lose recordings: {}; correct it with `nats stream edit`", .problems.join("; "))]
    UnsafeStream {
        /// Name of the stream.
        stream: String,
        /// One text for each setting.
        problems: Vec<String>,
    },
    /// The server may not store as much as the stream is to hold.
    #[error(
        "NATS has no room for the stream {stream} ({mib} MiB): free disk space, raise `max_file_store` in its \
         configuration, or ask for less with --calls-max-bytes or --events-max-bytes"
    )]
    NoRoom {
        /// Name of the stream.
        stream: String,
        /// What it is to hold at most, in MiB.
        mib: i64,
    },
    /// JetStream refused or failed.
    #[error("NATS JetStream could not {action}")]
    JetStream {
        /// What was asked of it.
        action: String,
        /// What it says.
        #[source]
        source: BoxError,
    },
    /// The local spool cannot be used.
    #[error("the spool {} cannot be used", .path.display())]
    Spool {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process works on the same spool.
    #[error("the spool {} is in use by another process", .path.display())]
    SpoolInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A NATS server of our own did not start.
    #[error("nats-server: {problem}")]
    Server {
        /// What is wrong and what to do.
        problem: String,
        /// What the system says, if it said something.
        #[source]
        source: Option<io::Error>,
    },
}

/// Any error, as NATS' client hands them out.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl BusError {
    /// JetStream could not do `action`.
    pub(crate) fn jetstream(action: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::JetStream { action: action.into(), source: source.into() }
    }

    /// Our own server cannot be started because of `problem`.
    pub(crate) fn server(problem: impl Into<String>, source: Option<io::Error>) -> Self {
        Self::Server { problem: problem.into(), source }
    }

    /// The spool file or folder at `path` failed.
    pub(crate) fn spool(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Spool { path, source }
    }
}

/// An error and what it came from, in one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
