//! Flags of the signer, each settable by environment, too.

use std::{path::PathBuf, time::Duration};

use domain::ResourceName;
use keys::KeyOptions;

/// Settings of the signer.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder with the configuration (for the tenants' time zones and keys).
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// State database: sqlite:/path/to/file.sqlite, or postgres://… when there are replicas.
    #[arg(long = "state", env = "CALLSEAL_SIGNER_STATE", value_name = "URL", hide_env_values = true)]
    pub state: String,
    /// Staging folder, shared with the shipper.
    #[arg(long, env = "CALLSEAL_STAGING", value_name = "DIR")]
    pub staging: PathBuf,
    /// Where the keys lie.
    #[command(flatten)]
    pub keys: KeyOptions,
    /// Id of this installation, written into each recording's info.
    #[arg(long, env = "CALLSEAL_INSTALLATION", default_value = "callseal", value_name = "NAME")]
    pub installation: ResourceName,
    /// Name of this replica; no two that share a state database may have the same.
    #[arg(long, env = "CALLSEAL_REPLICA", default_value = "signer", value_name = "NAME")]
    pub replica: ResourceName,
    /// How long a replica's share stays its own when it is not heard of, in seconds.
    #[arg(long = "lease", env = "CALLSEAL_LEASE", default_value_t = 10.0, value_name = "SECONDS")]
    pub lease_s: f64,
    /// How often open recordings are stored, in seconds.
    #[arg(
        long = "flush-every",
        env = "CALLSEAL_FLUSH_EVERY",
        default_value_t = 120.0,
        value_name = "SECONDS"
    )]
    pub flush_every_s: f64,
    /// A call of which nothing is heard for so long is sealed as interrupted, in seconds.
    #[arg(
        long = "interrupted-after",
        env = "CALLSEAL_INTERRUPTED_AFTER",
        default_value_t = 60.0,
        value_name = "SECONDS"
    )]
    pub interrupted_after_s: f64,
    /// How long missing parts of an ended call are waited for, in seconds; what comes later is sealed
    /// as a supplementary section.
    #[arg(
        long = "spool-deadline",
        env = "CALLSEAL_SPOOL_DEADLINE",
        default_value_t = 600.0,
        value_name = "SECONDS"
    )]
    pub spool_deadline_s: f64,
    /// How often a log that has grown is signed, in seconds; recordings are delivered only after that.
    #[arg(
        long = "checkpoint-every",
        env = "CALLSEAL_CHECKPOINT_EVERY",
        default_value_t = 2.0,
        value_name = "SECONDS"
    )]
    pub checkpoint_every_s: f64,
    /// A log in which nothing happens is signed all the same after so long, in seconds.
    #[arg(
        long = "heartbeat-every",
        env = "CALLSEAL_HEARTBEAT_EVERY",
        default_value_t = 3600.0,
        value_name = "SECONDS"
    )]
    pub heartbeat_every_s: f64,
    /// How long a recording waits for the time stamp of its hash list, where its tenant wants one, in
    /// seconds.
    #[arg(
        long = "stamp-patience",
        env = "CALLSEAL_STAMP_PATIENCE",
        default_value_t = 60.0,
        value_name = "SECONDS"
    )]
    pub stamp_patience_s: f64,
    /// For tests: die right after this step.
    #[arg(long, hide = true, value_name = "STEP")]
    pub fail_at: Option<String>,
}

impl Options {
    /// Settings with every default.
    pub fn new(config: impl Into<PathBuf>, state: impl Into<String>, staging: impl Into<PathBuf>) -> Self {
        let name = |text: &str| text.parse().expect("a constant that is a valid name");
        Self {
            config: config.into(),
            state: state.into(),
            staging: staging.into(),
            keys: KeyOptions::default(),
            installation: name("callseal"),
            replica: name("signer"),
            lease_s: 10.0,
            flush_every_s: 120.0,
            interrupted_after_s: 60.0,
            spool_deadline_s: 600.0,
            checkpoint_every_s: 2.0,
            heartbeat_every_s: 3600.0,
            stamp_patience_s: 60.0,
            fail_at: None,
        }
    }

    /// Length of a lease.
    pub fn lease(&self) -> Duration {
        seconds(self.lease_s).max(Duration::from_millis(300))
    }

    /// Time between flushes.
    pub fn flush_every(&self) -> Duration {
        seconds(self.flush_every_s)
    }

    /// Silence after which a call counts as interrupted.
    pub fn interrupted_after(&self) -> Duration {
        seconds(self.interrupted_after_s)
    }

    /// Least time between two checkpoints of a log.
    pub fn checkpoint_every(&self) -> Duration {
        seconds(self.checkpoint_every_s).max(Duration::from_millis(20))
    }

    /// Most time between two checkpoints of a log.
    pub fn heartbeat_every(&self) -> Duration {
        seconds(self.heartbeat_every_s)
    }

    /// How long a recording waits for its time stamp.
    pub fn stamp_patience(&self) -> Duration {
        seconds(self.stamp_patience_s)
    }

    /// How long missing parts of an ended call are waited for.
    pub fn spool_deadline(&self) -> Duration {
        seconds(self.spool_deadline_s)
    }
}

/// What is no sensible number of seconds counts as a year.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::from_secs(365 * 86_400))
}
