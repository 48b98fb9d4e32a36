//! Flags of the shipper, each settable by environment, too.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use delivery::RetryArgs;

use crate::{archive::Rounds, mirror::MirrorArgs, notify::NotifyArgs};

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
    /// File with the key that opens sealed values of Secrets; vault.key in --data without it.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", value_name = "FILE")]
    pub vault_key: Option<PathBuf>,
    /// Folder of the programs that script targets may run. Without it none is run.
    #[arg(long, env = "CALLSEAL_SCRIPTS", value_name = "DIR")]
    pub scripts: Option<PathBuf>,
    /// Recordings brought to one target at the same time.
    #[arg(long, env = "CALLSEAL_SHIPPER_CONCURRENCY", default_value_t = 2, value_name = "N")]
    pub concurrency: usize,
    /// Recordings brought at the same time in all; tenants take turns.
    #[arg(long, env = "CALLSEAL_SHIPPER_TRANSFERS", default_value_t = 16, value_name = "N")]
    pub transfers: usize,
    /// How long destinations are left alone after a fault.
    #[command(flatten)]
    pub retry: RetryArgs,
    /// How the transparency log follows into the targets.
    #[command(flatten)]
    pub mirror: MirrorArgs,
    /// How often it is looked for recordings whose retention has ended, in seconds.
    #[arg(long, env = "CALLSEAL_RETENTION_EVERY", default_value_t = 60.0, value_name = "SECONDS")]
    pub retention_every: f64,
    /// How often a folder of a target is compared with the archive index, in seconds.
    #[arg(long, env = "CALLSEAL_COMPARE_EVERY", default_value_t = 10.0, value_name = "SECONDS")]
    pub compare_every: f64,
    /// How long a target may take to answer when something is to be deleted there, or it is compared, in
    /// seconds; one that takes longer is tried again later, and the others go on.
    #[arg(long, env = "CALLSEAL_TARGET_ANSWERS_WITHIN", default_value_t = 120.0, value_name = "SECONDS")]
    pub target_answers_within: f64,
    /// Who is told of what is wrong, and when.
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// For tests: a worker not heard of for so long is taken for dead, in seconds.
    #[arg(long, hide = true, default_value_t = 30.0, value_name = "SECONDS")]
    pub lease: f64,
    /// For tests: this share of what targets are asked fails.
    #[arg(long, hide = true, default_value_t = 0.0, value_name = "SHARE")]
    pub inject_faults: f64,
    /// For tests: die right after this step.
    #[arg(long, hide = true, value_name = "STEP")]
    pub fail_at: Option<String>,
}

/// More seldom, and each look would find that the clock has jumped; more often, and nothing else is done.
fn round(seconds: f64) -> anyhow::Result<Duration> {
    anyhow::ensure!((0.05..=3600.0).contains(&seconds), "must be 0.05 to 3600 seconds");
    Ok(Duration::try_from_secs_f64(seconds)?)
}

impl Options {
    /// The file with the key that opens sealed values of Secrets.
    pub(crate) fn vault_key(&self) -> PathBuf {
        self.vault_key.clone().unwrap_or_else(|| self.data.join("vault.key"))
    }

    /// How long a target may take to answer.
    pub(crate) fn answers_within(&self) -> anyhow::Result<Duration> {
        round(self.target_answers_within).context("--target-answers-within")
    }

    /// How often the archive is looked after.
    pub(crate) fn rounds(&self) -> anyhow::Result<Rounds> {
        Ok(Rounds {
            retention: round(self.retention_every).context("--retention-every")?,
            compare: round(self.compare_every).context("--compare-every")?,
        })
    }
}
