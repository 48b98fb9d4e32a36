//! Rows of recordings and their segments, and the two transactions of the assemble stage.

use std::collections::BTreeMap;

use domain::{Lane, RecordingId, TenantId};
use evidence::log::Entry;
use prost::Message;
use sqlx::{Row, any::AnyRow};

use super::{
    Held, State, StateError,
    call_record::CallRecord,
    log::{self, LogHead},
    signed, unsigned,
};
use crate::log::intake;
use sql::Transaction;

/// A recording as it is stored.
#[derive(Clone)]
pub struct Stored {
    /// Its id.
    pub id: RecordingId,
    /// `<recording id>/<epoch>` as the messages name it.
    pub origin: String,
    /// What is known.
    pub call: CallRecord,
    /// How far it is.
    pub phase: Phase,
    /// The timeline's snapshot, while open.
    pub timeline: Option<Vec<u8>>,
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Messages are still awaited.
    Open,
    /// Assembled; waits to be sealed.
    Complete,
    /// Signed and in the chain.
    Sealed,
    /// A supplementary section that got no audio: nothing to seal.
    Empty,
    /// The first message never came; the others lie in the dead-letter stream.
    Headless,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Open, Self::Complete, Self::Sealed, Self::Empty, Self::Headless];

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Sealed => "sealed",
            Self::Empty => "empty",
            Self::Headless => "headless",
        }
    }
}

/// A stretch of finished audio in staging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Track it belongs to.
    pub track: u32,
    /// First sample on the recording's clock.
    pub start_sample: u64,
    /// Samples, one byte each.
    pub length: u64,
    /// Key in staging.
    pub object: String,
    /// SHA-256 of the content, hex.
    pub sha256: String,
}

/// What becomes of a finished recording.
pub enum Finished<'a> {
    /// It is sealed in this lane.
    ToSeal(&'a Lane),
    /// It left nothing to seal: what the log says of that. `None`: nobody knows whose call it was.
    Empty(Option<&'a Entry>),
}

/// One recording to be stored in a transaction.
pub struct Update {
    /// The recording.
    pub stored: Stored,
    /// Segments that were written since the last time.
    pub segments: Vec<Segment>,
}

impl State {
    /// The sequence up to which a partition is stored; 0: nothing is.
    ///
    /// # Errors
    /// The database refused.
    pub async fn mark(&self, part: u16) -> Result<u64, StateError> {
        let row = sqlx::query("SELECT sequence FROM mark WHERE part = $1")
            .bind(i64::from(part))
            .fetch_optional(self.db.pool())
            .await?;
        row.map_or(Ok(0), |row| Ok(unsigned(row.try_get("sequence")?)))
    }

    /// The open recordings of a partition.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn open_recordings(&self, part: u16) -> Result<Vec<Stored>, StateError> {
        let rows = sqlx::query("SELECT * FROM recording WHERE part = $1 AND state = 'open' ORDER BY id")
            .bind(i64::from(part))
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(read).collect()
    }

    /// The latest section of what messages call `origin`.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn latest_section(&self, origin: &str) -> Result<Option<Stored>, StateError> {
        let row = sqlx::query("SELECT * FROM recording WHERE origin = $1 ORDER BY section DESC LIMIT 1")
            .bind(origin)
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A recording by its own id.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn recording(&self, id: &RecordingId) -> Result<Option<Stored>, StateError> {
        let row = sqlx::query("SELECT * FROM recording WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Segments of a recording, by track and start.
    ///
    /// # Errors
    /// The database refused.
    pub async fn segments(&self, id: &RecordingId) -> Result<Vec<Segment>, StateError> {
        let rows = sqlx::query("SELECT * FROM segment WHERE recording = $1 ORDER BY track, start_sample")
            .bind(id.to_string())
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(segment).collect()
    }

    /// The flush: mark, states and segments of a partition in one transaction. Only when it has
    /// returned may the stream be purged up to `mark`.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if the partition was taken over; nothing is stored then.
    pub async fn commit_flush(
        &self,
        lease: &Held,
        part: u16,
        mark: u64,
        updates: &[Update],
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        for update in updates {
            store(&mut tx, part, update).await?;
        }
        log_started(&mut tx, updates).await?;
        sqlx::query(
            "INSERT INTO mark VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET sequence = excluded.sequence",
        )
        .bind(i64::from(part))
        .bind(signed(mark))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// A recording is finished: its row and last segments, and its place in the seal queue (or, when it
    /// left nothing to seal, the log's entry that says so), in one transaction. The mark stays: a replay finds the row and passes over the messages.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if the partition was taken over; nothing is stored then.
    pub async fn commit_finished(
        &self,
        lease: &Held,
        part: u16,
        update: &Update,
        then: Finished<'_>,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        store(&mut tx, part, update).await?;
        log_started(&mut tx, std::slice::from_ref(update)).await?;
        let lane = match then {
            Finished::ToSeal(lane) => lane.to_string(),
            Finished::Empty(Some(entry)) => {
                let source = log::source::empty(&update.stored.id);
                log::append(&mut tx, &entry.tenant, entry, &source).await?;
                String::new()
            }
            Finished::Empty(None) => String::new(),
        };
        if update.stored.phase == Phase::Complete {
            let queue = format!(
                "INSERT INTO seal_queue (recording, lane, queued_ms, not_before_ms) VALUES ($1, $2, {}, 0) \
                 ON CONFLICT (recording) DO NOTHING",
                self.now()
            );
            sqlx::query(sqlx::AssertSqlSafe(queue))
                .bind(update.stored.id.to_string())
                .bind(lane)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// How many recordings are open, over all partitions.
    ///
    /// # Errors
    /// The database refused.
    pub async fn count(&self, phase: Phase) -> Result<i64, StateError> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM recording WHERE state = $1")
            .bind(phase.as_str())
            .fetch_one(self.db.pool())
            .await?;
        Ok(row.try_get("n")?)
    }
}

/// That these calls started, in the logs of their tenants: the stream of calls is the second source of
/// it, should the event have been lost. A log that is halted, or not made yet, holds up no call: its
/// event waits.
async fn log_started(tx: &mut Transaction, updates: &[Update]) -> Result<(), StateError> {
    // In the order of tenants: whoever locks several logs does so in the same order.
    let mut by_tenant: BTreeMap<TenantId, Vec<RecordingId>> = BTreeMap::new();
    for Update { stored, .. } in updates {
        let is_call = stored.call.section == 0;
        // The log names calls by the id that events bear.
        let ids = (stored.call.tenant.parse(), stored.call.recording_id.parse());
        if let (true, (Ok(tenant), Ok(recording))) = (is_call, ids) {
            by_tenant.entry(tenant).or_default().push(recording);
        }
    }
    for (tenant, recordings) in by_tenant {
        let make = |log: &LogHead| recordings.iter().map(|id| intake::started(log, id)).collect();
        match log::append_with(tx, &tenant, make).await {
            Ok(_) | Err(StateError::NoLog(_) | StateError::LogHalted(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn store(tx: &mut Transaction, part: u16, update: &Update) -> Result<(), StateError> {
    let Update { stored, segments } = update;
    let id = stored.id.to_string();
    sqlx::query(
        "INSERT INTO recording (id, origin, section, part, state, call_record, timeline) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET \
         state = excluded.state, call_record = excluded.call_record, timeline = excluded.timeline",
    )
    .bind(&id)
    .bind(&stored.origin)
    .bind(i64::from(stored.call.section))
    .bind(i64::from(part))
    .bind(stored.phase.as_str())
    .bind(stored.call.encode_to_vec())
    .bind(stored.timeline.clone())
    .execute(&mut **tx)
    .await?;
    for segment in segments {
        sqlx::query(
            "INSERT INTO segment (recording, track, start_sample, length, object, sha256) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&id)
        .bind(i64::from(segment.track))
        .bind(signed(segment.start_sample))
        .bind(signed(segment.length))
        .bind(&segment.object)
        .bind(&segment.sha256)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(super) fn segment(row: &AnyRow) -> Result<Segment, StateError> {
    Ok(Segment {
        track: u32::try_from(row.try_get::<i64, _>("track")?).unwrap_or(0),
        start_sample: unsigned(row.try_get("start_sample")?),
        length: unsigned(row.try_get("length")?),
        object: row.try_get("object")?,
        sha256: row.try_get("sha256")?,
    })
}

fn read(row: &AnyRow) -> Result<Stored, StateError> {
    let id: String = row.try_get("id")?;
    let damaged = |what: &str| StateError::Damaged(format!("recording {id}: {what}"));
    let state: String = row.try_get("state")?;
    Ok(Stored {
        id: id.parse().map_err(|_| damaged("its id is no recording id"))?,
        origin: row.try_get("origin")?,
        call: CallRecord::decode(row.try_get::<Vec<u8>, _>("call_record")?.as_slice())
            .map_err(|_| damaged("its call record cannot be read"))?,
        phase: *Phase::ALL
            .iter()
            .find(|p| p.as_str() == state)
            .ok_or_else(|| damaged("its state is unknown"))?,
        timeline: row.try_get("timeline")?,
    })
}
