//! What the signer knows, in SQL: leases, marks, recordings, the seal queue, chains, the outbox.
//!
//! Every write that acts on something owned takes a [`Held`] lease and checks its fence inside the
//! same transaction, so that a replica that lost its lease without noticing can commit nothing.

pub mod call_record;
pub mod chain;
pub mod lease;
pub mod log;
mod log_append;
pub mod log_checkpoint;
pub mod outbox;
mod proven;
pub mod recording;
mod rows;
mod schema;
pub mod seal_queue;
pub mod signing_key;
pub mod unsealed;

use sql::{Database, Kind, Transaction};

pub use lease::Held;
pub use recording::Phase;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The lease was taken over by another replica: whatever was being done is theirs now.
    #[error("the lease {0} now belongs to another replica")]
    Fenced(String),
    /// The lane's chain has grown since it was looked at.
    #[error("the chain of lane {0} has another head than expected")]
    HeadMoved(String),
    /// The tenant has no log yet.
    #[error("tenant {0} has no log")]
    NoLog(String),
    /// The tenant's log must not grow: its database is not the one it was published from.
    #[error("the log of tenant {0} is halted; `callseal log state` says why")]
    LogHalted(String),
    /// Another key signs now.
    #[error("lane {0} is signed by another key from now on")]
    KeyChanged(String),
    /// A row holds what this version cannot read.
    #[error("the signer's state is damaged: {0}")]
    Damaged(String),
    /// Opening or migrating failed.
    #[error("the signer's state database")]
    Database(#[from] sql::SqlError),
    /// A statement failed.
    #[error("a statement on the signer's state database")]
    Statement(#[from] sqlx::Error),
}

/// The signer's state.
#[derive(Debug, Clone)]
pub struct State {
    db: Database,
}

impl State {
    /// Opens the state and brings its schema up to date.
    ///
    /// # Errors
    /// The database cannot be reached or a schema step failed.
    pub async fn open(url: &str) -> Result<Self, StateError> {
        let db = Database::open(url).await?;
        db.migrate("signer", schema::STEPS).await?;
        Ok(Self { db })
    }

    /// The database itself.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// A write transaction that holds `lease` until it ends: the update locks the row, so a
    /// take-over waits for this commit or makes it impossible.
    async fn begin_fenced(&self, lease: &Held) -> Result<Transaction, StateError> {
        let mut tx = self.db.begin_write().await?;
        let held =
            sqlx::query("UPDATE lease SET fence = fence WHERE name = $1 AND fence = $2 AND owner = $3")
                .bind(&lease.name)
                .bind(lease.fence)
                .bind(&lease.owner)
                .execute(&mut *tx)
                .await?;
        if held.rows_affected() == 1 { Ok(tx) } else { Err(StateError::Fenced(lease.name.clone())) }
    }

    /// The database's own clock in Unix milliseconds, so that replicas need not agree on theirs.
    fn now(&self) -> &'static str {
        match self.db.kind() {
            Kind::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Kind::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }
}

/// A sequence, a length or a position as SQL stores it.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same read back.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
