//! What was handed over and not kept: an order is done, and nobody has the recording for it.

use domain::{RecordingId, TenantId};
use sql::Transaction;
use sqlx::Row as _;

use crate::{DeliveryError, Order, WorkList};

/// How a file is noted as verified that went to a place which keeps nothing (F-85).
pub const HANDED_OVER: &str = "handed over";

impl WorkList {
    /// Forgets what there was to say about the orders of a recording that is deleted, inside the caller's
    /// transaction.
    ///
    /// # Errors
    /// The statement failed; the transaction is to be dropped.
    pub async fn forget_notes_in(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<(), DeliveryError> {
        sqlx::query(
            "UPDATE delivery_orders SET note = NULL, last_error = NULL WHERE tenant = $1 AND recording = $2 \
             AND state = 'done'",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Whether a destination keeps the recording: one of its orders is done, and not by handing it to a
    /// place that keeps nothing. That was noted when it was done: the configuration may have changed since.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn is_kept(&self, tenant: &TenantId, recording: &str) -> Result<bool, DeliveryError> {
        let row = sqlx::query(
            "SELECT count(*) AS kept FROM delivery_orders o WHERE o.tenant = $1 AND o.recording = $2 \
             AND o.state = 'done' AND NOT EXISTS \
             (SELECT 1 FROM delivery_files f WHERE f.position = o.position AND f.verified_by = $3)",
        )
        .bind(tenant.as_str())
        .bind(recording)
        .bind(HANDED_OVER)
        .fetch_one(self.db.pool())
        .await?;
        Ok(row.try_get::<i64, _>("kept")? > 0)
    }

    /// Keeps with an order what there is to say about it: the end of what a script wrote. It takes the
    /// place of what was kept before, and is forgotten with the order.
    ///
    /// # Errors
    /// The database cannot be used; what was kept before stays.
    pub async fn keep_note(&self, order: &Order, text: &str) -> Result<(), DeliveryError> {
        sqlx::query("UPDATE delivery_orders SET note = $1 WHERE position = $2 AND claim = $3")
            .bind(text)
            .bind(order.position)
            .bind(order.claim)
            .execute(self.db.pool())
            .await?;
        Ok(())
    }
}
