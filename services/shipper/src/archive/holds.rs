//! Legal holds: while one is over a recording nothing of it is deleted, whatever its retention says.

use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use sql::Transaction;
use sqlx::{Row as _, any::AnyRow};
use wire::archive_v1::{self as proto, place_hold::Over as Asked};

use super::{
    Archive, ArchiveError,
    judgement::{Kept, Refusal},
    people, unsigned,
};

/// What a hold is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    /// One recording.
    Recording(RecordingId),
    /// All of a rule, also those to come.
    Rule(ResourceName),
    /// All of one call: the hash of the PBX's id.
    Call(String),
    /// All that began in that time, Unix ms, the end not included.
    Between(i64, i64),
}

impl Over {
    /// What somebody asked for.
    pub fn read(asked: Option<Asked>) -> Result<Self, Refusal> {
        Ok(match asked.ok_or(Refusal::Text("it is not said what the hold is over"))? {
            Asked::RecordingId(id) => {
                Self::Recording(id.parse().map_err(|_| Refusal::Text("this is no id of a recording"))?)
            }
            Asked::Rule(name) => {
                Self::Rule(name.parse().map_err(|_| Refusal::Text("this is no name of a rule"))?)
            }
            Asked::CallId(id) if id.trim().is_empty() => {
                return Err(Refusal::Text("the id of the call is empty"));
            }
            Asked::CallId(id) => Self::Call(bus::subjects::call_token(&id)),
            Asked::Between(proto::Between { from_unix_ms, to_unix_ms }) if from_unix_ms < to_unix_ms => {
                Self::Between(from_unix_ms, to_unix_ms)
            }
            Asked::Between(_) => return Err(Refusal::Text("the time has to end after it begins")),
        })
    }

    /// Kind, what, from, to.
    fn columns(&self) -> (&'static str, String, i64, i64) {
        match self {
            Self::Recording(id) => ("recording", id.to_string(), 0, 0),
            Self::Rule(name) => ("rule", name.to_string(), 0, 0),
            Self::Call(hash) => ("call", hash.clone(), 0, 0),
            Self::Between(from, to) => ("between", String::new(), *from, *to),
        }
    }
}

/// The holds in force over a recording: `$1` tenant, `$2` recording, `$3` rule, `$4` call, `$5` begin.
const OVER: &str = "SELECT hold FROM archive_holds WHERE tenant = $1 AND released_at IS NULL AND (\
    (kind = 'recording' AND what = $2) OR (kind = 'rule' AND what = $3) OR (kind = 'call' AND what = $4) \
    OR (kind = 'between' AND from_at <= $5 AND to_at > $5)) ORDER BY hold LIMIT 1";

/// The recordings that a hold `h` is over.
const COVERED: &str = "r.tenant = h.tenant AND ((h.kind = 'recording' AND r.recording = h.what) \
    OR (h.kind = 'rule' AND r.rule = h.what) OR (h.kind = 'call' AND r.call = h.what) \
    OR (h.kind = 'between' AND r.started_at >= h.from_at AND r.started_at < h.to_at))";

impl Archive {
    /// A hold that is over this recording.
    pub(super) async fn hold_over(tx: &mut Transaction, kept: &Kept) -> Result<Option<i64>, ArchiveError> {
        let found: Option<(i64,)> = sqlx::query_as(OVER)
            .bind(kept.tenant.as_str())
            .bind(kept.recording.to_string())
            .bind(kept.rule.as_str())
            .bind(kept.call.as_str())
            .bind(kept.started.as_millisecond())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(found.map(|(hold,)| hold))
    }

    /// Places a hold. Answers it, and the recordings whose deletion had begun.
    pub(super) async fn place_hold(
        &self,
        tenant: &TenantId,
        over: &Over,
        (reason, by): (&str, &str),
        now: Timestamp,
    ) -> Result<Result<(proto::Hold, Vec<String>), Refusal>, ArchiveError> {
        let (reason, by) = match (people::reason(reason), people::account(by)) {
            (Ok(reason), Ok(by)) => (reason, by),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
        let (kind, what, from, to) = over.columns();
        let mut tx = self.db.begin_write().await?;
        Self::guard(&mut tx, tenant.as_str()).await?;
        let (hold,): (i64,) = sqlx::query_as(
            "INSERT INTO archive_holds (tenant, kind, what, from_at, to_at, reason, placed_by, placed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING hold",
        )
        .bind(tenant.as_str())
        .bind(kind)
        .bind(what)
        .bind(from)
        .bind(to)
        .bind(reason)
        .bind(by)
        .bind(now.as_millisecond())
        .fetch_one(&mut *tx)
        .await?;
        let begun = format!(
            "SELECT r.recording FROM archive_holds h JOIN archive_recordings r ON {COVERED} \
             JOIN archive_deletions d ON d.tenant = r.tenant AND d.recording = r.recording \
             AND d.state IN ('marked', 'logged') WHERE h.hold = $1 ORDER BY r.recording LIMIT 1000"
        );
        let begun: Vec<(String,)> =
            sqlx::query_as(sqlx::AssertSqlSafe(begun)).bind(hold).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let placed = self.holds("", true, Some(hold)).await?.into_iter().next();
        let begun = begun.into_iter().map(|(recording,)| recording).collect();
        Ok(placed.map(|hold| (hold, begun)).ok_or(Refusal::NoSuchHold))
    }

    /// The first of two people wants a hold released.
    pub(super) async fn ask_release(
        &self,
        hold: i64,
        (reason, by): (&str, &str),
        now: Timestamp,
    ) -> Result<Result<proto::Hold, Refusal>, ArchiveError> {
        let (reason, by) = match (people::reason(reason), people::account(by)) {
            (Ok(reason), Ok(by)) => (reason, by),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
        let changed = sqlx::query(
            "UPDATE archive_holds SET release_by = $1, release_reason = $2, release_at = $3 \
             WHERE hold = $4 AND released_at IS NULL",
        )
        .bind(by)
        .bind(reason)
        .bind(now.as_millisecond())
        .bind(hold)
        .execute(self.db.pool())
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(Err(Refusal::NoSuchHold));
        }
        Ok(self.holds("", true, Some(hold)).await?.into_iter().next().ok_or(Refusal::NoSuchHold))
    }

    /// The second of two people releases a hold.
    pub(super) async fn confirm_release(
        &self,
        hold: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Result<proto::Hold, Refusal>, ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        let whose: Option<(String,)> = sqlx::query_as("SELECT tenant FROM archive_holds WHERE hold = $1")
            .bind(hold)
            .fetch_optional(&mut *tx)
            .await?;
        let Some((tenant,)) = whose else { return Ok(Err(Refusal::NoSuchHold)) };
        Self::guard(&mut tx, &tenant).await?;
        // After the guard: nobody else releases it now.
        let row = sqlx::query("SELECT release_by FROM archive_holds WHERE hold = $1 AND released_at IS NULL")
            .bind(hold)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(Err(Refusal::NoSuchHold)) };
        let Some(first) = row.try_get::<Option<String>, _>("release_by")? else {
            return Ok(Err(Refusal::ReleaseNotAsked));
        };
        let second = match people::second(&first, by) {
            Ok(second) => second,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Whoever asked anew meanwhile may be the second one: then it is refused.
        let released = sqlx::query(
            "UPDATE archive_holds SET confirmed_by = $1, released_at = $2 \
             WHERE hold = $3 AND released_at IS NULL AND release_by = $4",
        )
        .bind(second)
        .bind(now.as_millisecond())
        .bind(hold)
        .bind(first)
        .execute(&mut *tx)
        .await?;
        if released.rows_affected() == 0 {
            return Ok(Err(Refusal::NoSuchHold));
        }
        // What waited for this hold is looked at again at once.
        sqlx::query(
            "UPDATE archive_recordings SET next_look_at = $1 WHERE tenant = $2 AND deleted_at IS NULL \
             AND keep_until > 0 AND keep_until <= $1 AND next_look_at > $1",
        )
        .bind(now.as_millisecond())
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE archive_deletions SET next_at = $1 WHERE tenant = $2 AND state IN ('marked', 'logged') AND next_at > $1",
        )
        .bind(now.as_millisecond())
        .bind(tenant)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(self.holds("", true, Some(hold)).await?.into_iter().next().ok_or(Refusal::NoSuchHold))
    }

    /// The holds of a tenant (empty: of all), also those that were `released`; or that `one`.
    pub(super) async fn holds(
        &self,
        tenant: &str,
        released: bool,
        one: Option<i64>,
    ) -> Result<Vec<proto::Hold>, ArchiveError> {
        let query = format!(
            "SELECT h.*, (SELECT count(*) FROM archive_recordings r WHERE r.deleted_at IS NULL AND {COVERED}) AS recordings \
             FROM archive_holds h WHERE ($1 = '' OR h.tenant = $1) AND ($2 = 1 OR h.released_at IS NULL) \
             AND ($3 = 0 OR h.hold = $3) ORDER BY h.hold"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(tenant)
            .bind(i64::from(released))
            .bind(one.unwrap_or(0))
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(shown).collect()
    }
}

fn shown(row: &AnyRow) -> Result<proto::Hold, ArchiveError> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
    let at = |column: &str| row.try_get::<Option<i64>, _>(column).map(Option::unwrap_or_default);
    let what: String = row.try_get("what")?;
    let over = match row.try_get::<String, _>("kind")?.as_str() {
        "recording" => format!("recording {what}"),
        "rule" => format!("rule {what}"),
        "call" => "a call".to_owned(),
        _ => format!("{} to {}", super::time(at("from_at")?), super::time(at("to_at")?)),
    };
    Ok(proto::Hold {
        hold: unsigned(row.try_get("hold")?),
        tenant: row.try_get("tenant")?,
        over,
        reason: row.try_get("reason")?,
        by: row.try_get("placed_by")?,
        placed_unix_ms: row.try_get("placed_at")?,
        recordings: unsigned(row.try_get("recordings")?),
        release_by: text("release_by")?,
        release_reason: text("release_reason")?,
        release_unix_ms: at("release_at")?,
        confirmed_by: text("confirmed_by")?,
        released_unix_ms: at("released_at")?,
    })
}
