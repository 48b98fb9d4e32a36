//! Flags of the notifications and of staging's quota.

use std::time::Duration;

use anyhow::Context as _;

use super::{Patience, audience::OperatorArgs};
use crate::quota::Quota;

/// When people are told, and of how much in staging.
#[derive(Debug, Clone, clap::Args)]
pub struct NotifyArgs {
    /// Who is told of everything.
    #[command(flatten)]
    pub operator: OperatorArgs,
    /// How long a fault lasts before a mail tells of it, and is gone before a mail says it is over, in
    /// seconds.
    #[arg(long, env = "CALLSEAL_NOTIFY_AFTER", default_value_t = 120.0, value_name = "SECONDS")]
    pub notify_after: f64,
    /// How much staging may hold before people are told: bytes of its files (500GiB), or a share of its
    /// disk by whatever it is taken (80%). At 70, 85 and 95 % of that, and when it is reached within a
    /// day. No call is refused for it.
    #[arg(long, env = "CALLSEAL_STAGING_QUOTA", default_value = "90%", value_name = "QUOTA")]
    pub staging_quota: Quota,
    /// For tests: how often faults, mails and staging are looked at, in seconds.
    #[arg(long, hide = true, default_value_t = 15.0, value_name = "SECONDS")]
    pub notify_every: f64,
    /// For tests: how often a fault that comes and goes may be told, in seconds.
    #[arg(long, hide = true, default_value_t = 3600.0, value_name = "SECONDS")]
    pub notify_between: f64,
    /// For tests: so many mails wait for one audience at most; of more, the oldest go.
    #[arg(long, hide = true, default_value_t = 500, value_name = "MAILS")]
    pub notify_most_waiting: u32,
    /// For tests: what counts as an hour when it is forecast when staging is full, in seconds.
    #[arg(long, hide = true, default_value_t = 3600.0, value_name = "SECONDS")]
    pub forecast_window: f64,
    /// For tests: a digest comes after so long, whoever gets it, in seconds.
    #[arg(long, hide = true, value_name = "SECONDS")]
    pub notify_digest: Option<f64>,
}

impl NotifyArgs {
    /// How long people are left alone.
    ///
    /// # Errors
    /// A time cannot be.
    pub fn patience(&self) -> anyhow::Result<Patience> {
        let blip = Duration::try_from_secs_f64(self.notify_after).context("--notify-after")?;
        let between = Duration::try_from_secs_f64(self.notify_between).context("--notify-between")?;
        Ok(Patience { blip, between })
    }

    /// How often everything is looked at.
    ///
    /// # Errors
    /// The time cannot be.
    pub fn every(&self) -> anyhow::Result<Duration> {
        Duration::try_from_secs_f64(self.notify_every.max(0.01)).context("--notify-every")
    }

    /// Over which time the rate is measured at which staging fills up.
    ///
    /// # Errors
    /// The time cannot be.
    pub fn forecast_window(&self) -> anyhow::Result<Duration> {
        Duration::try_from_secs_f64(self.forecast_window.max(0.1)).context("--forecast-window")
    }

    /// How often digests come, if a test says so.
    ///
    /// # Errors
    /// The time cannot be.
    pub fn digest(&self) -> anyhow::Result<Option<Duration>> {
        self.notify_digest.map(Duration::try_from_secs_f64).transpose().context("--notify-digest")
    }
}
