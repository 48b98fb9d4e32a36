//! Deletions: asked for by one person and confirmed by another, or due by retention; then marked. Nothing is
//! removed here ([`removal`](super::removal) does that).

use std::collections::BTreeMap;

use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use sql::Transaction;
use sqlx::{Row as _, any::AnyRow};
use wire::archive_v1 as proto;

use super::{
    Archive, ArchiveError, Policy,
    judgement::{Ground, Kept, Refusal, judge},
    people, unsigned,
};

/// What retention's own deletions are told as.
pub(super) const RETENTION: &str = "retention";
/// Deletions in an answer.
const SHOWN: i64 = 200;

/// A deletion that is marked or logged.
#[derive(Debug, Clone)]
pub(super) struct Deletion {
    pub id: i64,
    pub tenant: TenantId,
    pub recording: RecordingId,
    pub ground: Ground,
    pub reason: String,
    pub by: String,
    pub marked_at: i64,
    pub targets: Vec<String>,
    /// Nothing is left when it is done, as far as it was brought anywhere.
    pub everywhere: bool,
    /// Targets that have files of it all the same: its orders there were given up.
    pub remains: Vec<String>,
    /// Where its entry stands, once that is noted.
    pub log_entry: Option<i64>,
    pub attempts: i64,
    pub problem: String,
}

/// Where a recording is deleted.
pub(super) struct Scope {
    targets: Vec<String>,
    everywhere: bool,
    remains: Vec<String>,
}

/// Who asks for a deletion, and why.
struct Asked<'a> {
    ground: Ground,
    reason: &'a str,
    by: &'a str,
}

impl Archive {
    /// The first of two people wants a recording deleted.
    pub(super) async fn request_deletion(
        &self,
        (tenant, recording): (&TenantId, RecordingId),
        (reason, by): (&str, &str),
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Result<proto::Deletion, Refusal>, ArchiveError> {
        let (reason, by) = match (people::reason(reason), people::account(by)) {
            (Ok(reason), Ok(by)) => (reason, by),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
        let mut tx = self.db.begin_write().await?;
        Self::guard(&mut tx, tenant.as_str()).await?;
        // All that stands against it now is said now; what counts is the look when it is confirmed.
        if let Err(refusal) = self.look(&mut tx, (tenant, recording), Ground::Request, policy, now).await? {
            return Ok(Err(refusal));
        }
        if let Some((open, _)) = open_of(&mut tx, tenant, recording).await? {
            return Ok(Err(Refusal::OpenAlready(open)));
        }
        let asked = Asked { ground: Ground::Request, reason: &reason, by: &by };
        let id = insert(&mut tx, (tenant, recording), &asked, now).await?;
        tx.commit().await?;
        Ok(self.deletion(id).await?.ok_or(Refusal::NoSuchRequest))
    }

    /// The second of two people has it deleted: it is marked, unless something stands against it now.
    pub(super) async fn confirm_deletion(
        &self,
        id: i64,
        by: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Result<proto::Deletion, Refusal>, ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        let Some((tenant, recording)) = whose(&mut tx, id).await? else {
            return Ok(Err(Refusal::NoSuchRequest));
        };
        Self::guard(&mut tx, tenant.as_str()).await?;
        // After the guard: nobody else changes it now.
        let row = sqlx::query(
            "SELECT requested_by FROM archive_deletions WHERE deletion = $1 AND state = 'requested'",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(Err(Refusal::NoSuchRequest)) };
        let second = match people::second(&row.try_get::<String, _>("requested_by")?, by) {
            Ok(second) => second,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found = self.look(&mut tx, (&tenant, recording), Ground::Request, policy, now).await?;
        let (_, scope) = match found {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        mark(&mut tx, id, Some(&second), &scope, now).await?;
        tx.commit().await?;
        Ok(self.deletion(id).await?.ok_or(Refusal::NoSuchRequest))
    }

    /// Takes a request back that nobody has confirmed.
    pub(super) async fn withdraw_deletion(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Result<proto::Deletion, Refusal>, ArchiveError> {
        let by = match people::account(by) {
            Ok(by) => by,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let withdrawn = sqlx::query(
            "UPDATE archive_deletions SET state = 'withdrawn', done_at = $1, problem = $2 \
             WHERE deletion = $3 AND state = 'requested'",
        )
        .bind(now.as_millisecond())
        .bind(format!("withdrawn by {by}"))
        .bind(id)
        .execute(self.db.pool())
        .await?;
        if withdrawn.rows_affected() == 0 {
            return Ok(Err(Refusal::NoSuchRequest));
        }
        Ok(self.deletion(id).await?.ok_or(Refusal::NoSuchRequest))
    }

    /// Marks a recording whose retention has ended.
    pub(super) async fn mark_due(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        Self::guard(&mut tx, tenant.as_str()).await?;
        let found = self.look(&mut tx, (tenant, recording), Ground::Retention, policy, now).await?;
        let (kept, scope) = match found {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match open_of(&mut tx, tenant, recording).await? {
            Some((open, state)) if state != "requested" => return Ok(Err(Refusal::OpenAlready(open))),
            Some((open, _)) => {
                sqlx::query(
                    "UPDATE archive_deletions SET state = 'withdrawn', done_at = $1, problem = 'its retention ended before \
                     anybody confirmed' WHERE deletion = $2",
                )
                .bind(now.as_millisecond())
                .bind(open)
                .execute(&mut *tx)
                .await?;
            }
            None => {}
        }
        // The last day on which it was kept, by the tenant's clock.
        let until = kept.keep_until.unwrap_or(now).to_zoned(kept.zone.clone()).date();
        let last = until.yesterday().unwrap_or(until);
        let reason = format!("retention ended {last}");
        let asked = Asked { ground: Ground::Retention, reason: &reason, by: RETENTION };
        let id = insert(&mut tx, (tenant, recording), &asked, now).await?;
        mark(&mut tx, id, None, &scope, now).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Looks at all that stands against a deletion, inside the transaction that goes on with it. Answers what
    /// is known, and where it is deleted.
    pub(super) async fn look(
        &self,
        tx: &mut Transaction,
        (tenant, recording): (&TenantId, RecordingId),
        ground: Ground,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Result<(Kept, Scope), Refusal>, ArchiveError> {
        let kept = match Self::kept_in(tx, tenant, recording).await? {
            None => return Ok(Err(Refusal::Unknown)),
            Some((_, true)) => return Ok(Err(Refusal::Deleted)),
            Some((kept, false)) => kept,
        };
        let (hold, now) = (Self::hold_over(tx, &kept).await?, Self::believed(tx, now).await?);
        if let Err(refusal) = judge(&kept, hold, policy.rule(tenant, &kept.rule, kept.class), ground, now) {
            return Ok(Err(refusal));
        }
        if self.list.is_open_in(tx, tenant, recording).await? {
            return Ok(Err(Refusal::OnItsWay));
        }
        let mut by_target: BTreeMap<String, ()> = BTreeMap::new();
        for file in Self::files_in(tx, tenant, recording).await? {
            by_target.insert(file.target, ());
        }
        let all = by_target.len();
        let targets: Vec<String> =
            by_target.into_keys().filter(|target| policy.allows(tenant, target)).collect();
        // What lies in staging alone is deleted there, of a tenant that is there.
        if (all > 0 && targets.is_empty()) || !policy.knows(tenant) {
            return Ok(Err(Refusal::NoTargetAllows));
        }
        let everywhere = targets.len() == all;
        let remains = self.list.left_behind_in(tx, tenant, recording).await?;
        Ok(Ok((kept, Scope { targets, everywhere, remains })))
    }

    /// One deletion, for people.
    pub(super) async fn deletion(&self, id: i64) -> Result<Option<proto::Deletion>, ArchiveError> {
        let row = sqlx::query("SELECT * FROM archive_deletions WHERE deletion = $1")
            .bind(id)
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(shown).transpose()
    }

    /// The newest deletions, each limit as in [`proto::ListDeletions`].
    pub(super) async fn deletions(
        &self,
        asked: &proto::ListDeletions,
    ) -> Result<Vec<proto::Deletion>, ArchiveError> {
        let rows = sqlx::query(
            "SELECT * FROM archive_deletions WHERE ($1 = '' OR tenant = $1) AND ($2 = '' OR recording = $2) \
             AND ($3 = 1 OR state IN ('requested', 'marked', 'logged')) ORDER BY deletion DESC LIMIT $4",
        )
        .bind(asked.tenant.as_str())
        .bind(asked.recording_id.as_str())
        .bind(i64::from(asked.all))
        .bind(SHOWN)
        .fetch_all(self.db.pool())
        .await?;
        rows.iter().map(shown).collect()
    }
}

async fn whose(tx: &mut Transaction, id: i64) -> Result<Option<(TenantId, RecordingId)>, ArchiveError> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT tenant, recording FROM archive_deletions WHERE deletion = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.and_then(|(tenant, recording)| Some((tenant.parse().ok()?, recording.parse().ok()?))))
}

/// The open deletion of a recording, and its state.
async fn open_of(
    tx: &mut Transaction,
    tenant: &TenantId,
    recording: RecordingId,
) -> Result<Option<(i64, String)>, ArchiveError> {
    Ok(sqlx::query_as(
        "SELECT deletion, state FROM archive_deletions WHERE tenant = $1 AND recording = $2 \
         AND state IN ('requested', 'marked', 'logged')",
    )
    .bind(tenant.as_str())
    .bind(recording.to_string())
    .fetch_optional(&mut **tx)
    .await?)
}

async fn insert(
    tx: &mut Transaction,
    (tenant, recording): (&TenantId, RecordingId),
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<i64, ArchiveError> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO archive_deletions (tenant, recording, cause, state, reason, requested_by, requested_at) \
         VALUES ($1, $2, $3, 'requested', $4, $5, $6) RETURNING deletion",
    )
    .bind(tenant.as_str())
    .bind(recording.to_string())
    .bind(asked.ground.as_str())
    .bind(asked.reason)
    .bind(asked.by)
    .bind(now.as_millisecond())
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

async fn mark(
    tx: &mut Transaction,
    id: i64,
    confirmed_by: Option<&str>,
    scope: &Scope,
    now: Timestamp,
) -> Result<(), ArchiveError> {
    sqlx::query(
        "UPDATE archive_deletions SET state = 'marked', confirmed_by = $1, marked_at = $2, next_at = $2, targets = $3, \
         everywhere = $4, remains = $5 WHERE deletion = $6 AND state = 'requested'",
    )
    .bind(confirmed_by)
    .bind(now.as_millisecond())
    .bind(scope.targets.join(","))
    .bind(i64::from(scope.everywhere))
    .bind(scope.remains.join(","))
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn targets(row: &AnyRow, column: &str) -> Result<Vec<String>, ArchiveError> {
    let targets: String = row.try_get(column)?;
    Ok(targets.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

pub(super) fn read(row: &AnyRow) -> Result<Deletion, ArchiveError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let damaged = || ArchiveError::Statement(sqlx::Error::Decode("an id of a deletion".into()));
    let (reason, first) = (text("reason")?, text("requested_by")?);
    let second: Option<String> = row.try_get("confirmed_by")?;
    let ground =
        if text("cause")? == Ground::Retention.as_str() { Ground::Retention } else { Ground::Request };
    let (reason, by) = match second {
        Some(second) => (
            format!("{reason} (asked for by {first}, confirmed by {second})"),
            format!("{first} and {second}"),
        ),
        None => (reason, first),
    };
    let remains = targets(row, "remains")?;
    let reason = with_remains(reason, &remains);
    Ok(Deletion {
        id: row.try_get("deletion")?,
        tenant: text("tenant")?.parse().map_err(|_| damaged())?,
        recording: text("recording")?.parse().map_err(|_| damaged())?,
        ground,
        reason,
        by,
        marked_at: row.try_get::<Option<i64>, _>("marked_at")?.unwrap_or_default(),
        targets: targets(row, "targets")?,
        everywhere: row.try_get::<i64, _>("everywhere")? != 0,
        remains,
        log_entry: row.try_get("log_entry")?,
        attempts: row.try_get("attempts")?,
        problem: text("problem")?,
    })
}

/// Says where files stay that nobody can remove by their names: the log and the tombstone must not say
/// "everywhere" then. A target whose name may not be published is not named.
fn with_remains(reason: String, remains: &[String]) -> String {
    if remains.is_empty() {
        return reason;
    }
    let named = format!("{reason}; files stay where it was given up: {}", remains.join(", "));
    if people::is_public(&named) { named } else { format!("{reason}; files stay where it was given up") }
}

fn shown(row: &AnyRow) -> Result<proto::Deletion, ArchiveError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let at = |column: &str| row.try_get::<Option<i64>, _>(column).map(Option::unwrap_or_default);
    Ok(proto::Deletion {
        deletion: unsigned(row.try_get("deletion")?),
        tenant: text("tenant")?,
        recording_id: text("recording")?,
        state: text("state")?,
        cause: text("cause")?,
        reason: with_remains(text("reason")?, &targets(row, "remains")?),
        requested_by: text("requested_by")?,
        requested_unix_ms: row.try_get("requested_at")?,
        confirmed_by: row.try_get::<Option<String>, _>("confirmed_by")?.unwrap_or_default(),
        marked_unix_ms: at("marked_at")?,
        done_unix_ms: at("done_at")?,
        targets: targets(row, "targets")?,
        log_entry: unsigned(at("log_entry")?),
        problem: text("problem")?,
    })
}
