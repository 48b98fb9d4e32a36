//! Flags of the journal, each settable by environment, too.

use std::path::PathBuf;

use delivery::RetryArgs;

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
    /// File with the key that opens sealed values of Secrets; vault.key in --data without it.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", value_name = "FILE")]
    pub vault_key: Option<PathBuf>,
    /// How long destinations are left alone after a fault.
    #[command(flatten)]
    pub retry: RetryArgs,
    /// For tests: die right after this step.
    #[arg(long, hide = true, value_name = "STEP")]
    pub fail_at: Option<String>,
}

impl Options {
    /// The file with the key that opens sealed values of Secrets.
    pub(crate) fn vault_key(&self) -> PathBuf {
        self.vault_key.clone().unwrap_or_else(|| self.data.join("vault.key"))
    }
}
