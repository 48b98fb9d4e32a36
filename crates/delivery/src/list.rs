//! The list in SQL.

use std::{collections::BTreeSet, sync::Arc};

use domain::RecordingId;
use jiff::Timestamp;
use sql::{Database, Kind, SqlError, Transaction};
use sqlx::Row as _;
use tokio::sync::watch;

use crate::{Backoff, Destination, NewOrder, State};

// The indexes of the due and of the open are small while most orders are done, and give the oldest due order without
// sorting a long backlog.
const STEPS: &[&str] = &["
CREATE TABLE delivery_orders (
    position {serial},
    tenant TEXT NOT NULL,
    destination TEXT NOT NULL,
    recording TEXT NOT NULL,
    payload {blob} NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    record_faults BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    done_at BIGINT,
    last_error TEXT,
    progress TEXT,
    UNIQUE (tenant, destination, recording)
);
CREATE INDEX delivery_orders_open ON delivery_orders (tenant, destination, state, position);
CREATE INDEX delivery_orders_recording ON delivery_orders (tenant, recording);
CREATE TABLE delivery_destinations (
    tenant TEXT NOT NULL,
    destination TEXT NOT NULL,
    faults BIGINT NOT NULL,
    paused BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    failing_since BIGINT NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (tenant, destination)
);
", "
DROP INDEX delivery_orders_open;
CREATE INDEX delivery_orders_due ON delivery_orders (tenant, destination, position) WHERE state IN ('queued', 'running');
CREATE INDEX delivery_orders_not_done ON delivery_orders (tenant, destination, state) WHERE state <> 'done';
", "
ALTER TABLE delivery_orders ADD COLUMN accused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE delivery_orders ADD COLUMN note TEXT;
DROP INDEX delivery_orders_not_done;
CREATE INDEX delivery_orders_still_open ON delivery_orders (tenant, destination, state) WHERE state NOT IN ('done', 'abandoned');
CREATE INDEX delivery_orders_accused ON delivery_orders (tenant, destination) WHERE accused > 0;
CREATE TABLE delivery_files (
    position BIGINT NOT NULL REFERENCES delivery_orders (position) ON DELETE CASCADE,
    file TEXT NOT NULL,
    bookmark {blob},
    stored_name TEXT,
    verified_by TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (position, file)
);
", "
ALTER TABLE delivery_files ADD COLUMN place TEXT NOT NULL DEFAULT '';
"];

/// An order that somebody or something still has to do with. Word for word that of an index.
pub(crate) const OPEN: &str = "state NOT IN ('done', 'abandoned')";

/// Why the list could not be read or written. The work is safe: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The state database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A statement on it.
    #[error("the work list in the state database cannot be used")]
    Statement(#[from] sqlx::Error),
    /// What the service itself keeps in the same database.
    #[error(transparent)]
    Service(Box<dyn std::error::Error + Send + Sync>),
    /// Something in it that this version does not understand.
    #[error("the work list holds an order that cannot be read: {0}")]
    Unreadable(String),
}

/// The durable work list of one service. Times are arguments: the list has no clock.
#[derive(Debug, Clone)]
pub struct WorkList {
    pub(crate) db: Database,
    pub(crate) backoff: Backoff,
    /// See [`in_order`](Self::in_order).
    pub(crate) in_order: bool,
    /// Counts changes that may have made an order due.
    changes: Arc<watch::Sender<u64>>,
}

impl WorkList {
    /// Opens the list in `db`, making its tables when missing. On SQLite, where this process is the
    /// only one, orders that a killed process had in hand are free again at once; on PostgreSQL
    /// when their lease has run out.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(db: Database, backoff: Backoff) -> Result<Self, DeliveryError> {
        db.migrate("delivery", STEPS).await?;
        db.migrate("delivery expiries", crate::expiry::STEPS).await?;
        if db.kind() == Kind::Sqlite {
            let free = "UPDATE delivery_orders SET state = 'queued' WHERE state = 'running'";
            sqlx::query(free).execute(db.pool()).await?;
        }
        Ok(Self { db, backoff, in_order: false, changes: Arc::new(watch::Sender::new(0)) })
    }

    /// The same list, whose destinations get their orders in the order in which these came, faults or not,
    /// and from one worker at a time, whatever the number of replicas. A failing destination is probed with its oldest
    /// order, and no order is accused of having caused the fault: the work itself has to tell a record at
    /// fault from a destination at fault. A record at fault alone is passed over until its next attempt.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// The database it lives in, for what a service stores in the same transaction.
    pub const fn database(&self) -> &Database {
        &self.db
    }

    /// Puts orders on the list inside the caller's transaction. One that is there already, in
    /// whatever state, stays as it is. Call [`announce`](Self::announce) after the commit.
    ///
    /// # Errors
    /// The statement failed; the transaction is to be dropped.
    pub async fn enqueue_in(
        &self,
        tx: &mut Transaction,
        orders: &[NewOrder],
        now: Timestamp,
    ) -> Result<(), DeliveryError> {
        for order in orders {
            sqlx::query(
                "INSERT INTO delivery_orders (tenant, destination, recording, payload, state, attempts, \
                 record_faults, claim, lease_until, enqueued_at, next_attempt_at) \
                 VALUES ($1, $2, $3, $4, 'queued', 0, 0, 0, 0, $5, $6) \
                 ON CONFLICT (tenant, destination, recording) DO NOTHING",
            )
            .bind(order.destination.tenant.as_str())
            .bind(order.destination.name.as_str())
            .bind(order.recording.to_string())
            .bind(order.payload.clone())
            .bind(now.as_millisecond())
            .bind(now.as_millisecond())
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }

    /// Puts orders on the list in a transaction of its own.
    ///
    /// # Errors
    /// None of them is on the list.
    pub async fn enqueue(&self, orders: &[NewOrder], now: Timestamp) -> Result<(), DeliveryError> {
        let mut tx = self.db.begin_write().await?;
        self.enqueue_in(&mut tx, orders, now).await?;
        tx.commit().await?;
        self.announce();
        Ok(())
    }

    /// Wakes the workers of this process.
    pub fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The states of all orders of a recording, by destination.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn states_of(
        &self,
        tenant: &domain::TenantId,
        recording: RecordingId,
    ) -> Result<Vec<(Destination, State)>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT tenant, destination, state FROM delivery_orders WHERE tenant = $1 AND recording = $2 \
             ORDER BY position",
        )
        .bind(tenant.as_str())
        .bind(recording.to_string())
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.iter().map(|row| {
            let word: String = row.try_get("state")?;
            let state = State::parse(&word).ok_or(DeliveryError::Unreadable(word))?;
            Ok((destination_of(row)?, state))
        });
        Ok(readable(read))
    }

    /// The recordings that have an open order, by tenant and recording id.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open_recordings(&self) -> Result<BTreeSet<(String, String)>, DeliveryError> {
        let open = format!("SELECT DISTINCT tenant, recording FROM delivery_orders WHERE {OPEN}");
        let rows: Vec<(String, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(open)).fetch_all(self.db.pool()).await?;
        Ok(rows.into_iter().collect())
    }

    /// Every destination that has open orders.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn destinations(&self) -> Result<BTreeSet<Destination>, DeliveryError> {
        let open = format!("SELECT DISTINCT tenant, destination FROM delivery_orders WHERE {OPEN}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(open)).fetch_all(self.db.pool()).await?;
        Ok(readable(rows.iter().map(destination_of)).into_iter().collect())
    }
}

/// What can be read of a table: one damaged row must not hide all others.
pub(crate) fn readable<T>(rows: impl Iterator<Item = Result<T, DeliveryError>>) -> Vec<T> {
    let shown = |error: DeliveryError| tracing::warn!(%error, "a row of the work list is left out");
    rows.filter_map(|row| row.map_err(shown).ok()).collect()
}

pub(crate) fn destination_of(row: &sqlx::any::AnyRow) -> Result<Destination, DeliveryError> {
    let (tenant, name): (String, String) = (row.try_get("tenant")?, row.try_get("destination")?);
    let unreadable = |error: domain::InvalidId| DeliveryError::Unreadable(error.to_string());
    Ok(Destination { tenant: tenant.parse().map_err(unreadable)?, name: name.parse().map_err(unreadable)? })
}
