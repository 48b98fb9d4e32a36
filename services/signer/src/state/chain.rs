//! The chains: one row a sealed recording, positions from 1 without a hole.

use domain::{Lane, RecordingId};
use prost::Message;
use sqlx::Row;

use super::{Held, Phase, State, StateError, seal_queue::Prepared, signed, unsigned};

/// The last recording of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its position.
    pub position: u64,
    /// Its id.
    pub recording: String,
    /// Its signature, base64 in one line.
    pub signature: String,
}

impl State {
    /// The head of a lane's chain; `None`: nothing was sealed in it yet.
    ///
    /// # Errors
    /// The database refused.
    pub async fn chain_head(&self, lane: &Lane) -> Result<Option<Head>, StateError> {
        let row = sqlx::query(
            "SELECT position, recording, signature FROM chain WHERE lane = $1 ORDER BY position DESC LIMIT 1",
        )
        .bind(lane.to_string())
        .fetch_optional(self.db.pool())
        .await?;
        row.map(|row| {
            Ok(Head {
                position: unsigned(row.try_get("position")?),
                recording: row.try_get("recording")?,
                signature: row.try_get("signature")?,
            })
        })
        .transpose()
    }

    /// Every link of a lane's chain in order: position, recording, previous recording (`none`).
    ///
    /// # Errors
    /// The database refused.
    pub async fn chain(&self, lane: &Lane) -> Result<Vec<(u64, String, String)>, StateError> {
        let rows =
            sqlx::query("SELECT position, recording, previous FROM chain WHERE lane = $1 ORDER BY position")
                .bind(lane.to_string())
                .fetch_all(self.db.pool())
                .await?;
        rows.iter()
            .map(|row| {
                Ok((unsigned(row.try_get("position")?), row.try_get("recording")?, row.try_get("previous")?))
            })
            .collect()
    }

    /// The sealing itself: signature, chain, outbox and state of the recording in one transaction.
    /// The head is compared: the chain must still end where `prepared` goes on.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now, [`StateError::HeadMoved`] if the chain
    /// has another head; nothing is stored then.
    pub async fn commit_sealed(
        &self,
        lease: &Held,
        lane: &Lane,
        recording: &RecordingId,
        prepared: &Prepared,
        signature: &str,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let head = sqlx::query("SELECT recording FROM chain WHERE lane = $1 ORDER BY position DESC LIMIT 1")
            .bind(lane.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let head = head.map_or(Ok(String::new()), |row| row.try_get::<String, _>("recording"))?;
        if head != prepared.previous_recording {
            return Err(StateError::HeadMoved(lane.to_string()));
        }
        sqlx::query(
            "INSERT INTO chain (lane, position, recording, signature, previous, sealed_ms) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(lane.to_string())
        .bind(signed(prepared.position))
        .bind(recording.to_string())
        .bind(signature)
        .bind(&prepared.previous_recording)
        .bind(prepared.sealed.as_ref().map_or(0, |sealed| sealed.sealed_unix_ms))
        .execute(&mut *tx)
        .await?;
        let message = prepared.sealed.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        sqlx::query("INSERT INTO outbox (recording, stage, message, prepared) VALUES ($1, 0, $2, $3)")
            .bind(recording.to_string())
            .bind(message)
            .bind(prepared.encode_to_vec())
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE recording SET state = $1, timeline = NULL WHERE id = $2")
            .bind(Phase::Sealed.as_str())
            .bind(recording.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM seal_queue WHERE recording = $1")
            .bind(recording.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
