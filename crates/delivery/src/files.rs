//! How far each file of an order is: what is verified is neither put nor read again, what was begun is
//! gone on with. Each row holds for one place ([`Order::at_place`]): a target that is described anew, as
//! one whose disk was full, gets all files.
//!
//! A file is known by what its name ends with (`.wav`, `_hash.txt`), which holds no number. The name
//! under which it stands in the destination does; it is wiped when the order is done.

use jiff::Timestamp;
use sql::Transaction;
use sqlx::Row as _;

use crate::{DeliveryError, Order, WorkList};

/// A file that stands in its destination as it was sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedFile {
    /// What its name ends with.
    pub file: String,
    /// The name under which it stands there. Sensitive; empty when the order is done.
    pub stored_name: String,
    /// By which method it was verified.
    pub verified_by: String,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Debug for VerifiedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedFile({} by {})", self.file, self.verified_by)
    }
}

impl WorkList {
    /// The files of an order that are verified at its place.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn verified_files(&self, order: &Order) -> Result<Vec<VerifiedFile>, DeliveryError> {
        let rows = sqlx::query(
            "SELECT file, stored_name, verified_by, at FROM delivery_files \
             WHERE position = $1 AND place = $2 AND verified_by IS NOT NULL ORDER BY at, file",
        )
        .bind(order.position)
        .bind(order.place.as_str())
        .fetch_all(self.db.pool())
        .await?;
        let verified = |row: &sqlx::any::AnyRow| {
            Ok(VerifiedFile {
                file: row.try_get("file")?,
                stored_name: row.try_get::<Option<String>, _>("stored_name")?.unwrap_or_default(),
                verified_by: row.try_get("verified_by")?,
                at: crate::claim::at(row.try_get("at")?),
            })
        };
        rows.iter().map(verified).collect()
    }

    /// Notes files as verified. An order that gets on is not at fault: its faults are forgotten.
    ///
    /// # Errors
    /// The database cannot be used; they will be verified again.
    pub async fn note_verified(&self, order: &Order, files: &[VerifiedFile]) -> Result<(), DeliveryError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin_write().await?;
        self.note_verified_in(&mut tx, order, files).await?;
        sqlx::query("UPDATE delivery_orders SET record_faults = 0 WHERE position = $1 AND claim = $2")
            .bind(order.position)
            .bind(order.claim)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes files as verified inside the caller's transaction.
    ///
    /// # Errors
    /// The statement failed; the transaction is to be dropped.
    pub async fn note_verified_in(
        &self,
        tx: &mut Transaction,
        order: &Order,
        files: &[VerifiedFile],
    ) -> Result<(), DeliveryError> {
        for verified in files {
            // Also when another worker has the order meanwhile: verified is verified.
            sqlx::query(
                "INSERT INTO delivery_files (position, file, stored_name, verified_by, at, place) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (position, file) DO UPDATE SET \
                 bookmark = NULL, stored_name = excluded.stored_name, verified_by = excluded.verified_by, \
                 at = excluded.at, place = excluded.place",
            )
            .bind(order.position)
            .bind(verified.file.as_str())
            .bind(verified.stored_name.as_str())
            .bind(verified.verified_by.as_str())
            .bind(verified.at.as_millisecond())
            .bind(order.place.as_str())
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }

    /// What an unfinished put of a file left behind at the order's place; sealed by whoever kept it.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn bookmark(&self, order: &Order, file: &str) -> Result<Option<Vec<u8>>, DeliveryError> {
        let row = sqlx::query(
            "SELECT bookmark FROM delivery_files WHERE position = $1 AND file = $2 AND place = $3",
        )
        .bind(order.position)
        .bind(file)
        .bind(order.place.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        Ok(row.map(|row| row.try_get::<Option<Vec<u8>>, _>("bookmark")).transpose()?.flatten())
    }

    /// Keeps what an unfinished put of a file needs to be gone on with, or forgets it. `sealed` must not
    /// be readable to whoever reads the database: an upload's address is a credential. A worker that has
    /// lost the order changes nothing.
    ///
    /// # Errors
    /// The database cannot be used; what was kept before stays.
    pub async fn keep_bookmark(
        &self,
        order: &Order,
        file: &str,
        sealed: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), DeliveryError> {
        sqlx::query(
            "INSERT INTO delivery_files (position, file, bookmark, at, place) \
             SELECT position, $1, $2, $3, $4 FROM delivery_orders WHERE position = $5 AND claim = $6 \
             ON CONFLICT (position, file) DO UPDATE SET bookmark = excluded.bookmark, at = excluded.at, \
             verified_by = CASE WHEN delivery_files.place = excluded.place THEN delivery_files.verified_by END, \
             stored_name = CASE WHEN delivery_files.place = excluded.place THEN delivery_files.stored_name END, \
             place = excluded.place",
        )
        .bind(file)
        .bind(sealed)
        .bind(now.as_millisecond())
        .bind(order.place.as_str())
        .bind(order.position)
        .bind(order.claim)
        .execute(self.db.pool())
        .await?;
        Ok(())
    }
}
