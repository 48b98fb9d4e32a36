//! Taking the next order of a destination.

use std::time::Duration;

use jiff::Timestamp;
use sql::{Kind, Transaction};
use sqlx::{Row as _, any::AnyRow};

use crate::{DeliveryError, Destination, Order, WorkList};

/// What a destination has to do.
#[derive(Debug)]
pub enum Claim {
    /// This order, now.
    Order(Box<Order>),
    /// Nothing before that time; `None`: nothing at all.
    NotBefore(Option<Timestamp>),
}

/// What a destination has to do, as far as it is done together.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// These orders, now, the oldest first; at least one.
    Orders(Vec<Order>),
    /// Nothing before that time; `None`: nothing at all.
    NotBefore(Option<Timestamp>),
}

/// Whether a destination is failing.
enum Held {
    /// It is not.
    Not,
    /// It is, and is left alone until then (Unix ms).
    Until(i64),
    /// It is, and one order may be tried.
    Probe,
}

impl WorkList {
    /// Takes the oldest order of `destination` that is due, under a lease: if the worker neither
    /// renews it nor says how it went, the order is free again after `lease`.
    ///
    /// While a destination is failing, one order at a time is tried, after its back-off; each time
    /// another, so that no order that is itself at fault can keep the others waiting.
    ///
    /// # Errors
    /// The database cannot be used; nothing was taken.
    pub async fn claim(
        &self,
        destination: &Destination,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Claim, DeliveryError> {
        self.claim_arrived(destination, lease, now, None).await
    }

    /// The same of the orders that came until `arrived_by`; `None`: of all.
    ///
    /// # Errors
    /// The database cannot be used; nothing was taken.
    pub async fn claim_arrived(
        &self,
        destination: &Destination,
        lease: Duration,
        now: Timestamp,
        arrived_by: Option<Timestamp>,
    ) -> Result<Claim, DeliveryError> {
        Ok(match self.claim_some(destination, lease, now, arrived_by, 1).await? {
            Claimed::Orders(orders) => match orders.into_iter().next() {
                Some(order) => Claim::Order(Box::new(order)),
                None => Claim::NotBefore(Some(now)),
            },
            Claimed::NotBefore(due) => Claim::NotBefore(due),
        })
    }

    /// The same of up to `most` orders; of a destination that is failing still one.
    pub(crate) async fn claim_some(
        &self,
        destination: &Destination,
        lease: Duration,
        now: Timestamp,
        arrived_by: Option<Timestamp>,
        most: usize,
    ) -> Result<Claimed, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        let now_ms = now.as_millisecond();
        let arrived_by_ms = arrived_by.map_or(i64::MAX, Timestamp::as_millisecond);
        if self.in_order
            && let Some(lease_until) = self.in_other_hands(&mut tx, destination, now_ms).await?
        {
            return Ok(Claimed::NotBefore(Some(at(lease_until))));
        }
        let (order_by, most) = match self.held_back(&mut tx, destination, now_ms).await? {
            Held::Until(not_before) => return Ok(Claimed::NotBefore(Some(at(not_before)))),
            Held::Probe => (if self.in_order { "position" } else { "attempts, position" }, 1),
            Held::Not => ("position", most.max(1)),
        };
        // Several replicas take from the same list: each passes over what another has in hand.
        let skip = if self.db.kind() == Kind::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
        let next = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT position, recording, payload, attempts, claim FROM delivery_orders \
             WHERE tenant = $1 AND destination = $2 AND state IN ('queued', 'running') AND \
             ((state = 'queued' AND next_attempt_at <= $3) OR (state = 'running' AND lease_until <= $4)) AND \
             enqueued_at <= $5 ORDER BY {order_by} LIMIT {most} {skip}"
        )))
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .bind(now_ms)
        .bind(now_ms)
        .bind(arrived_by_ms)
        .fetch_all(&mut *tx)
        .await?;
        if next.is_empty() {
            return Ok(Claimed::NotBefore(self.next_due(&mut tx, destination, arrived_by_ms).await?));
        }
        let mut orders = Vec::with_capacity(next.len());
        for row in &next {
            orders.extend(take(&mut tx, destination, row, after(now_ms, lease)).await?);
        }
        tx.commit().await?;
        Ok(if orders.is_empty() { Claimed::NotBefore(Some(now)) } else { Claimed::Orders(orders) })
    }

    /// Until when somebody has orders of the destination in hand (Unix ms); `None`: nobody has.
    async fn in_other_hands(
        &self,
        tx: &mut Transaction,
        destination: &Destination,
        now_ms: i64,
    ) -> Result<Option<i64>, DeliveryError> {
        let (tenant, name) = (destination.tenant.as_str(), destination.name.as_str());
        if self.db.kind() == Kind::Postgres {
            // Two replicas that look at the same moment would both see nobody.
            sqlx::query("SELECT count(pg_advisory_xact_lock(hashtextextended($1, 0)))")
                .bind(format!("callseal orders {tenant}/{name}"))
                .execute(&mut **tx)
                .await?;
        }
        let (lease_until,): (Option<i64>,) = sqlx::query_as(
            "SELECT MAX(lease_until) FROM delivery_orders \
             WHERE tenant = $1 AND destination = $2 AND state = 'running' AND lease_until > $3",
        )
        .bind(tenant)
        .bind(name)
        .bind(now_ms)
        .fetch_one(&mut **tx)
        .await?;
        Ok(lease_until)
    }

    /// Whether a destination is failing, and until when it is left alone.
    async fn held_back(
        &self,
        tx: &mut Transaction,
        destination: &Destination,
        now_ms: i64,
    ) -> Result<Held, DeliveryError> {
        // The lock keeps a second replica from probing at the same moment.
        let lock = if self.db.kind() == Kind::Postgres { "FOR UPDATE" } else { "" };
        let failing = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT next_attempt_at FROM delivery_destinations WHERE tenant = $1 AND destination = $2 AND faults > 0 {lock}"
        )))
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = failing else { return Ok(Held::Not) };
        let next_attempt_at: i64 = row.try_get("next_attempt_at")?;
        if next_attempt_at > now_ms {
            return Ok(Held::Until(next_attempt_at));
        }
        let probing = sqlx::query(
            "SELECT lease_until FROM delivery_orders \
             WHERE tenant = $1 AND destination = $2 AND state = 'running' AND lease_until > $3 \
             ORDER BY lease_until LIMIT 1",
        )
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .bind(now_ms)
        .fetch_optional(&mut **tx)
        .await?;
        Ok(match probing {
            Some(row) => Held::Until(row.try_get("lease_until")?),
            None => Held::Probe,
        })
    }

    async fn next_due(
        &self,
        tx: &mut Transaction,
        destination: &Destination,
        arrived_by_ms: i64,
    ) -> Result<Option<Timestamp>, DeliveryError> {
        // What came too late is no reason to look again at once, and again.
        let row = sqlx::query(
            "SELECT MIN(CASE WHEN state = 'queued' THEN next_attempt_at ELSE lease_until END) AS due \
             FROM delivery_orders WHERE tenant = $1 AND destination = $2 AND state IN ('queued', 'running') \
             AND enqueued_at <= $3",
        )
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .bind(arrived_by_ms)
        .fetch_one(&mut **tx)
        .await?;
        Ok(row.try_get::<Option<i64>, _>("due")?.map(at))
    }

    /// Keeps an order in hand for another `lease`. False if another worker has it meanwhile.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn renew(&self, order: &Order, lease: Duration, now: Timestamp) -> Result<bool, DeliveryError> {
        let renewed = sqlx::query(
            "UPDATE delivery_orders SET lease_until = $1 WHERE position = $2 AND claim = $3 AND state = 'running'",
        )
        .bind(after(now.as_millisecond(), lease))
        .bind(order.position)
        .bind(order.claim)
        .execute(self.db.pool())
        .await?;
        Ok(renewed.rows_affected() > 0)
    }
}

/// Takes one order in hand; none if its row is damaged.
async fn take(
    tx: &mut Transaction,
    destination: &Destination,
    row: &AnyRow,
    lease_until: i64,
) -> Result<Option<Order>, DeliveryError> {
    let Ok(recording) = row.try_get::<String, _>("recording")?.parse() else {
        // It would be the first for ever, and the others behind it would wait as long.
        sqlx::query("UPDATE delivery_orders SET state = 'set_aside', last_error = $1 WHERE position = $2")
            .bind("its row in the state database is damaged")
            .bind(row.try_get::<i64, _>("position")?)
            .execute(&mut **tx)
            .await?;
        return Ok(None);
    };
    let order = Order {
        destination: destination.clone(),
        recording,
        payload: row.try_get("payload")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        place: String::new(),
        position: row.try_get("position")?,
        claim: row.try_get::<i64, _>("claim")? + 1,
    };
    sqlx::query(
        "UPDATE delivery_orders SET state = 'running', claim = $1, lease_until = $2, attempts = attempts + 1 \
         WHERE position = $3",
    )
    .bind(order.claim)
    .bind(lease_until)
    .bind(order.position)
    .execute(&mut **tx)
    .await?;
    Ok(Some(order))
}

pub(crate) fn at(unix_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::MAX)
}

pub(crate) fn after(unix_ms: i64, wait: Duration) -> i64 {
    unix_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
