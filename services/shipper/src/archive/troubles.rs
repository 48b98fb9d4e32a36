//! What of the archive people should be told as long as it lasts; asked, not heard, so that no lost message
//! leaves it untold or never over.

use domain::TenantId;
use jiff::Timestamp;

use super::{Archive, ArchiveError, clock, retain, time};

/// Deletions of a tenant that something broken keeps from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckDeletions {
    /// Whose.
    pub tenant: TenantId,
    /// How many.
    pub count: u64,
    /// Since when the first of them.
    pub since: Timestamp,
    /// What it waits for.
    pub problem: String,
    /// Which recording that is.
    pub recording: String,
}

/// The clock is in doubt: retention deletes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockInDoubt {
    /// Since when.
    pub since: Timestamp,
    /// In words.
    pub problem: String,
}

impl Archive {
    /// Deletions that do not go on, by tenant; those that people hold up are none.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn stuck_deletions(&self) -> Result<Vec<StuckDeletions>, ArchiveError> {
        let rows: Vec<(String, i64, i64, String, String)> = sqlx::query_as(
            "SELECT d.tenant, s.many, s.since, d.problem, d.recording FROM archive_deletions d JOIN \
             (SELECT tenant, count(*) AS many, min(stuck_since) AS since FROM archive_deletions \
              WHERE state IN ('marked', 'logged') AND stuck_since IS NOT NULL GROUP BY tenant) s \
             ON s.tenant = d.tenant AND s.since = d.stuck_since \
             WHERE d.state IN ('marked', 'logged') ORDER BY d.tenant, d.deletion",
        )
        .fetch_all(self.db.pool())
        .await?;
        let mut stuck: Vec<StuckDeletions> = Vec::new();
        for (tenant, count, since, problem, recording) in rows {
            let Ok(tenant) = tenant.parse::<TenantId>() else { continue };
            if stuck.last().is_none_or(|last| last.tenant != tenant) {
                let count = super::unsigned(count);
                stuck.push(StuckDeletions { tenant, count, since: time(since), problem, recording });
            }
        }
        Ok(stuck)
    }

    /// Whether the clock is in doubt, and since when.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn clock_in_doubt(&self, now: Timestamp) -> Result<Option<ClockInDoubt>, ArchiveError> {
        let seen: Option<(i64,)> = sqlx::query_as("SELECT trusted_from FROM archive_clock WHERE one = 1")
            .fetch_optional(self.db.pool())
            .await?;
        let trusted_from = seen.map(|(from,)| time(from));
        let Some(until) = trusted_from.filter(|from| now < *from) else { return Ok(None) };
        let since = until.saturating_sub(clock::DOUBT).unwrap_or(now).min(now);
        Ok(Some(ClockInDoubt { since, problem: retain::doubtful(until) }))
    }
}
