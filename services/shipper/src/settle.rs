//! Emptying staging: when every target has a recording, and not before (F-70).

use jiff::Timestamp;
use wire::recording_v1::RecordingSealed;

use crate::{fail_point, records::Records, staging::Staging};

/// Deletes recordings from staging.
#[derive(Debug, Clone)]
pub struct Settler {
    records: Records,
    staging: Staging,
}

impl Settler {
    /// From `staging`, noted in `records`.
    pub const fn new(records: Records, staging: Staging) -> Self {
        Self { records, staging }
    }

    /// Deletes a recording's files, then notes that. Repeatable; what fails is left to the next sweep.
    pub async fn settle(&self, sealed: &RecordingSealed) {
        let recording = &sealed.recording_id;
        if let Err(error) = self.staging.delete(sealed).await {
            // The store's text repeats file names: at debug level only.
            tracing::warn!(
                recording,
                "its files cannot be deleted from staging yet; check the rights of the folder"
            );
            tracing::debug!(recording, %error, "deleting from staging failed");
            return;
        }
        fail_point::reached("staging-emptied");
        if let Err(error) = self.records.deleted(sealed, Timestamp::now()).await {
            tracing::warn!(recording, %error, "it is noted later that staging is emptied");
        }
    }

    /// Settles what a crash or a fault left unsettled.
    pub async fn sweep(&self) {
        match self.records.to_settle().await {
            Ok(left) => {
                for sealed in left {
                    self.settle(&sealed).await;
                }
            }
            Err(error) => tracing::warn!(%error, "staging cannot be swept now"),
        }
    }
}
