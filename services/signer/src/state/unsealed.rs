//! What a recording is sealed from, for many recordings at once.

use std::collections::HashMap;

use domain::RecordingId;
use prost::Message;
use sqlx::Row;

use super::{
    State, StateError,
    call_record::CallRecord,
    recording::{Segment, segment},
    rows::list,
};

/// A complete recording.
pub struct Unsealed {
    /// What is known of the call.
    pub call: CallRecord,
    /// Its audio, by track and start.
    pub segments: Vec<Segment>,
}

impl State {
    /// The records and segments of these recordings, in their order; `Ok(None)`: there is no such
    /// recording. A row that cannot be read concerns its recording only.
    ///
    /// # Errors
    /// The database refused.
    pub async fn unsealed(
        &self,
        ids: &[RecordingId],
    ) -> Result<Vec<Result<Option<Unsealed>, StateError>>, StateError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let list = list(1, names.len());
        let calls = format!("SELECT id, call_record FROM recording WHERE id IN {list}");
        let calls = names.iter().fold(sqlx::query(sqlx::AssertSqlSafe(calls)), |query, id| query.bind(id));
        let mut found: HashMap<String, Result<Unsealed, StateError>> = HashMap::new();
        for row in calls.fetch_all(self.db.pool()).await? {
            let (id, call): (String, Vec<u8>) = (row.try_get("id")?, row.try_get("call_record")?);
            let call = CallRecord::decode(call.as_slice());
            let unsealed = call
                .map(|call| Unsealed { call, segments: Vec::new() })
                .map_err(|_| StateError::Damaged(format!("recording {id}: its call record cannot be read")));
            found.insert(id, unsealed);
        }
        let segments = format!(
            "SELECT recording, track, start_sample, length, object, sha256 FROM segment \
             WHERE recording IN {list} ORDER BY recording, track, start_sample"
        );
        let segments =
            names.iter().fold(sqlx::query(sqlx::AssertSqlSafe(segments)), |query, id| query.bind(id));
        for row in segments.fetch_all(self.db.pool()).await? {
            if let Some(Ok(unsealed)) = found.get_mut(&row.try_get::<String, _>("recording")?) {
                unsealed.segments.push(segment(&row)?);
            }
        }
        Ok(names.iter().map(|id| found.remove(id).transpose()).collect())
    }
}
