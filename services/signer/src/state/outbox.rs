//! Sealed recordings that are still to be announced.

use domain::RecordingId;
use prost::Message;
use sqlx::Row;
use wire::recording_v1::RecordingSealed;

use super::{
    Held, State, StateError,
    rows::{list, placeholders},
    seal_queue::Prepared,
};

/// How far the announcement is. Kept so that a repeat after a crash never puts files back that the
/// shipper has already taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The signature is committed; not all files lie in staging yet.
    Committed = 0,
    /// All files lie in staging.
    FilesPut = 1,
}

/// A row that is not done.
pub struct Unsent {
    /// Which recording.
    pub recording: RecordingId,
    /// How far it is.
    pub stage: Stage,
    /// What is to be announced.
    pub message: RecordingSealed,
    /// The files' exact bytes; without the announcement.
    pub prepared: Prepared,
}

impl State {
    /// Rows that are not announced yet and that a signed checkpoint of their tenant's log covers (or
    /// that no log knows: they were sealed before there was one), oldest first.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn unsent(&self, limit: u32) -> Result<Vec<Unsent>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT o.recording, o.stage, o.message, o.prepared FROM outbox o \
             LEFT JOIN log_entry e ON e.source = 'sealed:' || o.recording \
             WHERE o.stage < 2 AND (o.stage = 1 OR e.number IS NULL OR e.number < \
               (SELECT COALESCE(MAX(c.size), 0) FROM log_checkpoint c WHERE c.tenant = e.tenant)) \
             ORDER BY o.stage DESC, o.ordinal LIMIT {limit}"
        )))
        .fetch_all(self.db.pool())
        .await?;
        rows.iter()
            .map(|row| {
                let id: String = row.try_get("recording")?;
                let damaged = || StateError::Damaged(format!("outbox, recording {id}"));
                let prepared: Vec<u8> = row.try_get::<Option<Vec<u8>>, _>("prepared")?.unwrap_or_default();
                Ok(Unsent {
                    recording: id.parse().map_err(|_| damaged())?,
                    stage: if row.try_get::<i64, _>("stage")? == 0 {
                        Stage::Committed
                    } else {
                        Stage::FilesPut
                    },
                    message: RecordingSealed::decode(row.try_get::<Vec<u8>, _>("message")?.as_slice())
                        .map_err(|_| damaged())?,
                    prepared: Prepared::decode(prepared.as_slice()).map_err(|_| damaged())?,
                })
            })
            .collect()
    }

    /// How many sealed recordings no signed checkpoint covers yet: they are not announced.
    ///
    /// # Errors
    /// The database refused.
    pub async fn uncovered_count(&self) -> Result<i64, StateError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM outbox o JOIN log_entry e ON e.source = 'sealed:' || o.recording \
             WHERE o.stage = 0 AND e.number >= \
               (SELECT COALESCE(MAX(c.size), 0) FROM log_checkpoint c WHERE c.tenant = e.tenant)",
        )
        .fetch_one(self.db.pool())
        .await?;
        Ok(row.try_get("n")?)
    }

    /// All files of these rows lie in staging; the announcement names those that came last.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn commit_files_put(&self, lease: &Held, rows: &[Unsent]) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        if !rows.is_empty() {
            let put = format!(
                "UPDATE outbox SET stage = $1, message = put.column2 FROM (VALUES {}) AS put \
                 WHERE outbox.recording = put.column1",
                placeholders(2, rows.len(), 2)
            );
            let mut put = sqlx::query(sqlx::AssertSqlSafe(put)).bind(Stage::FilesPut as i64);
            for row in rows {
                put = put.bind(row.recording.to_string()).bind(row.message.encode_to_vec());
            }
            put.execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// These are announced: their rows and those of their segments go. That none is sealed or announced
    /// twice, the chain sees to, which has a row for each recording for ever.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn commit_announced(&self, lease: &Held, recordings: &[RecordingId]) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let tables: &[&str] = if recordings.is_empty() { &[] } else { &["outbox", "segment"] };
        for table in tables {
            let delete = format!("DELETE FROM {table} WHERE recording IN {}", list(1, recordings.len()));
            let delete = sqlx::query(sqlx::AssertSqlSafe(delete));
            let ids = recordings.iter().map(ToString::to_string);
            ids.fold(delete, |delete, id| delete.bind(id)).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}
