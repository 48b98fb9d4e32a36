//! Signed checkpoints of the logs.

use std::collections::BTreeMap;

use domain::TenantId;
use evidence::Sha256Hash;
use sqlx::{Row, any::AnyRow};

use super::{Held, State, StateError, signed, unsigned};

/// Checkpoints that are kept in SQL, a tenant.
const KEPT: u32 = 200;

/// A checkpoint as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Entries that it covers.
    pub size: u64,
    /// The tree's root.
    pub root: Sha256Hash,
    /// The signed note with the cosignatures that came.
    pub note: Vec<u8>,
    /// When it was signed. Unix time, milliseconds.
    pub at_ms: i64,
    /// Whether an authority has stamped it.
    pub stamp: Stamp,
}

/// What is known of a checkpoint's time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// None is wanted.
    None = 0,
    /// One is to be had yet.
    Wanted = 1,
    /// It lies in staging.
    Put = 2,
}

impl State {
    /// The newest checkpoint of a log.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn last_checkpoint(&self, tenant: &TenantId) -> Result<Option<StoredCheckpoint>, StateError> {
        let row = sqlx::query(
            "SELECT size, root, note, at_ms, stamp FROM log_checkpoint WHERE tenant = $1 \
             ORDER BY size DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest checkpoint that has, or wants, a time stamp.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn last_to_stamp(&self, tenant: &TenantId) -> Result<Option<StoredCheckpoint>, StateError> {
        let row = sqlx::query(
            "SELECT size, root, note, at_ms, stamp FROM log_checkpoint WHERE tenant = $1 AND stamp <> 0 \
             ORDER BY size DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .fetch_optional(self.db.pool())
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// When the newest checkpoint was signed of the log whose newest one is the oldest (Unix time,
    /// milliseconds); `None`: there is none.
    ///
    /// # Errors
    /// The database refused.
    pub async fn oldest_newest_checkpoint(&self) -> Result<Option<i64>, StateError> {
        let row = sqlx::query(
            "SELECT MIN(c.at_ms) AS at_ms FROM log l JOIN log_checkpoint c ON c.tenant = l.tenant \
             AND c.size = (SELECT MAX(n.size) FROM log_checkpoint n WHERE n.tenant = l.tenant)",
        )
        .fetch_one(self.db.pool())
        .await?;
        Ok(row.try_get("at_ms")?)
    }

    /// When the newest checkpoint of each log was stored. Unix time, milliseconds, by the signer's clock.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn newest_checkpoints(&self) -> Result<BTreeMap<TenantId, i64>, StateError> {
        let rows = sqlx::query("SELECT tenant, MAX(at_ms) AS at_ms FROM log_checkpoint GROUP BY tenant")
            .fetch_all(self.db.pool())
            .await?;
        let one = |row: &AnyRow| {
            let tenant: String = row.try_get("tenant")?;
            let tenant =
                tenant.parse().map_err(|_| StateError::Damaged("a checkpoint of no tenant".to_owned()))?;
            Ok((tenant, row.try_get("at_ms")?))
        };
        rows.iter().map(one).collect()
    }

    /// Stores a checkpoint, unless one of this size is there: then only its note (more cosignatures).
    /// Old ones go.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now; [`StateError::HeadMoved`] if a larger one
    /// is stored, or another tree of this size.
    pub async fn commit_checkpoint(
        &self,
        lease: &Held,
        tenant: &TenantId,
        checkpoint: &StoredCheckpoint,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let newest =
            sqlx::query("SELECT size, root FROM log_checkpoint WHERE tenant = $1 ORDER BY size DESC LIMIT 1")
                .bind(tenant.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(row) = newest {
            let size = unsigned(row.try_get("size")?);
            let root: Vec<u8> = row.try_get("root")?;
            let is_other = size == checkpoint.size && root != checkpoint.root.as_bytes();
            if size > checkpoint.size || is_other {
                return Err(StateError::HeadMoved(tenant.to_string()));
            }
        }
        sqlx::query(
            "INSERT INTO log_checkpoint (tenant, size, root, note, at_ms, stamp) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, size) DO UPDATE SET note = excluded.note",
        )
        .bind(tenant.as_str())
        .bind(signed(checkpoint.size))
        .bind(checkpoint.root.as_bytes().to_vec())
        .bind(checkpoint.note.clone())
        .bind(checkpoint.at_ms)
        .bind(checkpoint.stamp as i64)
        .execute(&mut *tx)
        .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "DELETE FROM log_checkpoint WHERE tenant = $1 AND stamp <> 1 AND size < \
             (SELECT MIN(size) FROM (SELECT size FROM log_checkpoint WHERE tenant = $2 \
              ORDER BY size DESC LIMIT {KEPT}) AS newest)"
        )))
        .bind(tenant.as_str())
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Notes what became of a checkpoint's time stamp.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn set_stamp(
        &self,
        lease: &Held,
        tenant: &TenantId,
        size: u64,
        stamp: Stamp,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        sqlx::query("UPDATE log_checkpoint SET stamp = $1 WHERE tenant = $2 AND size = $3")
            .bind(stamp as i64)
            .bind(tenant.as_str())
            .bind(signed(size))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

fn read(row: &AnyRow) -> Result<StoredCheckpoint, StateError> {
    let root: Vec<u8> = row.try_get("root")?;
    let root = <[u8; 32]>::try_from(root.as_slice())
        .map_err(|_| StateError::Damaged("a checkpoint's root is no hash".to_owned()))?;
    Ok(StoredCheckpoint {
        size: unsigned(row.try_get("size")?),
        root: root.into(),
        note: row.try_get("note")?,
        at_ms: row.try_get("at_ms")?,
        stamp: match row.try_get::<i64, _>("stamp")? {
            0 => Stamp::None,
            1 => Stamp::Wanted,
            _ => Stamp::Put,
        },
    })
}
