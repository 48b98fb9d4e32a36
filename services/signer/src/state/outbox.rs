//! Sealed recordings that are still to be announced.

use domain::RecordingId;
use prost::Message;
use sqlx::Row;
use wire::recording_v1::RecordingSealed;

use super::{Held, State, StateError, seal_queue::Prepared};

/// How far the announcement is. Kept so that a repeat after a crash never puts files back that the
/// shipper has already taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The signature is committed; not all files lie in staging yet.
    Committed = 0,
    /// All files lie in staging.
    FilesPut = 1,
    /// Announced; segments are deleted.
    Announced = 2,
}

/// A row that is not done.
pub struct Unsent {
    /// Which recording.
    pub recording: RecordingId,
    /// How far it is.
    pub stage: Stage,
    /// What is to be announced.
    pub message: RecordingSealed,
    /// The files' exact bytes.
    pub prepared: Prepared,
}

impl State {
    /// Rows that are not announced yet, oldest first.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn unsent(&self, limit: u32) -> Result<Vec<Unsent>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT recording, stage, message, prepared FROM outbox WHERE stage < 2 ORDER BY stage DESC, ordinal \
             LIMIT {limit}"
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

    /// Moves rows on to `stage` in one transaction. With [`Stage::Announced`] the rows of their
    /// segments and the stored bytes go.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn commit_stage(
        &self,
        lease: &Held,
        recordings: &[RecordingId],
        stage: Stage,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        for id in recordings {
            let id = id.to_string();
            sqlx::query("UPDATE outbox SET stage = $1 WHERE recording = $2")
                .bind(stage as i64)
                .bind(&id)
                .execute(&mut *tx)
                .await?;
            if stage == Stage::Announced {
                sqlx::query("UPDATE outbox SET prepared = NULL WHERE recording = $1")
                    .bind(&id)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("DELETE FROM segment WHERE recording = $1").bind(&id).execute(&mut *tx).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}
