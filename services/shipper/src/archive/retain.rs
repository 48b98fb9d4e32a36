//! Retention: marks what need not be kept any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bus::with_sources;
use delivery::Reporter;
use domain::{RecordingId, TenantId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Archive, ArchiveError, Policy, judgement::Refusal};

/// Recordings that are looked at in one go.
const BATCH: i64 = 500;
/// When a recording is looked at again against which something stands that may change at any time.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// The same where only somebody's change of the configuration helps: that wakes it, so this is for what
/// nobody has thought of.
const RARELY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Marks recordings whose retention has ended.
pub struct Retainer {
    archive: Archive,
    policy: Policy,
    reporter: Reporter,
    wake: Arc<Notify>,
    every: Duration,
}

/// What became of a round.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// So many were marked.
    pub marked: usize,
    /// So many were due, and something stands against it.
    pub refused: usize,
    /// Nothing was looked at: the clock has jumped, and is believed from then on.
    pub doubted_until: Option<Timestamp>,
}

impl Retainer {
    /// Looks into `archive` each `every`, and rings `wake` when something was marked.
    pub const fn new(
        archive: Archive,
        policy: Policy,
        reporter: Reporter,
        wake: Arc<Notify>,
        every: Duration,
    ) -> Self {
        Self { archive, policy, reporter, wake, every }
    }

    /// Looks until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            self.look(Timestamp::now()).await;
            let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(self.every)).await;
        }
    }

    /// Until the next round.
    fn soon(&self) -> SignedDuration {
        SignedDuration::try_from(self.every).unwrap_or(AGAIN)
    }

    async fn look(&self, now: Timestamp) {
        match self.archive.retain(&self.policy, now, self.soon()).await {
            Ok(round) if round.marked > 0 => {
                tracing::info!(marked = round.marked, "recordings need not be kept any more");
                self.wake.notify_one();
            }
            Ok(Round { doubted_until: Some(until), .. }) => {
                tracing::warn!(%until, "the clock has jumped forward: nothing is deleted by retention until then");
                let problem = doubtful(until);
                for tenant in self.policy.tenants() {
                    self.reporter.fault(&tenant, None, "retention", &problem, false);
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = with_sources(&error), "nothing is deleted by retention now");
            }
        }
    }
}

impl Archive {
    /// Marks everything whose retention has ended at `now`; what is just on its way is looked at again `soon`.
    /// `doubted_until` is told once a jump.
    pub(super) async fn retain(
        &self,
        policy: &Policy,
        now: Timestamp,
        soon: SignedDuration,
    ) -> Result<Round, ArchiveError> {
        let mut round = Round::default();
        if let Some((until, is_news)) = self.doubt(now).await? {
            round.doubted_until = is_news.then_some(until);
            return Ok(round);
        }
        self.wake_where_policies_changed(policy, now).await?;
        loop {
            let due = self.due(now).await?;
            if due.is_empty() {
                return Ok(round);
            }
            for (tenant, recording) in due {
                let again = match self.mark_due(&tenant, recording, policy, now).await? {
                    Ok(()) => {
                        round.marked += 1;
                        RARELY
                    }
                    Err(refusal) => {
                        round.refused += 1;
                        tracing::debug!(%recording, %refusal, "its retention ended, and it stays");
                        wait(&refusal, now, soon)
                    }
                };
                let next = now.saturating_add(again).unwrap_or(Timestamp::MAX);
                self.look_later(&tenant, recording, next).await?;
            }
        }
    }

    /// Has recordings looked at again whose retention, as sealed, has ended and which stayed, where what the
    /// configuration says of a tenant's rules and targets is not what it said before.
    async fn wake_where_policies_changed(&self, policy: &Policy, now: Timestamp) -> Result<(), ArchiveError> {
        let known: Vec<(String, String)> =
            sqlx::query_as("SELECT tenant, word FROM archive_policies").fetch_all(self.db.pool()).await?;
        let known: BTreeMap<String, String> = known.into_iter().collect();
        let words = policy.words();
        let mut changed: BTreeSet<&str> = words
            .iter()
            .filter(|(tenant, word)| known.get(tenant.as_str()) != Some(*word))
            .map(|(tenant, _)| tenant.as_str())
            .collect();
        // Of a tenant that is gone nothing is deleted; when it is back it is asked anew.
        let gone: Vec<&String> =
            known.keys().filter(|tenant| !words.keys().any(|it| it.as_str() == *tenant)).collect();
        changed.extend(gone.iter().map(|tenant| tenant.as_str()));
        for tenant in changed {
            let mut tx = self.db.begin_write().await?;
            Self::guard(&mut tx, tenant).await?;
            sqlx::query(
                "UPDATE archive_recordings SET next_look_at = $1 WHERE tenant = $2 AND deleted_at IS NULL \
                 AND keep_until > 0 AND keep_until <= $1 AND next_look_at > $1",
            )
            .bind(now.as_millisecond())
            .bind(tenant)
            .execute(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM archive_policies WHERE tenant = $1")
                .bind(tenant)
                .execute(&mut *tx)
                .await?;
            if let Some((_, word)) = words.iter().find(|(it, _)| it.as_str() == tenant) {
                sqlx::query("INSERT INTO archive_policies (tenant, word) VALUES ($1, $2)")
                    .bind(tenant)
                    .bind(word.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Recordings whose retention, as sealed, has ended, and that were not looked at of late.
    async fn due(&self, now: Timestamp) -> Result<Vec<(TenantId, RecordingId)>, ArchiveError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT tenant, recording FROM archive_recordings WHERE deleted_at IS NULL AND keep_until > 0 \
             AND next_look_at <= $1 ORDER BY next_look_at LIMIT $2",
        )
        .bind(now.as_millisecond())
        .bind(BATCH)
        .fetch_all(self.db.pool())
        .await?;
        let mut due = Vec::with_capacity(rows.len());
        for (tenant, recording) in rows {
            match (tenant.parse(), recording.parse()) {
                (Ok(tenant), Ok(recording)) => due.push((tenant, recording)),
                // It cannot have been written so.
                _ => return Err(ArchiveError::Statement(sqlx::Error::Decode("an id in the index".into()))),
            }
        }
        Ok(due)
    }

    async fn look_later(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        next: Timestamp,
    ) -> Result<(), ArchiveError> {
        sqlx::query("UPDATE archive_recordings SET next_look_at = $1 WHERE tenant = $2 AND recording = $3")
            .bind(next.as_millisecond())
            .bind(tenant.as_str())
            .bind(recording.to_string())
            .execute(self.db.pool())
            .await?;
        Ok(())
    }
}

/// What people are told while the clock is in doubt.
pub(super) fn doubtful(until: Timestamp) -> String {
    format!(
        "the clock has jumped forward, or the shipper was off for long: nothing is deleted by retention until {}; set the \
         clock right if it is wrong",
        until.strftime("%F %H:%M UTC")
    )
}

/// How long a recording is left alone after this.
fn wait(refusal: &Refusal, now: Timestamp, soon: SignedDuration) -> SignedDuration {
    match refusal {
        // Should the rule say less again, that wakes it.
        Refusal::Kept(until) => until.duration_since(now).clamp(SignedDuration::from_secs(1), RARELY),
        Refusal::OnItsWay => soon.max(SignedDuration::from_millis(1)),
        Refusal::KeptForEver | Refusal::NoTargetAllows => RARELY,
        _ => AGAIN,
    }
}
