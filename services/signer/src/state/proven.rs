//! Entries of sealed recordings, to be proven.

use std::collections::HashMap;

use domain::{RecordingId, TenantId};
use sqlx::Row;

use super::{State, StateError, log::source, rows::list, unsigned};

impl State {
    /// Those of these recordings whose sealing the tenant's log tells: which one, number and bytes of the
    /// entry.
    ///
    /// # Errors
    /// The database refused.
    pub async fn entries_of_sealed(
        &self,
        tenant: &TenantId,
        recordings: &[RecordingId],
    ) -> Result<Vec<(RecordingId, u64, Vec<u8>)>, StateError> {
        if recordings.is_empty() {
            return Ok(Vec::new());
        }
        let entries = format!(
            "SELECT source, number, entry FROM log_entry WHERE tenant = $1 AND source IN {}",
            list(2, recordings.len())
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(entries)).bind(tenant.as_str());
        let by_source: HashMap<String, RecordingId> =
            recordings.iter().map(|recording| (source::sealed(recording), *recording)).collect();
        let rows = by_source.keys().fold(query, |query, source| query.bind(source));
        let mut entries = Vec::with_capacity(recordings.len());
        for row in rows.fetch_all(self.db.pool()).await? {
            if let Some(recording) = by_source.get(&row.try_get::<String, _>("source")?) {
                entries.push((*recording, unsigned(row.try_get("number")?), row.try_get("entry")?));
            }
        }
        Ok(entries)
    }
}
