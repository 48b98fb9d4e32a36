//! What is noted while deletions are carried out ([`removal`](super::removal)): which are in whose hands, how
//! far they are, what they wait for.

use domain::TenantId;
use jiff::Timestamp;
use sqlx::Row as _;

use super::{
    Archive, ArchiveError, Policy,
    deletions::{Deletion, read},
    judgement::{Refusal, judge},
};

impl Archive {
    /// Takes the marked deletion that is due longest, for so long; others find it not due. None of tenants who
    /// have their hands full.
    pub(super) async fn claim_deletion(
        &self,
        now: Timestamp,
        until: Timestamp,
        busy: &[TenantId],
    ) -> Result<Option<Deletion>, ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        let lock = match self.db.kind() {
            sql::Kind::Sqlite => "",
            sql::Kind::Postgres => " FOR UPDATE SKIP LOCKED",
        };
        let others: String = (0..busy.len()).map(|n| format!(" AND tenant <> ${}", n + 2)).collect();
        let due = format!(
            "SELECT * FROM archive_deletions WHERE state IN ('marked', 'logged') AND next_at <= $1{others} \
             ORDER BY next_at, deletion LIMIT 1{lock}"
        );
        let mut due = sqlx::query(sqlx::AssertSqlSafe(due)).bind(now.as_millisecond());
        for tenant in busy {
            due = due.bind(tenant.as_str());
        }
        let due = due.fetch_optional(&mut *tx).await?;
        let Some(row) = due else { return Ok(None) };
        let id: i64 = row.try_get("deletion")?;
        sqlx::query("UPDATE archive_deletions SET next_at = $1, attempts = attempts + 1 WHERE deletion = $2")
            .bind(until.as_millisecond())
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        read(&row).map(Some)
    }

    /// Gives deletions back that were taken and not carried out to their end.
    pub(super) async fn free_deletions(&self, ids: &[i64], now: Timestamp) -> Result<(), ArchiveError> {
        for id in ids {
            sqlx::query(
                "UPDATE archive_deletions SET next_at = $1 WHERE deletion = $2 AND state IN ('marked', 'logged')",
            )
            .bind(now.as_millisecond())
            .bind(id)
            .execute(self.db.pool())
            .await?;
        }
        Ok(())
    }

    /// Looks once more whether anything came that stands against a deletion that is marked.
    pub(super) async fn look_again(
        &self,
        deletion: &Deletion,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, ArchiveError> {
        let (tenant, recording) = (&deletion.tenant, deletion.recording);
        let mut tx = self.db.begin_write().await?;
        Self::guard(&mut tx, tenant.as_str()).await?;
        let Some((kept, _)) = Self::kept_in(&mut tx, tenant, recording).await? else {
            return Ok(Err(Refusal::Unknown));
        };
        let (hold, now) = (Self::hold_over(&mut tx, &kept).await?, Self::believed(&mut tx, now).await?);
        let rule = policy.rule(tenant, &kept.rule, kept.class);
        if let Err(refusal) = judge(&kept, hold, rule, deletion.ground, now) {
            return Ok(Err(refusal));
        }
        let forbidden = deletion.targets.iter().any(|target| !policy.allows(tenant, target));
        Ok(if forbidden { Err(Refusal::NoTargetAllows) } else { Ok(()) })
    }

    /// Notes where the entry of a deletion stands.
    pub(super) async fn logged(&self, id: i64, entry: i64) -> Result<(), ArchiveError> {
        sqlx::query(
            "UPDATE archive_deletions SET state = 'logged', log_entry = $1, problem = '' \
             WHERE deletion = $2 AND state = 'marked'",
        )
        .bind(entry)
        .bind(id)
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// Notes what a deletion waits for, and until when. `stuck`: something is broken, at that time; what
    /// people placed in its way is not.
    pub(super) async fn postpone(
        &self,
        id: i64,
        until: Timestamp,
        problem: &str,
        stuck: Option<Timestamp>,
    ) -> Result<(), ArchiveError> {
        sqlx::query(
            "UPDATE archive_deletions SET next_at = $1, problem = $2, \
             stuck_since = CASE WHEN $3 = 0 THEN NULL ELSE coalesce(stuck_since, $3) END WHERE deletion = $4",
        )
        .bind(until.as_millisecond())
        .bind(problem)
        .bind(stuck.map_or(0, Timestamp::as_millisecond))
        .bind(id)
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// Notes that a deletion is carried out. Where no file is left the recording becomes a tombstone.
    pub(super) async fn deletion_done(
        &self,
        deletion: &Deletion,
        now: Timestamp,
    ) -> Result<(), ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        Self::guard(&mut tx, deletion.tenant.as_str()).await?;
        sqlx::query(
            "UPDATE archive_deletions SET state = 'done', done_at = $1, problem = '' WHERE deletion = $2",
        )
        .bind(now.as_millisecond())
        .bind(deletion.id)
        .execute(&mut *tx)
        .await?;
        let left = Self::files_in(&mut tx, &deletion.tenant, deletion.recording).await?;
        if left.is_empty() {
            // What a script has written of it may hold numbers.
            self.list.forget_notes_in(&mut tx, &deletion.tenant, deletion.recording).await?;
            sqlx::query(
                "UPDATE archive_recordings SET deleted_at = $1, reason = $2, deleted_by = $3, log_entry = $4 \
                 WHERE tenant = $5 AND recording = $6",
            )
            .bind(now.as_millisecond())
            .bind(deletion.reason.as_str())
            .bind(deletion.by.as_str())
            .bind(deletion.log_entry)
            .bind(deletion.tenant.as_str())
            .bind(deletion.recording.to_string())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many deletions wait, and how many holds are in force.
    pub(super) async fn counts(&self) -> Result<(i64, i64), ArchiveError> {
        Ok(sqlx::query_as(
            "SELECT (SELECT count(*) FROM archive_deletions WHERE state IN ('marked', 'logged')), \
             (SELECT count(*) FROM archive_holds WHERE released_at IS NULL)",
        )
        .fetch_one(self.db.pool())
        .await?)
    }
}
