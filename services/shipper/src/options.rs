//! Flags of the shipper, each settable by environment, too.

use std::{path::PathBuf, time::Duration};

use delivery::Backoff;

/// Settings of the shipper.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder with the configuration (for the storage targets).
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// State database: sqlite:/path/to/file.sqlite, or postgres://… when there are replicas.
    #[arg(long = "state", env = "CALLSEAL_SHIPPER_STATE", value_name = "URL", hide_env_values = true)]
    pub state: String,
    /// Staging folder, shared with the signer.
    #[arg(long, env = "CALLSEAL_STAGING", value_name = "DIR")]
    pub staging: PathBuf,
    /// Folder that relative paths of targets start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub data: PathBuf,
    /// Recordings brought to one target at the same time.
    #[arg(long, env = "CALLSEAL_SHIPPER_CONCURRENCY", default_value_t = 2, value_name = "N")]
    pub concurrency: usize,
    /// Wait after a target's first fault, in seconds; doubled each time, up to an hour.
    #[arg(long = "retry-after", env = "CALLSEAL_RETRY_AFTER", default_value_t = 5.0, value_name = "SECONDS")]
    pub retry_after_s: f64,
    /// The longest wait, and how often a target that needs a person is probed, in seconds.
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
            staging: PathBuf::from("staging"),
            data: PathBuf::from("."),
            concurrency: 2,
            retry_after_s: 5.0,
            retry_at_least_every_s: 3600.0,
            fail_at: None,
        }
    }
}

impl Options {
    /// How long targets are left alone after a fault.
    pub fn backoff(&self) -> Backoff {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or(Duration::from_secs(3600));
        Backoff { base: seconds(self.retry_after_s), ceiling: seconds(self.retry_at_least_every_s) }
    }
}
