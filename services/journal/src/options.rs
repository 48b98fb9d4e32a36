//! Flags of the journal, each settable by environment, too.

use std::{path::PathBuf, time::Duration};

use delivery::Backoff;

/// Settings of the journal.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder with the configuration (for the journals).
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// State database: sqlite:/path/to/file.sqlite, or postgres://… when there are replicas.
    #[arg(long = "state", env = "CALLSEAL_JOURNAL_STATE", value_name = "URL", hide_env_values = true)]
    pub state: String,
    /// Folder that relative paths of SQLite journals start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub data: PathBuf,
    /// Wait after a database's first fault, in seconds; doubled each time, up to an hour.
    #[arg(long = "retry-after", env = "CALLSEAL_RETRY_AFTER", default_value_t = 5.0, value_name = "SECONDS")]
    pub retry_after_s: f64,
    /// The longest wait, and how often a database that needs a person is probed, in seconds.
    #[arg(
        long = "retry-at-least-every",
        env = "CALLSEAL_RETRY_AT_LEAST_EVERY",
        default_value_t = 3600.0,
        value_name = "SECONDS"
    )]
    pub retry_at_least_every_s: f64,
    /// For tests: die right after this step.
    #[arg(long, hide = true, value_name = "STEP")]
    pub fail_at: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: PathBuf::from("."),
            state: String::new(),
            data: PathBuf::from("."),
            retry_after_s: 5.0,
            retry_at_least_every_s: 3600.0,
            fail_at: None,
        }
    }
}

impl Options {
    /// How long databases are left alone after a fault.
    pub fn backoff(&self) -> Backoff {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or(Duration::from_secs(3600));
        Backoff { base: seconds(self.retry_after_s), ceiling: seconds(self.retry_at_least_every_s) }
    }
}
