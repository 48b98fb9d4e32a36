//! The logs of the tenants (F-58): heads and entries.
//!
//! An entry is added within a transaction of the caller, so that what it says and what it tells of
//! are committed together. The row of the log is locked first: whoever else adds waits for that
//! commit, and the size is compared as well, so that no two entries get one number.

use domain::{RecordingId, TenantId};
use evidence::{
    Sha256Hash,
    log::{Entry, Frontier, Origin, What},
};
use jiff::Timestamp;
use sqlx::{Row, any::AnyRow};

use super::{Held, State, StateError, signed, unsigned};

pub use super::log_append::{append, append_all, append_with};

const SALT_BYTES: usize = 32;

/// A log as it stands.
#[derive(Clone)]
pub struct LogHead {
    /// Whose.
    pub tenant: TenantId,
    /// Its name, and that of its key.
    pub origin: String,
    /// Secret from which references are made (see [`evidence::log::Reference`]).
    pub salt: Vec<u8>,
    /// The tree over all entries.
    pub frontier: Frontier,
    /// Time of the last entry, Unix milliseconds; 0: there is none.
    pub last_ms: i64,
    /// Why nothing may be added or signed; empty: all is well.
    pub halted: String,
    /// The witness that is the reason, by its name in the tenant's configuration; empty: none is.
    pub halted_by: String,
    /// When it was halted, or found to be so (or not) at a start, by the clock of the replica that seals,
    /// Unix milliseconds.
    pub halted_ms: i64,
    /// The signing key that it names last; empty: none yet.
    pub key_id: String,
    /// Name of the log whose place this one has taken ([`State::begin_log_anew`]); empty: none.
    pub follows: String,
}

pub(super) const COLUMNS: &str =
    "tenant, origin, salt, size, frontier, last_ms, halted, halted_by, halted_ms, key_id, follows";

impl LogHead {
    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The tree's root.
    pub fn root(&self) -> Sha256Hash {
        self.frontier.root()
    }
}

impl std::fmt::Debug for LogHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogHead({}, {} entries)", self.origin, self.size())
    }
}

impl State {
    /// The log of a tenant. Made, empty, when there is none: its origin and salt hold for ever.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn ensure_log(&self, tenant: &TenantId, installation: &str) -> Result<LogHead, StateError> {
        if let Some(head) = self.log_head(tenant).await? {
            return Ok(head);
        }
        let origin = Origin::new(installation, tenant, rand::random());
        self.insert_log(tenant, origin.as_str()).await?;
        self.log_head(tenant).await?.ok_or_else(|| StateError::NoLog(tenant.to_string()))
    }

    /// Makes the row of a log that was published from another database, so that it can be halted.
    ///
    /// # Errors
    /// The database refused.
    pub async fn insert_log(&self, tenant: &TenantId, origin: &str) -> Result<(), StateError> {
        let salt: [u8; SALT_BYTES] = rand::random();
        sqlx::query(
            "INSERT INTO log (tenant, origin, salt, size, frontier, last_ms, halted, halted_by, key_id) \
             VALUES ($1, $2, $3, 0, $4, 0, '', '', '') ON CONFLICT (tenant) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(origin)
        .bind(salt.to_vec())
        .bind(Frontier::default().to_bytes())
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// The log of a tenant; `None`: it has none yet.
    ///
    /// # Errors
    /// The database refused, or the row cannot be read.
    pub async fn log_head(&self, tenant: &TenantId) -> Result<Option<LogHead>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM log WHERE tenant = $1")))
            .bind(tenant.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// All logs, by tenant.
    ///
    /// # Errors
    /// The database refused, or a row cannot be read.
    pub async fn logs(&self) -> Result<Vec<LogHead>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM log ORDER BY tenant")))
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(read).collect()
    }

    /// Entries from number `from` on, at most `limit`, in order. Fewer than that exist only at the
    /// end, or where the oldest were deleted ([`State::forget_entries`]).
    ///
    /// # Errors
    /// The database refused.
    pub async fn log_entries(
        &self,
        tenant: &TenantId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let rows = self.numbered_entries(tenant, from, limit).await?;
        Ok(rows.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The same, each with its number.
    ///
    /// # Errors
    /// The database refused.
    pub async fn numbered_entries(
        &self,
        tenant: &TenantId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT number, entry FROM log_entry WHERE tenant = $1 AND number >= $2 ORDER BY number LIMIT {limit}"
        )))
        .bind(tenant.as_str())
        .bind(signed(from))
        .fetch_all(self.db.pool())
        .await?;
        rows.iter().map(|row| Ok((unsigned(row.try_get("number")?), row.try_get("entry")?))).collect()
    }

    /// Number and bytes of the entry from `source`; `None`: there is none (any more).
    ///
    /// # Errors
    /// The database refused.
    pub async fn log_entry_of(
        &self,
        tenant: &TenantId,
        source: &str,
    ) -> Result<Option<(u64, Vec<u8>)>, StateError> {
        let row = sqlx::query("SELECT number, entry FROM log_entry WHERE tenant = $1 AND source = $2")
            .bind(tenant.as_str())
            .bind(source)
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| Ok((unsigned(row.try_get("number")?), row.try_get("entry")?))).transpose()
    }

    /// Forbids (or, with an empty `why`, allows again) additions to a log. `witness`: the name of the one
    /// that is the reason, or empty.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn set_log_halted(
        &self,
        lease: &Held,
        tenant: &TenantId,
        why: &str,
        witness: &str,
    ) -> Result<(), StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        // By the clock of whoever signs checkpoints now: the two are compared.
        sqlx::query("UPDATE log SET halted = $1, halted_by = $2, halted_ms = $3 WHERE tenant = $4")
            .bind(why)
            .bind(witness)
            .bind(Timestamp::now().as_millisecond())
            .bind(tenant.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Puts a new, empty log of the name `origin` in the place of one that must not go on, whose published
    /// files a person has moved away. Entries that no checkpoint in this database covers, and those of
    /// recordings that wait for their proof, are taken over: nothing that waits is left without an entry.
    /// The salt stays, so that they mean the same calls.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now, or a row cannot be read.
    pub async fn begin_log_anew(
        &self,
        lease: &Held,
        tenant: &TenantId,
        origin: &str,
    ) -> Result<u64, StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let rows = sqlx::query(
            "SELECT entry, source FROM log_entry WHERE tenant = $1 AND (number >= \
               (SELECT COALESCE(MAX(size), 0) FROM log_checkpoint WHERE tenant = $2) \
               OR source IN (SELECT 'sealed:' || recording FROM outbox WHERE stage = 0)) ORDER BY number",
        )
        .bind(tenant.as_str())
        .bind(tenant.as_str())
        .fetch_all(&mut *tx)
        .await?;
        let mut taken_over = Vec::new();
        for row in rows {
            let (bytes, source): (Vec<u8>, String) = (row.try_get("entry")?, row.try_get("source")?);
            let damaged = |_| StateError::Damaged(format!("log of {tenant}: an entry cannot be read"));
            let entry = Entry::parse(&bytes).map_err(damaged)?;
            // Its key is named anew, first of all.
            if !matches!(entry.what, What::Key(_) | What::Heartbeat) {
                taken_over.push((entry, source));
            }
        }
        for table in ["log_entry", "log_checkpoint"] {
            let delete = format!("DELETE FROM {table} WHERE tenant = $1");
            sqlx::query(sqlx::AssertSqlSafe(delete)).bind(tenant.as_str()).execute(&mut *tx).await?;
        }
        sqlx::query(
            "UPDATE log SET follows = origin, origin = $1, size = 0, frontier = $2, last_ms = 0, \
             halted = '', halted_by = '', key_id = '' WHERE tenant = $3",
        )
        .bind(origin)
        .bind(Frontier::default().to_bytes())
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
        append_all(&mut tx, tenant, &taken_over).await?;
        tx.commit().await?;
        Ok(taken_over.len() as u64)
    }

    /// Adds entries to a log in a transaction of their own, under a lease.
    ///
    /// # Errors
    /// As [`append`]; [`StateError::Fenced`] if the lease is another replica's now.
    pub async fn commit_entries(
        &self,
        lease: &Held,
        tenant: &TenantId,
        entries: &[(Entry, String)],
    ) -> Result<Vec<u64>, StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let numbers = append_all(&mut tx, tenant, entries).await?;
        tx.commit().await?;
        Ok(numbers)
    }

    /// Deletes rows of entries below `number` that are older than `before_ms`: they are published in
    /// full bundles, and no source comes again after so long.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now.
    pub async fn forget_entries(
        &self,
        lease: &Held,
        tenant: &TenantId,
        number: u64,
        before_ms: i64,
    ) -> Result<u64, StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        let deleted = sqlx::query("DELETE FROM log_entry WHERE tenant = $1 AND number < $2 AND at_ms < $3")
            .bind(tenant.as_str())
            .bind(signed(number))
            .bind(before_ms)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(deleted.rows_affected())
    }
}

pub(super) fn read(row: &AnyRow) -> Result<LogHead, StateError> {
    let tenant: String = row.try_get("tenant")?;
    let damaged = |what: &str| StateError::Damaged(format!("log of {tenant}: {what}"));
    let frontier: Vec<u8> = row.try_get("frontier")?;
    let head = LogHead {
        tenant: tenant.parse().map_err(|_| damaged("this is no tenant"))?,
        origin: row.try_get("origin")?,
        salt: row.try_get("salt")?,
        frontier: Frontier::from_bytes(&frontier).map_err(|_| damaged("its tree cannot be read"))?,
        last_ms: row.try_get("last_ms")?,
        halted: row.try_get("halted")?,
        halted_by: row.try_get("halted_by")?,
        halted_ms: row.try_get("halted_ms")?,
        key_id: row.try_get("key_id")?,
        follows: row.try_get("follows")?,
    };
    let size = unsigned(row.try_get("size")?);
    if head.size() == size { Ok(head) } else { Err(damaged("its size is not that of its tree")) }
}

/// Where entries come from. One that comes twice (an event delivered again, a repeat after a crash)
/// is written once.
pub mod source {
    use super::RecordingId;

    /// A call started.
    pub fn started(recording: &RecordingId) -> String {
        format!("started:{recording}")
    }

    /// It was decided; `outcome` as the entry says it: a call that asks is decided twice.
    pub fn decided(recording: &RecordingId, outcome: &str) -> String {
        format!("decided:{recording}:{outcome}")
    }

    /// A recording was stopped in mid-call.
    pub fn stopped(recording: &RecordingId, at_unix_us: i64) -> String {
        format!("stopped:{recording}:{at_unix_us}")
    }

    /// A recording was sealed.
    pub fn sealed(recording: &RecordingId) -> String {
        format!("sealed:{recording}")
    }

    /// A recorded call left nothing to seal.
    pub fn empty(recording: &RecordingId) -> String {
        format!("empty:{recording}")
    }

    /// Somebody deleted, played or exported: `what` by `whom` at that time.
    pub fn told(what: &str, recording: &RecordingId, at_unix_us: i64, by: &str) -> String {
        format!("{what}:{recording}:{at_unix_us}:{by}")
    }

    /// The same of somebody who asks again with the same word until it is written.
    pub fn told_once(what: &str, recording: &RecordingId, once: &str) -> String {
        format!("{what}:{recording}:once:{once}")
    }

    /// The key changed to this one.
    pub fn key(key_id: &str) -> String {
        format!("key:{key_id}")
    }

    /// Nothing happened until then.
    pub fn heartbeat(at_ms: i64) -> String {
        format!("heartbeat:{at_ms}")
    }
}
