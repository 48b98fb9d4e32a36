//! Recordings that wait for their signature.

use std::time::Duration;

use domain::{Lane, RecordingId};
use prost::Message;
use sqlx::Row;
use wire::recording_v1::RecordingSealed;

use super::{Held, State, StateError, rows::placeholders, signed};

/// The exact bytes of everything that gets signed, as they were fixed before signing.
#[derive(Clone, PartialEq, Message)]
pub struct Prepared {
    /// Position in the lane's chain.
    #[prost(uint64, tag = "1")]
    pub position: u64,
    /// The recording before it; empty: none.
    #[prost(string, tag = "2")]
    pub previous_recording: String,
    /// `_info.txt`.
    #[prost(bytes = "vec", tag = "3")]
    pub info: Vec<u8>,
    /// `_journal.json`.
    #[prost(bytes = "vec", tag = "4")]
    pub journal: Vec<u8>,
    /// `_hash.txt`: what is signed. While the signature before is not known, over texts that hold the
    /// placeholder.
    #[prost(bytes = "vec", tag = "5")]
    pub hash_list: Vec<u8>,
    /// `_hash.SHA256withRSA.sig`; empty until signed.
    #[prost(bytes = "vec", tag = "6")]
    pub signature_file: Vec<u8>,
    /// What will be announced.
    #[prost(message, optional, tag = "7")]
    pub sealed: Option<RecordingSealed>,
    /// Key that these bytes name; another key needs other bytes.
    #[prost(string, tag = "8")]
    pub key_id: String,
    /// Info and journal text hold a placeholder where the signature of the recording before belongs:
    /// that one was fixed in the same moment and not signed yet.
    #[prost(bool, tag = "9")]
    pub awaits_previous: bool,
}

/// A recording in the queue.
pub struct Waiting {
    /// Which one.
    pub recording: RecordingId,
    /// What was fixed by an earlier attempt.
    pub prepared: Option<Prepared>,
    /// Since when it waits. Unix time, milliseconds, by the database's clock.
    pub queued_ms: i64,
    /// Its place in the queue.
    pub ordinal: i64,
}

impl State {
    /// Lanes in which recordings are due, the one that has waited longest first.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn waiting_lanes(&self) -> Result<Vec<Lane>, StateError> {
        let due = format!(
            "SELECT lane FROM seal_queue WHERE not_before_ms <= {} GROUP BY lane ORDER BY MIN(ordinal)",
            self.now()
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(due)).fetch_all(self.db.pool()).await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get("lane")?;
                let parts = name.split_once('/');
                parts
                    .and_then(|(tenant, class)| {
                        Some(Lane { tenant: tenant.parse().ok()?, class: class.parse().ok()? })
                    })
                    .ok_or_else(|| StateError::Damaged("the name of a lane in the seal queue".to_owned()))
            })
            .collect()
    }

    /// Those of a lane that are due and stand behind place `after` of the queue (0: all): prepared ones
    /// first, by their place in the chain, then in order of completion.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn waiting(&self, lane: &Lane, after: i64, limit: u32) -> Result<Vec<Waiting>, StateError> {
        let due = format!(
            "SELECT ordinal, recording, prepared, queued_ms FROM seal_queue \
             WHERE lane = $1 AND ordinal > $2 AND not_before_ms <= {} \
             ORDER BY CASE WHEN prepared IS NULL THEN 1 ELSE 0 END, ordinal LIMIT {limit}",
            self.now()
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(due))
            .bind(lane.to_string())
            .bind(after)
            .fetch_all(self.db.pool())
            .await?;
        let waiting = rows.iter().map(|row| {
            let id: String = row.try_get("recording")?;
            let damaged = || StateError::Damaged(format!("seal queue, recording {id}"));
            let prepared: Option<Vec<u8>> = row.try_get("prepared")?;
            Ok(Waiting {
                recording: id.parse().map_err(|_| damaged())?,
                prepared: prepared
                    .map(|bytes| Prepared::decode(bytes.as_slice()))
                    .transpose()
                    .map_err(|_| damaged())?,
                queued_ms: row.try_get("queued_ms")?,
                ordinal: row.try_get("ordinal")?,
            })
        });
        let mut waiting: Vec<Waiting> = waiting.collect::<Result<_, StateError>>()?;
        // Stable: those without a place stay in order of completion.
        waiting.sort_by_key(|one| one.prepared.as_ref().map_or(u64::MAX, |prepared| prepared.position));
        Ok(waiting)
    }

    /// How many wait, due or not.
    ///
    /// # Errors
    /// The database refused.
    pub async fn waiting_count(&self) -> Result<i64, StateError> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM seal_queue").fetch_one(self.db.pool()).await?;
        Ok(row.try_get("n")?)
    }

    /// Fixes the exact bytes of these recordings before they are signed, all in one transaction.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn commit_prepared(
        &self,
        lease: &Held,
        batch: &[(RecordingId, &Prepared)],
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        if !batch.is_empty() {
            // The columns of VALUES have these names on either database.
            let fix = format!(
                "UPDATE seal_queue SET prepared = fixed.column2 FROM (VALUES {}) AS fixed \
                 WHERE seal_queue.recording = fixed.column1",
                placeholders(1, batch.len(), 2)
            );
            let mut fix = sqlx::query(sqlx::AssertSqlSafe(fix));
            for (recording, prepared) in batch {
                fix = fix.bind(recording.to_string()).bind(prepared.encode_to_vec());
            }
            fix.execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Lets a recording wait that cannot be sealed now (a file of it cannot be read), so that the
    /// others of its lane go on.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn postpone(
        &self,
        lease: &Held,
        recording: &RecordingId,
        wait: Duration,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let postpone =
            format!("UPDATE seal_queue SET not_before_ms = {} + $1 WHERE recording = $2", self.now());
        sqlx::query(sqlx::AssertSqlSafe(postpone))
            .bind(signed(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
            .bind(recording.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
