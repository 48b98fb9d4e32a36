//! How the destinations stand: what waits, since when, and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::Row as _;

use crate::{
    DeliveryError, Destination, Ends, State, WorkList,
    claim::at,
    list::{OPEN, destination_of, readable},
};

/// What lies on the list for one destination in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose orders.
    pub destination: Destination,
    /// In which state.
    pub state: State,
    /// How many.
    pub orders: u64,
    /// When the oldest of them came.
    pub oldest: Timestamp,
    /// What one of them last failed by.
    pub last_error: Option<String>,
}

/// Why a destination is left alone for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong and what to do.
    pub problem: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub next_attempt: Timestamp,
    /// Time alone does not mend it.
    pub needs_person: bool,
}

/// How a destination stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub destination: Destination,
    /// What waits, by state.
    pub backlog: Vec<Backlog>,
    /// What is wrong; `None` while it works.
    pub trouble: Option<Trouble>,
    /// What of the access to it ends, as it was last asked; the first first.
    pub expires: Vec<Ends>,
}

impl WorkList {
    /// Everything on the list that is open, by destination and state.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, DeliveryError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT tenant, destination, state, count(*) AS orders, MIN(enqueued_at) AS oldest, \
             MAX(last_error) AS last_error FROM delivery_orders \
             WHERE {OPEN} GROUP BY tenant, destination, state ORDER BY tenant, destination, state"
        )))
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.iter().map(|row| {
            let word: String = row.try_get("state")?;
            Ok(Backlog {
                destination: destination_of(row)?,
                state: State::parse(&word).ok_or(DeliveryError::Unreadable(word))?,
                orders: row.try_get::<i64, _>("orders")?.unsigned_abs(),
                oldest: at(row.try_get("oldest")?),
                last_error: row.try_get("last_error")?,
            })
        });
        Ok(readable(read))
    }

    /// How the destinations stand: those of `existing`, and those that something waits for.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn standings(&self, existing: &BTreeSet<Destination>) -> Result<Vec<Standing>, DeliveryError> {
        let (mut troubles, mut expiries) = (self.troubles().await?, self.expiries().await?);
        let mut waiting: BTreeMap<Destination, Vec<Backlog>> =
            existing.iter().map(|destination| (destination.clone(), Vec::new())).collect();
        for entry in self.backlog().await? {
            waiting.entry(entry.destination.clone()).or_default().push(entry);
        }
        let standing = |(destination, backlog): (Destination, Vec<Backlog>)| {
            // What failed and has nothing to do any more is not in trouble: nobody waits for it.
            let trouble = troubles.remove(&destination).filter(|_| !backlog.is_empty());
            let expires = expiries.remove(&destination).unwrap_or_default();
            Standing { destination, backlog, trouble, expires }
        };
        Ok(waiting.into_iter().map(standing).collect())
    }

    async fn troubles(&self) -> Result<BTreeMap<Destination, Trouble>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT tenant, destination, problem, failing_since, next_attempt_at, paused FROM delivery_destinations",
        )
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.iter().map(|row| {
            let trouble = Trouble {
                problem: row.try_get("problem")?,
                since: at(row.try_get("failing_since")?),
                next_attempt: at(row.try_get("next_attempt_at")?),
                needs_person: row.try_get::<i64, _>("paused")? != 0,
            };
            Ok((destination_of(row)?, trouble))
        });
        Ok(readable(read).into_iter().collect())
    }
}
