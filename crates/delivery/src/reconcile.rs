//! The list held against the configuration, and what it holds.

use std::{collections::BTreeSet, time::Duration};

use domain::RecordingId;
use jiff::Timestamp;
use sqlx::Row as _;

use crate::{DeliveryError, Destination, State, WorkList, claim::at, list::destination_of};

/// What lies on the list for one destination in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose orders.
    pub destination: Destination,
    /// In which state.
    pub state: State,
    /// How many.
    pub orders: u64,
    /// When the oldest of them came.
    pub oldest: Timestamp,
}

impl WorkList {
    /// Orphans the open orders of destinations that are not among `existing`, and takes back those
    /// whose destination is there again. Returns the destinations that lost or regained orders.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn reconcile(
        &self,
        existing: &BTreeSet<Destination>,
    ) -> Result<(Vec<Destination>, Vec<Destination>), DeliveryError> {
        let (mut orphaned, mut returned) = (Vec::new(), Vec::new());
        for destination in self.destinations().await? {
            let exists = existing.contains(&destination);
            // Running ones are left to their workers, and looked at again the next time.
            let (from, to) = if exists { ("orphaned", "queued") } else { ("queued", "orphaned") };
            let changed = sqlx::query(
                "UPDATE delivery_orders SET state = $1 WHERE tenant = $2 AND destination = $3 AND state = $4",
            )
            .bind(to)
            .bind(destination.tenant.as_str())
            .bind(destination.name.as_str())
            .bind(from)
            .execute(self.db.pool())
            .await?
            .rows_affected();
            if changed > 0 {
                if exists { &mut returned } else { &mut orphaned }.push(destination);
            }
        }
        if !returned.is_empty() {
            self.announce();
        }
        Ok((orphaned, returned))
    }

    /// Makes every destination's next attempt due now: the configuration changed, and with it
    /// perhaps what was wrong.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn retry_now(&self, now: Timestamp) -> Result<(), DeliveryError> {
        sqlx::query("UPDATE delivery_destinations SET next_attempt_at = $1")
            .bind(now.as_millisecond())
            .execute(self.db.pool())
            .await?;
        self.announce();
        Ok(())
    }

    /// Puts an order that was set aside back on the list, by a person's word.
    /// False if there is no such order.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn put_in_again(
        &self,
        destination: &Destination,
        recording: RecordingId,
        now: Timestamp,
    ) -> Result<bool, DeliveryError> {
        let changed = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', record_faults = 0, next_attempt_at = $1 \
             WHERE tenant = $2 AND destination = $3 AND recording = $4 AND state = 'set_aside'",
        )
        .bind(now.as_millisecond())
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .bind(recording.to_string())
        .execute(self.db.pool())
        .await?;
        self.announce();
        Ok(changed.rows_affected() > 0)
    }

    /// Everything on the list that is not done, by destination and state.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT tenant, destination, state, count(*) AS orders, MIN(enqueued_at) AS oldest FROM delivery_orders \
             WHERE state <> 'done' GROUP BY tenant, destination, state ORDER BY tenant, destination, state",
        )
        .fetch_all(self.db.pool())
        .await?;
        rows.iter()
            .map(|row| {
                let word: String = row.try_get("state")?;
                Ok(Backlog {
                    destination: destination_of(row)?,
                    state: State::parse(&word).ok_or(DeliveryError::Unreadable(word))?,
                    orders: row.try_get::<i64, _>("orders")?.unsigned_abs(),
                    oldest: at(row.try_get("oldest")?),
                })
            })
            .collect()
    }

    /// Forgets orders that were done longer than `age` ago. Until then they keep a message that is
    /// delivered again from being carried out again.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget_done(&self, age: Duration, now: Timestamp) -> Result<u64, DeliveryError> {
        let before = now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let forgotten = sqlx::query("DELETE FROM delivery_orders WHERE state = 'done' AND done_at < $1")
            .bind(before)
            .execute(self.db.pool())
            .await?;
        Ok(forgotten.rows_affected())
    }
}
