//! Whether anything of a recording is still to be done, for who decides about it in the same transaction.

use domain::{RecordingId, TenantId};
use sql::Transaction;

use crate::{DeliveryError, WorkList, list::OPEN};

impl WorkList {
    /// Whether an order of the recording is open, as the caller's transaction sees it.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn is_open_in(
        &self,
        tx: &mut Transaction,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<bool, DeliveryError> {
        let count =
            format!("SELECT count(*) FROM delivery_orders WHERE tenant = $1 AND recording = $2 AND {OPEN}");
        let (open,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(count))
            .bind(tenant.as_str())
            .bind(recording.to_string())
            .fetch_one(&mut **tx)
            .await?;
        Ok(open > 0)
    }
}
