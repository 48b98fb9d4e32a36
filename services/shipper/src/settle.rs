//! Emptying staging: when every target has a recording, and not before (F-70).

use std::time::Duration;

use anyhow::Context;
use delivery::WorkList;
use jiff::Timestamp;
use prometheus::{IntGauge, Registry};
use wire::recording_v1::RecordingSealed;

use crate::{fail_point, records::Records, staging::Staging, sweep::is_brought};

/// What people hear of a recording that only went to places which keep nothing.
const KEPT_NOWHERE: &str = "the rule names only mailboxes and scripts, which keep nothing: the files stay in staging; add a target \
                            that keeps recordings to the rule";

/// Deletes recordings from staging.
#[derive(Debug, Clone)]
pub struct Settler {
    records: Records,
    list: WorkList,
    staging: Staging,
    done_kept: Duration,
    unannounced: IntGauge,
}

impl Settler {
    /// From `staging`, noted in `records`, where it is kept for `done_kept`; `list` knows which are
    /// open. Registers `callseal_shipper_unannounced_recordings`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(
        records: Records,
        list: WorkList,
        staging: Staging,
        done_kept: Duration,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let unannounced = IntGauge::new(
            "callseal_shipper_unannounced_recordings",
            "Recordings that lie sealed in staging and were not announced; the signer announces them again.",
        )?;
        registry.register(Box::new(unannounced.clone()))?;
        Ok(Self { records, list, staging, done_kept, unannounced })
    }

    /// All orders of a recording are done. What was only handed over, to mailboxes and programs, is kept
    /// by nobody yet: it stays in staging, as a recording without a target does. That is the sentence to
    /// tell people then.
    pub async fn completed(&self, sealed: &RecordingSealed) -> Option<&'static str> {
        match is_brought(&self.list, &sealed.tenant, &sealed.recording_id).await {
            Ok(true) => self.settle(sealed).await,
            Ok(false) => return Some(KEPT_NOWHERE),
            // The next sweep looks again.
            Err(error) => tracing::warn!(recording = sealed.recording_id, %error, "staging is emptied later"),
        }
        None
    }

    /// Deletes a recording's files, then notes that. Repeatable; what fails is left to the next sweep.
    pub async fn settle(&self, sealed: &RecordingSealed) {
        let recording = &sealed.recording_id;
        if !self.staging.is_there().await {
            // Nothing there is not the same as everything deleted.
            tracing::warn!(
                recording,
                "its files are deleted from staging later: is the disk of staging mounted?"
            );
            return;
        }
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

    /// Settles what a crash or a fault left unsettled, and forgets what was settled long ago.
    pub async fn sweep(&self) {
        if let Err(error) = self.try_sweep().await {
            tracing::warn!(%error, "staging cannot be swept now");
        }
    }

    async fn try_sweep(&self) -> anyhow::Result<()> {
        // Files before records, records before orders: what comes in between is then known further on.
        let there = self.staging.recordings().await.context("the staging folder cannot be listed")?;
        let known = self.records.staged().await?;
        let open = self.list.open_recordings().await?;
        for (tenant, recording) in known.difference(&open) {
            // One whose row is damaged keeps no other in staging.
            match self.brought(tenant, recording).await {
                Ok(Some(sealed)) => self.settle(&sealed).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(recording, %error, "it stays in staging: what is known of it cannot be read");
                }
            }
        }
        self.count_unannounced(there.difference(&known).count());
        self.records.forget(self.done_kept, Timestamp::now()).await?;
        Ok(())
    }

    /// A recording that a target keeps. Without a target it was never brought anywhere, nor where all of its
    /// orders were given up or are forgotten: it stays.
    async fn brought(&self, tenant: &str, recording: &str) -> anyhow::Result<Option<RecordingSealed>> {
        let announced = self.records.announced(tenant, recording).await?;
        Ok(if is_brought(&self.list, tenant, recording).await? { announced } else { None })
    }

    /// What lies in staging without being known here. The signer seals before it announces, so a
    /// few for a moment are usual; announcing is its task, deleting them would lose them.
    fn count_unannounced(&self, count: usize) {
        let unannounced = i64::try_from(count).unwrap_or(i64::MAX);
        if unannounced > self.unannounced.get() {
            tracing::info!(unannounced, "recordings lie in staging that were not announced yet");
        }
        self.unannounced.set(unannounced);
    }
}

#[cfg(test)]
mod tests {
    use delivery::{Backoff, Claim, Destination, NewOrder};
    use domain::RecordingId;
    use sql::Database;
    use wire::recording_v1::SealedFile;

    use super::*;

    #[tokio::test]
    async fn a_recording_whose_row_is_damaged_keeps_no_other_in_staging() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("state.sqlite").display());
        let db = Database::open(&url).await.unwrap();
        let list = WorkList::open(db.clone(), Backoff::default()).await.unwrap();
        let records = Records::open(db.clone()).await.unwrap();
        let staging = Staging::open(dir.path()).unwrap();
        let (now, lease) = (Timestamp::now(), Duration::from_secs(60));
        let destination = Destination { tenant: "acme".parse().unwrap(), name: "archive".parse().unwrap() };
        // By their ids the first is looked at first.
        let ids = [RecordingId::new(), RecordingId::new()];
        for recording in ids {
            let prefix = format!("sealed/acme/{recording}");
            std::fs::create_dir_all(dir.path().join(&prefix)).unwrap();
            std::fs::write(dir.path().join(&prefix).join(format!("{recording}.wav")), "sound").unwrap();
            let file = SealedFile { name: format!("x_{recording}.wav"), size: 5, sha256: vec![0; 32] };
            let sealed = RecordingSealed {
                tenant: "acme".into(),
                recording_id: recording.to_string(),
                base_name: format!("x_{recording}"),
                staging_prefix: prefix,
                files: vec![file],
                ..Default::default()
            };
            let mut tx = db.begin_write().await.unwrap();
            records.add_in(&mut tx, &destination.tenant, recording, &sealed, now).await.unwrap();
            tx.commit().await.unwrap();
            let order = NewOrder { destination: destination.clone(), recording, payload: Vec::new() };
            list.enqueue(&[order], now).await.unwrap();
            let Claim::Order(order) = list.claim(&destination, lease, now).await.unwrap() else { panic!() };
            list.done(&order, now).await.unwrap();
        }
        sqlx::query("UPDATE shipper_recordings SET sealed = $1 WHERE recording = $2")
            .bind(vec![0xff_u8; 3])
            .bind(ids[0].to_string())
            .execute(db.pool())
            .await
            .unwrap();
        let registry = Registry::new();
        let settler = Settler::new(records, list, staging, Duration::from_secs(3600), &registry).unwrap();
        settler.sweep().await;
        let left = |id: RecordingId| dir.path().join(format!("sealed/acme/{id}")).exists();
        assert_eq!(ids.map(left), [true, false]);
    }
}
