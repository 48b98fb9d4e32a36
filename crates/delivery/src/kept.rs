//! What was handed over and not kept: an order is done, and nobody has the recording for it.

use domain::TenantId;
use sqlx::Row as _;

use crate::{DeliveryError, Order, WorkList};

/// How a file is noted as verified that went to a place which keeps nothing (F-85).
pub const HANDED_OVER: &str = "handed over";

impl WorkList {
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
