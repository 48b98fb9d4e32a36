//! What of the access to destinations ends at a known time (F-77), as it was last said: kept, so that
//! whoever asks is answered without asking the destinations.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::Row as _;

use crate::{
    DeliveryError, Destination, WorkList,
    claim::at,
    list::{destination_of, readable},
};

pub(crate) const STEPS: &[&str] = &["
CREATE TABLE delivery_expiries (
    tenant TEXT NOT NULL,
    destination TEXT NOT NULL,
    what TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, destination, what)
);
"];

/// A certificate, a secret or a login that ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// Which, for a sentence: "the client certificate". Without names.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

impl WorkList {
    /// Notes what of the access to `destination` ends when, in place of what was noted before.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_expiries(&self, destination: &Destination, ends: &[Ends]) -> Result<(), DeliveryError> {
        let (tenant, name) = (destination.tenant.as_str(), destination.name.as_str());
        let mut tx = self.db.begin_write().await?;
        sqlx::query("DELETE FROM delivery_expiries WHERE tenant = $1 AND destination = $2")
            .bind(tenant)
            .bind(name)
            .execute(&mut *tx)
            .await?;
        for end in ends {
            // Of two of the same name the first to end is what matters.
            sqlx::query(
                "INSERT INTO delivery_expiries (tenant, destination, what, ends_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, destination, what) DO UPDATE SET ends_at = \
                 CASE WHEN excluded.ends_at < delivery_expiries.ends_at THEN excluded.ends_at \
                 ELSE delivery_expiries.ends_at END",
            )
            .bind(tenant)
            .bind(name)
            .bind(end.what.as_str())
            .bind(end.at.as_millisecond())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What ends when, by destination; the first to end first.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn expiries(&self) -> Result<BTreeMap<Destination, Vec<Ends>>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT tenant, destination, what, ends_at FROM delivery_expiries ORDER BY ends_at, what",
        )
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.iter().map(|row| {
            let ends = Ends { what: row.try_get("what")?, at: at(row.try_get("ends_at")?) };
            Ok((destination_of(row)?, ends))
        });
        let mut expiries: BTreeMap<Destination, Vec<Ends>> = BTreeMap::new();
        for (destination, ends) in readable(read) {
            expiries.entry(destination).or_default().push(ends);
        }
        Ok(expiries)
    }

    /// Forgets what was noted of destinations that are not among `existing`.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn forget_expiries(&self, existing: &BTreeSet<Destination>) -> Result<(), DeliveryError> {
        for destination in self.expiries().await?.into_keys().filter(|known| !existing.contains(known)) {
            self.note_expiries(&destination, &[]).await?;
        }
        Ok(())
    }
}
