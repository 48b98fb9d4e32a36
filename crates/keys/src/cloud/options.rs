//! What the settings of all key services have in common.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use super::patience::Limits;

/// Where the certificates of keys in a cloud's key service lie, and how the service is reached.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CloudOptions {
    /// Folder with the certificates of keys in a cloud's key service: `<name of the key>.pem`.
    #[arg(
        long,
        env = "CALLSEAL_KEY_CERTIFICATES",
        value_name = "FOLDER",
        help_heading = "Signing key in a cloud"
    )]
    pub key_certificates: Option<PathBuf>,
    /// Name of the log key, where it is not the name of the key with "-log" behind it.
    #[arg(long, env = "CALLSEAL_KEY_LOG_KEY", value_name = "NAME", help_heading = "Signing key in a cloud")]
    pub key_log_key: Option<String>,
    /// File with certificates (PEM) of CAs that the key service may be certified by, besides the system's.
    #[arg(
        long,
        env = "CALLSEAL_KEY_SERVICE_CA",
        value_name = "FILE",
        help_heading = "Signing key in a cloud"
    )]
    pub key_service_ca: Option<PathBuf>,
    /// How many seconds one signature may take, with all pauses that the service asks for; 30 without it.
    #[arg(
        long,
        env = "CALLSEAL_KEY_SERVICE_PATIENCE",
        value_name = "SECONDS",
        help_heading = "Signing key in a cloud"
    )]
    pub key_service_patience: Option<NonZeroU64>,
    /// For callseal key init: the key is in the service already, make its certificate.
    #[arg(long, help_heading = "Signing key in a cloud")]
    pub key_adopt: bool,
}

impl CloudOptions {
    pub(super) fn limits(&self) -> Limits {
        let limits = Limits::default();
        let whole =
            self.key_service_patience.map_or(limits.whole, |seconds| Duration::from_secs(seconds.get()));
        Limits { whole, attempt: limits.attempt.min(whole), ..limits }
    }
}
