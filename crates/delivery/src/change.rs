//! Orders that change their state by something else than work: the configuration, a person, age.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use crate::{DeliveryError, Destination, WorkList};

impl WorkList {
    /// Orphans the waiting orders of destinations that are not in the configuration any more.
    /// Running ones are left to their workers, and taken the next time. Returns those destinations
    /// that had any.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn orphan(&self, gone: &BTreeSet<Destination>) -> Result<Vec<Destination>, DeliveryError> {
        let mut orphaned = Vec::new();
        for destination in gone {
            let changed = sqlx::query(
                "UPDATE delivery_orders SET state = 'orphaned' \
                 WHERE tenant = $1 AND destination = $2 AND state = 'queued'",
            )
            .bind(destination.tenant.as_str())
            .bind(destination.name.as_str())
            .execute(self.db.pool())
            .await?;
            if changed.rows_affected() > 0 {
                orphaned.push(destination.clone());
            }
        }
        Ok(orphaned)
    }

    /// Lets a destination's orphaned orders go on, by a person's word: whoever has put a destination
    /// of this name into the configuration may have meant another place. Returns how many.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn release(&self, destination: &Destination, now: Timestamp) -> Result<u64, DeliveryError> {
        let released = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', next_attempt_at = $1 \
             WHERE tenant = $2 AND destination = $3 AND state = 'orphaned'",
        )
        .bind(now.as_millisecond())
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .execute(self.db.pool())
        .await?;
        self.announce();
        Ok(released.rows_affected())
    }

    /// Makes everything of a destination due now, also what was set aside, by a person's word.
    /// Returns how many orders that are.
    ///
    /// # Errors
    /// The database cannot be used; nothing was changed.
    pub async fn retry(&self, destination: &Destination, now: Timestamp) -> Result<u64, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        sqlx::query(
            "UPDATE delivery_destinations SET next_attempt_at = $1 WHERE tenant = $2 AND destination = $3",
        )
        .bind(now.as_millisecond())
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .execute(&mut *tx)
        .await?;
        let due = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', record_faults = 0, next_attempt_at = $1 \
             WHERE tenant = $2 AND destination = $3 AND state IN ('queued', 'set_aside')",
        )
        .bind(now.as_millisecond())
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.announce();
        Ok(due.rows_affected())
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

    /// Forgets orders that were done longer than `age` ago, of recordings that have no open order.
    /// Until then they keep a message that is delivered again from being carried out again.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget_done(&self, age: Duration, now: Timestamp) -> Result<u64, DeliveryError> {
        let before = now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let forgotten = sqlx::query(
            "DELETE FROM delivery_orders WHERE state = 'done' AND done_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM delivery_orders o WHERE o.tenant = delivery_orders.tenant \
              AND o.recording = delivery_orders.recording AND o.state <> 'done')",
        )
        .bind(before)
        .execute(self.db.pool())
        .await?;
        Ok(forgotten.rows_affected())
    }
}
