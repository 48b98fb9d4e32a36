//! Where each recording is: order by order, file by file.

use domain::RecordingId;
use jiff::Timestamp;
use sqlx::Row as _;

use crate::{
    DeliveryError, Destination, State, WorkList,
    claim::at,
    list::{OPEN, destination_of, readable},
};

/// Orders in one answer: with their files they fit a message of the bus.
const PAGE: i64 = 300;

/// Which orders are asked for. Each limits the list.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// For the destination of this name.
    pub name: Option<String>,
    /// Of this recording.
    pub recording: Option<RecordingId>,
    /// Those that failed at least once and are open.
    pub failed: bool,
    /// Those behind this position.
    pub after: i64,
}

/// One recording on its way to one destination.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// Which recording.
    pub recording: RecordingId,
    /// Where to.
    pub destination: Destination,
    /// How it stands.
    pub state: State,
    /// When it came.
    pub arrived: Timestamp,
    /// When it was done or abandoned.
    pub done: Option<Timestamp>,
    /// When it is due, if it waits.
    pub next_attempt: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What it last failed by.
    pub last_error: Option<String>,
    /// Who gave it up, and why; or the end of what a script said, which may hold numbers.
    pub note: Option<String>,
    /// Its files that were begun.
    pub files: Vec<ShipmentFile>,
}

/// A file of a shipment that was begun.
#[derive(Debug, Clone)]
pub struct ShipmentFile {
    /// What its name ends with.
    pub file: String,
    /// By which method it was verified; `None`: it is not yet.
    pub verified_by: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

/// Some of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// In the order of arrival.
    pub shipments: Vec<Shipment>,
    /// The position that the next page begins behind; `None`: this is the last.
    pub next: Option<i64>,
}

impl WorkList {
    /// The orders that are asked for, done ones included as long as they are remembered.
    ///
    /// # Errors
    /// The database cannot be used. A row that cannot be read is left out.
    pub async fn shipments(&self, asked: &Asked) -> Result<Page, DeliveryError> {
        let failed = if asked.failed {
            format!("AND {OPEN} AND (last_error IS NOT NULL OR state IN ('set_aside', 'orphaned'))")
        } else {
            String::new()
        };
        // An empty text stands for everything: no name is empty.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT position, tenant, destination, recording, state, enqueued_at, done_at, next_attempt_at, \
             attempts, last_error, note FROM delivery_orders \
             WHERE position > $1 AND ($2 = '' OR tenant = $3) AND ($4 = '' OR destination = $5) \
             AND ($6 = '' OR recording = $7) {failed} ORDER BY position LIMIT {PAGE}"
        )));
        let (tenant, name) =
            (asked.tenant.clone().unwrap_or_default(), asked.name.clone().unwrap_or_default());
        let recording = asked.recording.map(|id| id.to_string()).unwrap_or_default();
        let rows = rows
            .bind(asked.after)
            .bind(tenant.clone())
            .bind(tenant)
            .bind(name.clone())
            .bind(name)
            .bind(recording.clone())
            .bind(recording)
            .fetch_all(self.db.pool())
            .await?;
        let last = rows.last().map(|row| row.try_get("position")).transpose()?;
        let next = last.filter(|_| rows.len() as i64 == PAGE);
        let mut shipments = readable(rows.iter().map(shipment));
        for (position, shipment) in &mut shipments {
            shipment.files = self.files_begun(*position).await?;
        }
        Ok(Page { shipments: shipments.into_iter().map(|(_, shipment)| shipment).collect(), next })
    }

    async fn files_begun(&self, position: i64) -> Result<Vec<ShipmentFile>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT file, verified_by, at FROM delivery_files WHERE position = $1 ORDER BY at, file",
        )
        .bind(position)
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.iter().map(|row| {
            Ok(ShipmentFile {
                file: row.try_get("file")?,
                verified_by: row.try_get("verified_by")?,
                at: at(row.try_get("at")?),
            })
        });
        Ok(readable(read))
    }
}

fn shipment(row: &sqlx::any::AnyRow) -> Result<(i64, Shipment), DeliveryError> {
    let (recording, state): (String, String) = (row.try_get("recording")?, row.try_get("state")?);
    let unreadable = |error: domain::InvalidId| DeliveryError::Unreadable(error.to_string());
    let shipment = Shipment {
        recording: recording.parse().map_err(unreadable)?,
        destination: destination_of(row)?,
        state: State::parse(&state).ok_or(DeliveryError::Unreadable(state))?,
        arrived: at(row.try_get("enqueued_at")?),
        done: row.try_get::<Option<i64>, _>("done_at")?.map(at),
        next_attempt: at(row.try_get("next_attempt_at")?),
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        last_error: row.try_get("last_error")?,
        note: row.try_get("note")?,
        files: Vec::new(),
    };
    Ok((row.try_get("position")?, shipment))
}
