//! Which recordings lie in staging, and from which their files were deleted.

use std::{collections::BTreeSet, time::Duration};

use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use sql::{Database, SqlError, Transaction};
use sqlx::Row as _;
use wire::{Message as _, recording_v1::RecordingSealed};

const STEPS: &[&str] = &["
CREATE TABLE shipper_recordings (
    tenant TEXT NOT NULL,
    recording TEXT NOT NULL,
    sealed {blob} NOT NULL,
    received_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant, recording)
);
CREATE INDEX shipper_recordings_staged ON shipper_recordings (received_at) WHERE deleted_at IS NULL;
"];

/// Why the table could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The state database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A statement on it.
    #[error("the shipper's state database cannot be used")]
    Statement(#[from] sqlx::Error),
}

/// The table of recordings in staging.
#[derive(Debug, Clone)]
pub struct Records(Database);

impl Records {
    /// Opens the table; it is made when missing.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(db: Database) -> Result<Self, RecordsError> {
        db.migrate("shipper", STEPS).await?;
        Ok(Self(db))
    }

    /// Notes a recording inside the caller's transaction. False if it is noted already.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn add_in(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
        sealed: &RecordingSealed,
        now: Timestamp,
    ) -> Result<bool, RecordsError> {
        let added = sqlx::query(
            "INSERT INTO shipper_recordings (tenant, recording, sealed, received_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, recording) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .bind(sealed.encode_to_vec())
        .bind(now.as_millisecond())
        .execute(&mut **tx)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    /// The recordings that were taken in and lie in staging, by tenant and recording id.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn staged(&self) -> Result<BTreeSet<(String, String)>, RecordsError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT tenant, recording FROM shipper_recordings WHERE deleted_at IS NULL")
                .fetch_all(self.0.pool())
                .await?;
        Ok(rows.into_iter().collect())
    }

    /// The announcement of a recording that lies in staging.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn announced(
        &self,
        tenant: &str,
        recording: &str,
    ) -> Result<Option<RecordingSealed>, RecordsError> {
        let row = sqlx::query(
            "SELECT sealed FROM shipper_recordings WHERE tenant = $1 AND recording = $2 AND deleted_at IS NULL",
        )
        .bind(tenant)
        .bind(recording)
        .fetch_optional(self.0.pool())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get("sealed")?;
        let damaged = |error| RecordsError::Statement(sqlx::Error::Decode(Box::new(error)));
        RecordingSealed::decode(sealed.as_slice()).map(Some).map_err(damaged)
    }

    /// Forgets recordings whose files were deleted longer than `age` ago.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget(&self, age: Duration, now: Timestamp) -> Result<(), RecordsError> {
        let before = now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        sqlx::query("DELETE FROM shipper_recordings WHERE deleted_at < $1")
            .bind(before)
            .execute(self.0.pool())
            .await?;
        Ok(())
    }

    /// Notes that a recording's files are gone from staging, and wipes what was known of it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn deleted(&self, sealed: &RecordingSealed, now: Timestamp) -> Result<(), RecordsError> {
        sqlx::query(
            "UPDATE shipper_recordings SET deleted_at = $1, sealed = $2 WHERE tenant = $3 AND recording = $4",
        )
        .bind(now.as_millisecond())
        .bind(Vec::new())
        .bind(sealed.tenant.as_str())
        .bind(sealed.recording_id.as_str())
        .execute(self.0.pool())
        .await?;
        Ok(())
    }
}
