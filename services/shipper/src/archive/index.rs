//! What lies where.

use delivery::{DeliveryError, Order, VerifiedFile};
use domain::{RecordingId, TenantId};
use jiff::{Timestamp, tz::TimeZone};
use sql::Transaction;
use sqlx::{Row as _, any::AnyRow};
use wire::recording_v1::{RecordingSealed, SealedFile};

use super::{Archive, ArchiveError, judgement::Kept, time};

/// The files of a recording that were brought to a target.
pub struct Brought<'a> {
    /// The folder within the target.
    pub folder: &'a str,
    /// A word for the target and folder as they are described now.
    pub place: &'a str,
    /// The files, verified.
    pub files: &'a [VerifiedFile],
}

/// A file of the index that is there.
pub(super) struct IndexedFile {
    pub target: String,
    /// What its name ends with.
    pub file: String,
    pub folder: String,
    /// Sensitive: it holds numbers.
    pub stored_name: String,
    pub place: String,
    pub sha256: Vec<u8>,
}

impl Archive {
    /// Notes a recording inside the caller's transaction. False: it was deleted, or its deletion has begun,
    /// and an announcement that comes once more must not bring it back.
    ///
    /// # Errors
    /// A statement failed.
    pub async fn add_in(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
        sealed: &RecordingSealed,
        now: Timestamp,
    ) -> Result<bool, ArchiveError> {
        let call = sealed.row.as_ref().map(|row| row.call_id.as_str()).filter(|id| !id.is_empty());
        let length = i64::try_from(sealed.duration_ms).unwrap_or(0);
        sqlx::query(
            "INSERT INTO archive_recordings (tenant, recording, rule, class, call, started_at, ended_at, time_zone, \
             keep_until, erasable, indexed_at, next_look_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9) \
             ON CONFLICT (tenant, recording) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .bind(sealed.rule.as_str())
        .bind(sealed.class.as_str())
        .bind(call.map(bus::subjects::call_token).unwrap_or_default())
        .bind(sealed.started_unix_ms)
        .bind(sealed.started_unix_ms.saturating_add(length))
        .bind(sealed.time_zone.as_str())
        .bind(sealed.keep_until_unix_ms)
        .bind(i64::from(sealed.erasable))
        .bind(now.as_millisecond())
        .execute(&mut **tx)
        .await?;
        let (gone,): (i64,) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM archive_recordings WHERE tenant = $1 AND recording = $2 AND deleted_at IS NOT NULL) \
             + (SELECT count(*) FROM archive_deletions WHERE tenant = $1 AND recording = $2 AND state IN ('marked', 'logged'))",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .fetch_one(&mut **tx)
        .await?;
        Ok(gone == 0)
    }

    /// Notes where the files of an order lie, inside the transaction that notes it as done.
    ///
    /// # Errors
    /// A statement failed.
    pub async fn brought_in(
        &self,
        tx: &mut Transaction,
        order: &Order,
        sealed: &RecordingSealed,
        brought: &Brought<'_>,
    ) -> Result<(), DeliveryError> {
        for file in brought.files {
            let mut announced = sealed.files.iter().enumerate();
            let is_it = |(index, _): &(usize, &SealedFile)| crate::ship::ending(sealed, *index) == file.file;
            let Some((_, announced)) = announced.rfind(is_it) else { continue };
            sqlx::query(
                "INSERT INTO archive_files (tenant, recording, target, file, folder, stored_name, place, size, sha256, \
                 verified_by, stored_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                 ON CONFLICT (tenant, recording, target, file) DO UPDATE SET folder = excluded.folder, \
                 stored_name = excluded.stored_name, place = excluded.place, verified_by = excluded.verified_by, \
                 stored_at = excluded.stored_at, removed_at = NULL",
            )
            .bind(order.destination.tenant.as_str())
            .bind(order.recording.to_string())
            .bind(order.destination.name.as_str())
            .bind(file.file.as_str())
            .bind(brought.folder)
            .bind(file.stored_name.as_str())
            .bind(brought.place)
            .bind(i64::try_from(announced.size).unwrap_or(i64::MAX))
            .bind(announced.sha256.clone())
            .bind(file.verified_by.as_str())
            .bind(file.at.as_millisecond())
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }

    /// What is known of a recording; `None`: nothing, or it is deleted.
    pub(super) async fn kept_in(
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<Option<(Kept, bool)>, ArchiveError> {
        let row = sqlx::query("SELECT * FROM archive_recordings WHERE tenant = $1 AND recording = $2")
            .bind(tenant.as_str())
            .bind(recording.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let deleted = row.try_get::<Option<i64>, _>("deleted_at")?.is_some();
        Ok(Some((read(&row, tenant.clone(), recording)?, deleted)))
    }

    /// The files of a recording that are there.
    pub(super) async fn files_in(
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<Vec<IndexedFile>, ArchiveError> {
        let rows = sqlx::query(
            "SELECT target, file, folder, stored_name, place, sha256 FROM archive_files \
             WHERE tenant = $1 AND recording = $2 AND removed_at IS NULL ORDER BY target, file",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(indexed).collect()
    }

    /// Notes that a file is removed, and forgets its name.
    pub(super) async fn removed(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        file: &IndexedFile,
        now: Timestamp,
    ) -> Result<(), ArchiveError> {
        sqlx::query(
            "UPDATE archive_files SET removed_at = $1, stored_name = '' \
             WHERE tenant = $2 AND recording = $3 AND target = $4 AND file = $5",
        )
        .bind(now.as_millisecond())
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .bind(file.target.as_str())
        .bind(file.file.as_str())
        .execute(self.db.pool())
        .await?;
        Ok(())
    }
}

fn read(row: &AnyRow, tenant: TenantId, recording: RecordingId) -> Result<Kept, ArchiveError> {
    let zone: String = row.try_get("time_zone")?;
    let keep_until: i64 = row.try_get("keep_until")?;
    Ok(Kept {
        tenant,
        recording,
        rule: row.try_get("rule")?,
        class: row.try_get::<String, _>("class")?.parse().ok(),
        call: row.try_get("call")?,
        started: time(row.try_get("started_at")?),
        ended: time(row.try_get("ended_at")?),
        zone: TimeZone::get(&zone).unwrap_or(TimeZone::UTC),
        keep_until: (keep_until > 0).then(|| time(keep_until)),
        erasable: row.try_get::<i64, _>("erasable")? != 0,
    })
}

pub(super) fn indexed(row: &AnyRow) -> Result<IndexedFile, ArchiveError> {
    Ok(IndexedFile {
        target: row.try_get("target")?,
        file: row.try_get("file")?,
        folder: row.try_get("folder")?,
        stored_name: row.try_get("stored_name")?,
        place: row.try_get("place")?,
        sha256: row.try_get("sha256")?,
    })
}
