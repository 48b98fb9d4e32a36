//! What orders left behind that were given up: files that were verified where the others never came.

use domain::{RecordingId, TenantId};
use sql::Transaction;

use crate::{DeliveryError, WorkList};

impl WorkList {
    /// The destinations that have files of a recording though its order there was given up, as the caller's
    /// transaction sees it; in alphabetical order.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn left_behind_in(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<Vec<String>, DeliveryError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT destination FROM delivery_orders o WHERE tenant = $1 AND recording = $2 AND state = 'abandoned' \
             AND EXISTS (SELECT 1 FROM delivery_files f WHERE f.position = o.position AND f.verified_by IS NOT NULL) \
             ORDER BY destination",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .fetch_all(&mut **tx)
        .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }
}
