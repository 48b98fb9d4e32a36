//! The flags by which a service's back-off is set.

use std::time::Duration;

use crate::Backoff;

/// How long destinations are left alone after a fault; each flag settable by environment, too.
#[derive(Debug, Clone, clap::Args)]
pub struct RetryArgs {
    /// Wait after a destination's first fault, in seconds; doubled each time, up to an hour.
    #[arg(long = "retry-after", env = "CALLSEAL_RETRY_AFTER", default_value_t = 5.0, value_name = "SECONDS")]
    pub retry_after_s: f64,
    /// The longest wait, and how often a destination that needs a person is probed, in seconds.
    #[arg(
        long = "retry-at-least-every",
        env = "CALLSEAL_RETRY_AT_LEAST_EVERY",
        default_value_t = 3600.0,
        value_name = "SECONDS"
    )]
    pub retry_at_least_every_s: f64,
    /// Orders of a destination that is missing in the configuration for so long are orphaned, in seconds.
    #[arg(
        long = "orphan-after",
        env = "CALLSEAL_ORPHAN_AFTER",
        default_value_t = 60.0,
        value_name = "SECONDS"
    )]
    pub orphan_after_s: f64,
}

impl RetryArgs {
    /// How long destinations are left alone after a fault.
    pub fn backoff(&self) -> Backoff {
        Backoff { base: seconds(self.retry_after_s), ceiling: seconds(self.retry_at_least_every_s) }
    }

    /// How long a destination may be missing before its orders are orphaned.
    pub fn orphan_after(&self) -> Duration {
        seconds(self.orphan_after_s)
    }
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or(Duration::from_secs(3600))
}
