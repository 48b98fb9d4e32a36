//! How an attempt went, and what follows from it.

use jiff::Timestamp;
use sql::Transaction;
use sqlx::Row as _;

use crate::{
    DeliveryError, Order, WorkList,
    claim::{after, at},
};

/// So many attempts a record gets that is itself at fault.
const MOST_RECORD_FAULTS: i64 = 8;

/// Why an attempt failed. Texts are for people and hold no numbers or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The destination is at fault: all its orders wait.
    Destination {
        /// What is wrong and what to do.
        problem: String,
        /// Somebody has to change something; until then it is only probed.
        permanent: bool,
    },
    /// The record is at fault: the destination's other orders go on.
    Record {
        /// What is wrong and what to do.
        problem: String,
    },
    /// The attempt was broken off, without anybody's fault: a service that drains.
    BrokenOff,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The destination had been failing.
    pub recovered: bool,
    /// No order of the recording is open: all its destinations have it. May be said twice.
    pub complete: bool,
}

impl WorkList {
    /// Notes that an order is carried out, and wipes its payload. Being noted twice changes nothing.
    ///
    /// # Errors
    /// The database cannot be used; the order will be carried out again.
    pub async fn done(&self, order: &Order, now: Timestamp) -> Result<Done, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        // Also when another worker has claimed it meanwhile: done is done.
        sqlx::query(
            "UPDATE delivery_orders SET state = 'done', done_at = $1, payload = $2, progress = NULL, last_error = NULL \
             WHERE position = $3",
        )
        .bind(now.as_millisecond())
        .bind(Vec::new())
        .bind(order.position)
        .execute(&mut *tx)
        .await?;
        let recovered =
            sqlx::query("DELETE FROM delivery_destinations WHERE tenant = $1 AND destination = $2")
                .bind(order.destination.tenant.as_str())
                .bind(order.destination.name.as_str())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                > 0;
        tx.commit().await?;
        // Counted after the commit: of two orders that are done at the same moment the later one sees
        // both. Perhaps both see it; `complete` may happen twice, but must not happen never.
        let row = sqlx::query(
            "SELECT count(*) AS open FROM delivery_orders WHERE tenant = $1 AND recording = $2 AND state <> 'done'",
        )
        .bind(order.destination.tenant.as_str())
        .bind(order.recording.to_string())
        .fetch_one(self.db.pool())
        .await?;
        let complete = row.try_get::<i64, _>("open")? == 0;
        if recovered {
            self.announce();
        }
        Ok(Done { recovered, complete })
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
            Fault::Destination { problem, permanent } => {
                if !self.put_back(&mut tx, order, now.as_millisecond(), Some(problem)).await? {
                    return Ok(Failed::Superseded);
                }
                self.hold_back(&mut tx, order, problem, *permanent, now, random).await?
            }
            Fault::Record { problem } => self.record_at_fault(&mut tx, order, problem, now, random).await?,
            Fault::BrokenOff => {
                let back = self.put_back(&mut tx, order, now.as_millisecond(), None).await?;
                if back { Failed::Retry { at: now, news: false } } else { Failed::Superseded }
            }
        };
        tx.commit().await?;
        Ok(failed)
    }

    async fn put_back(
        &self,
        tx: &mut Transaction,
        order: &Order,
        due_ms: i64,
        problem: Option<&str>,
    ) -> Result<bool, DeliveryError> {
        let put_back = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', next_attempt_at = $1, last_error = COALESCE($2, last_error) \
             WHERE position = $3 AND claim = $4 AND state = 'running'",
        )
        .bind(due_ms)
        .bind(problem)
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
        problem: &str,
        permanent: bool,
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
        let (mut faults, mut news) = (1, true);
        if let Some(row) = before {
            let (earlier, held_until): (i64, i64) = (row.try_get("faults")?, row.try_get("next_attempt_at")?);
            news = row.try_get::<String, _>("problem")? != problem;
            // Orders that were under way when the first of them failed are not further faults.
            faults = if held_until > now_ms { earlier } else { earlier + 1 };
        }
        let wait = if permanent {
            self.backoff.wait(u32::MAX, random)
        } else {
            self.backoff.wait(u32::try_from(faults).unwrap_or(u32::MAX), random)
        };
        let next = after(now_ms, wait);
        sqlx::query(
            "INSERT INTO delivery_destinations (tenant, destination, faults, paused, next_attempt_at, failing_since, problem) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, destination) DO UPDATE SET \
             faults = excluded.faults, paused = excluded.paused, next_attempt_at = excluded.next_attempt_at, \
             problem = excluded.problem",
        )
        .bind(tenant)
        .bind(name)
        .bind(faults)
        .bind(i64::from(permanent))
        .bind(next)
        .bind(now_ms)
        .bind(problem)
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
        sqlx::query(
            "UPDATE delivery_orders SET state = $1, record_faults = $2, next_attempt_at = $3, last_error = $4 \
             WHERE position = $5",
        )
        .bind(if aside { "set_aside" } else { "queued" })
        .bind(faults)
        .bind(next)
        .bind(problem)
        .bind(order.position)
        .execute(&mut **tx)
        .await?;
        Ok(if aside { Failed::SetAside } else { Failed::Retry { at: at(next), news } })
    }
}
