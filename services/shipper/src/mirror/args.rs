//! Flags of the mirrors, each settable by environment, too.

use std::time::Duration;

use delivery::Backoff;

/// How the transparency log follows into the targets.
#[derive(Debug, Clone, clap::Args)]
pub struct MirrorArgs {
    /// How often the log in each target is brought up to date, in seconds.
    #[arg(
        long = "archive-log-every",
        env = "CALLSEAL_ARCHIVE_LOG_EVERY",
        default_value_t = 3.0,
        value_name = "SECONDS"
    )]
    pub every_s: f64,
    /// When the log in a target is behind for so long, somebody is told, in seconds.
    #[arg(
        long = "archive-log-late-after",
        env = "CALLSEAL_ARCHIVE_LOG_LATE_AFTER",
        default_value_t = 300.0,
        value_name = "SECONDS"
    )]
    pub late_after_s: f64,
}

/// The times that mirrors work by.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How often one looks whether the log has grown.
    pub every: Duration,
    /// How long a target may be behind before somebody is told.
    pub late_after: Duration,
    /// How long a target is left alone after a fault.
    pub backoff: Backoff,
}

impl MirrorArgs {
    /// The times; `backoff` is that of the recordings.
    pub fn times(&self, backoff: Backoff) -> Times {
        let seconds = |s| Duration::try_from_secs_f64(s).unwrap_or(Duration::from_secs(3600));
        let every = seconds(self.every_s).max(Duration::from_millis(10));
        Times { every, late_after: seconds(self.late_after_s), backoff }
    }
}
