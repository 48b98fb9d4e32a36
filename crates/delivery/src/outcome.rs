//! How an attempt went, and what follows from it.
//!
//! A fault of a destination can be caused by a record: a file on which the server breaks the connection
//! each time. So an order whose attempt failed so is *accused*; when another order gets through after
//! it, it was not the destination, and that counts as a fault of the record. The orders that were merely
//! there when a destination died are accused as well: they get through at their next attempt.

use std::time::Duration;

use domain::RecordingId;
use jiff::Timestamp;
use sql::Transaction;
use sqlx::Row as _;

use crate::{
    DeliveryError, Order, WorkList,
    claim::{after, at},
    list::OPEN,
};

/// So many attempts a record gets that is itself at fault.
const MOST_RECORD_FAULTS: i64 = 8;

/// The longest that a destination is left alone at its own wish: it may have meant another unit, or its
/// clock may be wrong, and nobody looks every year whether it works again.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 3600);

/// Why an attempt failed. Texts are for people and hold no numbers or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The destination is at fault: all its orders wait.
    Destination {
        /// What is wrong and what to do.
        problem: String,
        /// Somebody has to change something; until then it is only probed.
        permanent: bool,
        /// How long it wants to be left alone, if it said so: that counts, not the back-off.
        not_before: Option<Duration>,
    },
    /// The record is at fault: the destination's other orders go on.
    Record {
        /// What is wrong and what to do.
        problem: String,
    },
    /// The attempt was broken off, without anybody's fault: a service that drains, a window that closes.
    BrokenOff,
}

impl Fault {
    /// A fault of the destination that passes by itself.
    pub fn passing(problem: impl Into<String>) -> Self {
        Self::Destination { problem: problem.into(), permanent: false, not_before: None }
    }

    /// A fault of the destination that somebody has to mend.
    pub fn permanent(problem: impl Into<String>) -> Self {
        Self::Destination { problem: problem.into(), permanent: true, not_before: None }
    }

    /// A fault of the record.
    pub fn record(problem: impl Into<String>) -> Self {
        Self::Record { problem: problem.into() }
    }
}

/// What follows from a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It will be tried again. `news`: nobody has been told about this problem yet.
    Retry {
        /// When.
        at: Timestamp,
        /// The problem is new, or another than before.
        news: bool,
    },
    /// The record was set aside.
    SetAside,
    /// Another worker has the order meanwhile: nothing was noted.
    Superseded,
}

/// What follows from a successful attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// The destination had been failing.
    pub recovered: bool,
    /// No order of the recording is open: all its destinations have it. May be said twice.
    pub complete: bool,
    /// Recordings that were set aside, and what they failed by: their attempts fail while others get
    /// through.
    pub set_aside: Vec<(RecordingId, String)>,
}

/// What the destination's fault looks like to [`WorkList::hold_back`].
struct Held<'a> {
    problem: &'a str,
    permanent: bool,
    not_before: Option<Duration>,
}

impl WorkList {
    /// Notes that an order is carried out, and wipes its payload. Being noted twice changes nothing.
    ///
    /// # Errors
    /// The database cannot be used; the order will be carried out again.
    pub async fn done(&self, order: &Order, now: Timestamp) -> Result<Done, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        let done = self.done_in(&mut tx, order, now).await?;
        tx.commit().await?;
        self.completed(order, done).await
    }

    /// The same inside the caller's transaction; after its commit call [`completed`](Self::completed).
    ///
    /// # Errors
    /// A statement failed; the transaction is to be dropped.
    pub async fn done_in(
        &self,
        tx: &mut Transaction,
        order: &Order,
        now: Timestamp,
    ) -> Result<Done, DeliveryError> {
        // Also when another worker has claimed it meanwhile: done is done.
        sqlx::query(
            "UPDATE delivery_orders SET state = 'done', done_at = $1, payload = $2, accused = 0, last_error = NULL \
             WHERE position = $3",
        )
        .bind(now.as_millisecond())
        .bind(Vec::new())
        .bind(order.position)
        .execute(&mut **tx)
        .await?;
        sqlx::query("UPDATE delivery_files SET stored_name = NULL, bookmark = NULL WHERE position = $1")
            .bind(order.position)
            .execute(&mut **tx)
            .await?;
        let recovered =
            sqlx::query("DELETE FROM delivery_destinations WHERE tenant = $1 AND destination = $2")
                .bind(order.destination.tenant.as_str())
                .bind(order.destination.name.as_str())
                .execute(&mut **tx)
                .await?
                .rows_affected()
                > 0;
        let set_aside = self.convict(tx, order, now).await?;
        Ok(Done { recovered, complete: false, set_aside })
    }

    /// After the commit of what [`done_in`](Self::done_in) noted: whether that was the recording's last
    /// open order. Counted after the commit: of two orders that are done at the same moment the later
    /// one sees both. Perhaps both see it; `complete` may happen twice, but must not happen never.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn completed(&self, order: &Order, done: Done) -> Result<Done, DeliveryError> {
        if done.recovered {
            self.announce();
        }
        let count = format!(
            "SELECT count(*) AS open FROM delivery_orders WHERE tenant = $1 AND recording = $2 AND {OPEN}"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(count))
            .bind(order.destination.tenant.as_str())
            .bind(order.recording.to_string())
            .fetch_one(self.db.pool())
            .await?;
        Ok(Done { complete: row.try_get::<i64, _>("open")? == 0, ..done })
    }

    /// An order got through: those that are accused failed by themselves.
    async fn convict(
        &self,
        tx: &mut Transaction,
        through: &Order,
        now: Timestamp,
    ) -> Result<Vec<(RecordingId, String)>, DeliveryError> {
        let accused = sqlx::query(
            "SELECT position, recording, record_faults, last_error FROM delivery_orders \
             WHERE tenant = $1 AND destination = $2 AND accused > 0 AND state = 'queued' AND position <> $3 \
             ORDER BY position",
        )
        .bind(through.destination.tenant.as_str())
        .bind(through.destination.name.as_str())
        .bind(through.position)
        .fetch_all(&mut **tx)
        .await?;
        let mut set_aside = Vec::new();
        for row in accused {
            let faults = row.try_get::<i64, _>("record_faults")? + 1;
            let aside = faults >= MOST_RECORD_FAULTS;
            let wait = self.backoff.wait(u32::try_from(faults).unwrap_or(u32::MAX), 0.0);
            sqlx::query(
                "UPDATE delivery_orders SET state = $1, record_faults = $2, accused = 0, next_attempt_at = $3 \
                 WHERE position = $4 AND state = 'queued' AND accused > 0",
            )
            .bind(if aside { "set_aside" } else { "queued" })
            .bind(faults)
            .bind(after(now.as_millisecond(), wait))
            .bind(row.try_get::<i64, _>("position")?)
            .execute(&mut **tx)
            .await?;
            if let (true, Ok(recording)) = (aside, row.try_get::<String, _>("recording")?.parse()) {
                let problem = row.try_get::<Option<String>, _>("last_error")?.unwrap_or_default();
                set_aside.push((recording, problem));
            }
        }
        Ok(set_aside)
    }

    /// Notes that an attempt failed, and when the next one is due. `random` in 0..1 for the back-off.
    ///
    /// # Errors
    /// The database cannot be used; the order is free again when its lease runs out.
    pub async fn failed(
        &self,
        order: &Order,
        fault: &Fault,
        now: Timestamp,
        random: f64,
    ) -> Result<Failed, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        let failed = match fault {
            Fault::Destination { problem, permanent, not_before } => {
                let held = Held { problem, permanent: *permanent, not_before: *not_before };
                self.destination_at_fault(&mut tx, order, &held, now, random).await?
            }
            Fault::Record { problem } => self.record_at_fault(&mut tx, order, problem, now, random).await?,
            Fault::BrokenOff => {
                let back = self.put_back(&mut tx, order, now.as_millisecond(), None, false).await?;
                if back { Failed::Retry { at: now, news: false } } else { Failed::Superseded }
            }
        };
        tx.commit().await?;
        Ok(failed)
    }

    async fn destination_at_fault(
        &self,
        tx: &mut Transaction,
        order: &Order,
        held: &Held<'_>,
        now: Timestamp,
        random: f64,
    ) -> Result<Failed, DeliveryError> {
        // Who asks to be left alone is well, and no record made it say so: nobody is accused, and all wait. So
        // they do where the work knows which of the two is at fault.
        let asks = held.not_before.is_some() || self.in_order;
        if !asks && let Some(faults) = self.suspect(tx, order, now).await? {
            let wait = self.backoff.wait(u32::try_from(faults + 1).unwrap_or(u32::MAX), random);
            let due = after(now.as_millisecond(), wait);
            let back = self.put_back(tx, order, due, Some(held.problem), true).await?;
            return Ok(if back { Failed::Retry { at: at(due), news: false } } else { Failed::Superseded });
        }
        if !self.put_back(tx, order, now.as_millisecond(), Some(held.problem), !asks).await? {
            return Ok(Failed::Superseded);
        }
        self.hold_back(tx, order, held, now, random).await
    }

    /// How often an order failed while others got through, if it did and others can be tried now: then
    /// they tell whether the destination works, and it does not hold them up.
    async fn suspect(
        &self,
        tx: &mut Transaction,
        order: &Order,
        now: Timestamp,
    ) -> Result<Option<i64>, DeliveryError> {
        let faults: Option<(i64,)> = sqlx::query_as(
            "SELECT record_faults FROM delivery_orders WHERE position = $1 AND record_faults > 0",
        )
        .bind(order.position)
        .fetch_optional(&mut **tx)
        .await?;
        let Some((faults,)) = faults else { return Ok(None) };
        let other = sqlx::query(
            "SELECT 1 AS other FROM delivery_orders WHERE tenant = $1 AND destination = $2 AND position <> $3 \
             AND state = 'queued' AND record_faults = 0 AND next_attempt_at <= $4 LIMIT 1",
        )
        .bind(order.destination.tenant.as_str())
        .bind(order.destination.name.as_str())
        .bind(order.position)
        .bind(now.as_millisecond())
        .fetch_optional(&mut **tx)
        .await?;
        Ok(other.map(|_| faults))
    }

    /// Puts an order back, with the problem that its attempt ran into; `accused` of having caused it.
    async fn put_back(
        &self,
        tx: &mut Transaction,
        order: &Order,
        due_ms: i64,
        problem: Option<&str>,
        accused: bool,
    ) -> Result<bool, DeliveryError> {
        let put_back = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', next_attempt_at = $1, \
             last_error = COALESCE($2, last_error), accused = $3 \
             WHERE position = $4 AND claim = $5 AND state = 'running'",
        )
        .bind(due_ms)
        .bind(problem)
        .bind(i64::from(accused))
        .bind(order.position)
        .bind(order.claim)
        .execute(&mut **tx)
        .await?;
        Ok(put_back.rows_affected() > 0)
    }

    async fn hold_back(
        &self,
        tx: &mut Transaction,
        order: &Order,
        held: &Held<'_>,
        now: Timestamp,
        random: f64,
    ) -> Result<Failed, DeliveryError> {
        let (tenant, name) = (order.destination.tenant.as_str(), order.destination.name.as_str());
        let now_ms = now.as_millisecond();
        let before = sqlx::query(
            "SELECT faults, next_attempt_at, problem FROM delivery_destinations WHERE tenant = $1 AND destination = $2",
        )
        .bind(tenant)
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?;
        let (mut faults, mut news, mut not_before_ms) = (1, true, now_ms);
        if let Some(row) = before {
            let (earlier, held_until): (i64, i64) = (row.try_get("faults")?, row.try_get("next_attempt_at")?);
            news = row.try_get::<String, _>("problem")? != held.problem;
            // Orders that were under way when the first of them failed are not further faults.
            faults = if held_until > now_ms { earlier } else { earlier + 1 };
            not_before_ms = held_until;
        }
        let in_a_row = if held.permanent { u32::MAX } else { u32::try_from(faults).unwrap_or(u32::MAX) };
        let wait = match held.not_before {
            // Not sooner than it asks; and a server that asks for no time at all is not asked for ever.
            Some(asked) => asked.min(LONGEST_WISH) + self.backoff.wait(1, random),
            None => self.backoff.wait(in_a_row, random),
        };
        let next = after(now_ms, wait).max(not_before_ms);
        sqlx::query(
            "INSERT INTO delivery_destinations (tenant, destination, faults, paused, next_attempt_at, failing_since, problem) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, destination) DO UPDATE SET \
             faults = excluded.faults, paused = excluded.paused, next_attempt_at = excluded.next_attempt_at, \
             problem = excluded.problem",
        )
        .bind(tenant)
        .bind(name)
        .bind(faults)
        .bind(i64::from(held.permanent))
        .bind(next)
        .bind(now_ms)
        .bind(held.problem)
        .execute(&mut **tx)
        .await?;
        Ok(Failed::Retry { at: at(next), news })
    }

    async fn record_at_fault(
        &self,
        tx: &mut Transaction,
        order: &Order,
        problem: &str,
        now: Timestamp,
        random: f64,
    ) -> Result<Failed, DeliveryError> {
        let row = sqlx::query(
            "SELECT record_faults, last_error FROM delivery_orders \
             WHERE position = $1 AND claim = $2 AND state = 'running'",
        )
        .bind(order.position)
        .bind(order.claim)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = row else { return Ok(Failed::Superseded) };
        let faults = row.try_get::<i64, _>("record_faults")? + 1;
        let news = row.try_get::<Option<String>, _>("last_error")?.as_deref() != Some(problem);
        let next =
            after(now.as_millisecond(), self.backoff.wait(u32::try_from(faults).unwrap_or(u32::MAX), random));
        let aside = faults >= MOST_RECORD_FAULTS;
        let noted = sqlx::query(
            "UPDATE delivery_orders SET state = $1, record_faults = $2, next_attempt_at = $3, last_error = $4, accused = 0 \
             WHERE position = $5 AND claim = $6 AND state = 'running'",
        )
        .bind(if aside { "set_aside" } else { "queued" })
        .bind(faults)
        .bind(next)
        .bind(problem)
        .bind(order.position)
        .bind(order.claim)
        .execute(&mut **tx)
        .await?;
        // On PostgreSQL another worker may have got it, and done it, since it was looked at.
        if noted.rows_affected() == 0 {
            return Ok(Failed::Superseded);
        }
        Ok(if aside { Failed::SetAside } else { Failed::Retry { at: at(next), news } })
    }
}
