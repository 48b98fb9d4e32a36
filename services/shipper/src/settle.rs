//! Emptying staging: when every target has a recording, and not before (F-70).

use jiff::Timestamp;
use prometheus::{IntGauge, Registry};
use wire::recording_v1::RecordingSealed;

use crate::{fail_point, records::Records, staging::Staging};

/// Deletes recordings from staging.
#[derive(Debug, Clone)]
pub struct Settler {
    records: Records,
    staging: Staging,
    unannounced: IntGauge,
}

impl Settler {
    /// From `staging`, noted in `records`; registers `callseal_shipper_unannounced_recordings`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(records: Records, staging: Staging, registry: &Registry) -> prometheus::Result<Self> {
        let unannounced = IntGauge::new(
            "callseal_shipper_unannounced_recordings",
            "Recordings that lie sealed in staging and were not announced; the signer announces them again.",
        )?;
        registry.register(Box::new(unannounced.clone()))?;
        Ok(Self { records, staging, unannounced })
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
        if let Err(error) = self.count_unannounced().await {
            tracing::debug!(%error, "staging cannot be counted now");
        }
    }

    /// Counts what lies in staging without being known here. The signer seals before it announces,
    /// so a few for a moment are usual; announcing is its task, deleting them would lose them.
    async fn count_unannounced(&self) -> anyhow::Result<()> {
        // Staging first: what is announced in between is then known.
        let there = self.staging.recordings().await?;
        let known = self.records.staged().await?;
        let unannounced = i64::try_from(there.difference(&known).count()).unwrap_or(i64::MAX);
        if unannounced > self.unannounced.get() {
            tracing::info!(unannounced, "recordings lie in staging that were not announced yet");
        }
        self.unannounced.set(unannounced);
        Ok(())
    }
}
