//! Orders that change their state by something else than work: the configuration, a person, age.

use std::{collections::BTreeSet, time::Duration};

use domain::RecordingId;
use jiff::Timestamp;

use crate::{DeliveryError, Destination, HANDED_OVER, WorkList};

impl WorkList {
    /// Orphans the waiting orders of destinations that were not in the configuration any more at `seen`: those
    /// that came before it. What came since may be of a destination that is back. Running ones are left to their
    /// workers, and taken the next time. Returns those destinations that had any.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn orphan(
        &self,
        gone: &BTreeSet<Destination>,
        seen: Timestamp,
    ) -> Result<Vec<Destination>, DeliveryError> {
        let mut orphaned = Vec::new();
        for destination in gone {
            let changed = sqlx::query(
                "UPDATE delivery_orders SET state = 'orphaned' \
                 WHERE tenant = $1 AND destination = $2 AND state = 'queued' AND enqueued_at < $3",
            )
            .bind(destination.tenant.as_str())
            .bind(destination.name.as_str())
            .bind(seen.as_millisecond())
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

    /// Gives up a destination's orphaned orders for good, by a person's word; `note` says whose and why.
    /// Returns the recordings.
    ///
    /// # Errors
    /// The database cannot be used; nothing was changed.
    pub async fn abandon(
        &self,
        destination: &Destination,
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<RecordingId>, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        // As when an order is done: names hold numbers, and an upload's address is a credential.
        sqlx::query(
            "UPDATE delivery_files SET stored_name = NULL, bookmark = NULL WHERE position IN \
             (SELECT position FROM delivery_orders WHERE tenant = $1 AND destination = $2 AND state = 'orphaned')",
        )
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .execute(&mut *tx)
        .await?;
        let rows: Vec<(String,)> = sqlx::query_as(
            "UPDATE delivery_orders SET state = 'abandoned', done_at = $1, payload = $2, note = $3 \
             WHERE tenant = $4 AND destination = $5 AND state = 'orphaned' RETURNING recording",
        )
        .bind(now.as_millisecond())
        .bind(Vec::new())
        .bind(note)
        .bind(destination.tenant.as_str())
        .bind(destination.name.as_str())
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows.iter().filter_map(|(recording,)| recording.parse().ok()).collect())
    }

    /// Makes a recording's waiting orders due now, also those that were set aside, and their
    /// destinations with them, by a person's word. Returns how many orders that are.
    ///
    /// # Errors
    /// The database cannot be used; nothing was changed.
    pub async fn retry_recording(
        &self,
        recording: RecordingId,
        now: Timestamp,
    ) -> Result<u64, DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        sqlx::query(
            "UPDATE delivery_destinations SET next_attempt_at = $1 WHERE EXISTS \
             (SELECT 1 FROM delivery_orders o WHERE o.tenant = delivery_destinations.tenant \
              AND o.destination = delivery_destinations.destination AND o.recording = $2 \
              AND o.state IN ('queued', 'set_aside'))",
        )
        .bind(now.as_millisecond())
        .bind(recording.to_string())
        .execute(&mut *tx)
        .await?;
        // Never tried counts as least tried: a failing destination is probed with it.
        let due = sqlx::query(
            "UPDATE delivery_orders SET state = 'queued', record_faults = 0, accused = 0, attempts = 0, \
             next_attempt_at = $1 WHERE recording = $2 AND state IN ('queued', 'set_aside')",
        )
        .bind(now.as_millisecond())
        .bind(recording.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.announce();
        Ok(due.rows_affected())
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
            "UPDATE delivery_orders SET state = 'queued', record_faults = 0, accused = 0, next_attempt_at = $1 \
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

    /// Forgets orders that were done longer than `age` ago, of recordings that have no open order, and
    /// with them those that were abandoned. Until then they keep a message that is delivered again from
    /// being carried out again. A recording whose orders were all abandoned, or whose destinations
    /// keep nothing, is not forgotten: its files still wait for one that does. Nor is an order that was
    /// abandoned when files of it were there already: somebody may have to know where.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget_done(&self, age: Duration, now: Timestamp) -> Result<u64, DeliveryError> {
        let before = now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let forgotten = sqlx::query(
            "DELETE FROM delivery_orders WHERE state IN ('done', 'abandoned') AND done_at < $1 AND NOT EXISTS \
             (SELECT 1 FROM delivery_orders o WHERE o.tenant = delivery_orders.tenant \
              AND o.recording = delivery_orders.recording AND o.state NOT IN ('done', 'abandoned')) AND EXISTS \
             (SELECT 1 FROM delivery_orders o WHERE o.tenant = delivery_orders.tenant \
              AND o.recording = delivery_orders.recording AND o.state = 'done' AND NOT EXISTS \
              (SELECT 1 FROM delivery_files f WHERE f.position = o.position AND f.verified_by = $2)) \
             AND NOT (state = 'abandoned' AND EXISTS \
             (SELECT 1 FROM delivery_files f WHERE f.position = delivery_orders.position AND f.verified_by IS NOT NULL))",
        )
        .bind(before)
        .bind(HANDED_OVER)
        .execute(self.db.pool())
        .await?;
        Ok(forgotten.rows_affected())
    }
}
