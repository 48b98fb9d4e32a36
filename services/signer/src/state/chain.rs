//! The chains: one row a sealed recording, positions from 1 without a hole.

use domain::{Lane, RecordingId};
use evidence::log::Entry;
use prost::Message;
use sqlx::Row;

use super::{
    Held, Phase, State, StateError, log,
    rows::{list, placeholders},
    seal_queue::Prepared,
    signed, signing_key, unsigned,
};
use sql::Transaction;
use wire::recording_v1::RecordingSealed;

/// A recording that was signed, to be committed.
pub struct SealedRow {
    /// Which one.
    pub recording: RecordingId,
    /// Its exact bytes, signature included; without the announcement.
    pub prepared: Prepared,
    /// What will be announced.
    pub message: RecordingSealed,
    /// The signature, base64 in one line.
    pub signature: String,
    /// Its entry in the tenant's log.
    pub entry: Entry,
}

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

    /// The sealing itself, of a batch in the order of the chain: signatures, links of the chain, entries
    /// of the tenant's log, rows of the outbox and states of the recordings in one transaction. The head
    /// is compared: the chain must still end where the first of them goes on. So is the key: what was
    /// signed by one that is not in force any more must be prepared anew.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now, [`StateError::HeadMoved`] if the chain
    /// has another head, [`StateError::KeyChanged`] if another key signs now; nothing is stored then.
    pub async fn commit_sealed(
        &self,
        lease: &Held,
        lane: &Lane,
        batch: &[SealedRow],
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let in_force = signing_key::in_force(&mut tx, lane.tenant.as_str()).await?;
        let lane_name = lane.to_string();
        let head = sqlx::query("SELECT recording FROM chain WHERE lane = $1 ORDER BY position DESC LIMIT 1")
            .bind(&lane_name)
            .fetch_optional(&mut *tx)
            .await?;
        let mut head = head.map_or(Ok(String::new()), |row| row.try_get::<String, _>("recording"))?;
        for row in batch {
            if head != row.prepared.previous_recording {
                return Err(StateError::HeadMoved(lane_name));
            }
            if in_force.as_ref().is_some_and(|key| key.key_id != row.prepared.key_id) {
                return Err(StateError::KeyChanged(lane_name));
            }
            head = row.recording.to_string();
        }
        commit_rows(&mut tx, &lane_name, batch).await?;
        let entries: Vec<_> =
            batch.iter().map(|row| (row.entry.clone(), log::source::sealed(&row.recording))).collect();
        log::append_all(&mut tx, &lane.tenant, &entries).await?;
        Ok(tx.commit().await?)
    }
}

/// A statement for each table, whatever the size of the batch: what a statement costs is the way to the
/// database and back.
async fn commit_rows(tx: &mut Transaction, lane: &str, batch: &[SealedRow]) -> Result<(), StateError> {
    if batch.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = batch.iter().map(|row| row.recording.to_string()).collect();
    let links = format!(
        "INSERT INTO chain (lane, position, recording, signature, previous, sealed_ms) VALUES {}",
        placeholders(1, batch.len(), 6)
    );
    let mut insert = sqlx::query(sqlx::AssertSqlSafe(links));
    for (row, id) in batch.iter().zip(&ids) {
        let prepared = &row.prepared;
        insert = insert
            .bind(lane)
            .bind(signed(prepared.position))
            .bind(id)
            .bind(&row.signature)
            .bind(&prepared.previous_recording)
            .bind(row.message.sealed_unix_ms);
    }
    insert.execute(&mut **tx).await?;
    let outbox = format!(
        "INSERT INTO outbox (recording, stage, message, prepared) VALUES {}",
        placeholders(1, batch.len(), 4)
    );
    let mut insert = sqlx::query(sqlx::AssertSqlSafe(outbox));
    for (row, id) in batch.iter().zip(&ids) {
        let (message, prepared) = (row.message.encode_to_vec(), row.prepared.encode_to_vec());
        insert = insert.bind(id).bind(0_i64).bind(message).bind(prepared);
    }
    insert.execute(&mut **tx).await?;
    let states =
        format!("UPDATE recording SET state = $1, timeline = NULL WHERE id IN {}", list(2, batch.len()));
    let update = sqlx::query(sqlx::AssertSqlSafe(states)).bind(Phase::Sealed.as_str());
    ids.iter().fold(update, |update, id| update.bind(id)).execute(&mut **tx).await?;
    let queue = format!("DELETE FROM seal_queue WHERE recording IN {}", list(1, batch.len()));
    let delete = sqlx::query(sqlx::AssertSqlSafe(queue));
    ids.iter().fold(delete, |delete, id| delete.bind(id)).execute(&mut **tx).await?;
    Ok(())
}
