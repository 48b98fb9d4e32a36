//! The logs of the tenants (F-58): heads and entries.
//!
//! An entry is added within a transaction of the caller, so that what it says and what it tells of
//! are committed together. The row of the log is locked first: whoever else adds waits for that
//! commit, and the size is compared as well, so that no two entries get one number.

use domain::{RecordingId, TenantId};
use evidence::{
    Sha256Hash,
    log::{Entry, Frontier, Origin, What, leaf_hash},
};
use jiff::Timestamp;
use sql::Transaction;
use sqlx::{Row, any::AnyRow};

use super::{Held, State, StateError, signed, unsigned};

/// Clocks of replicas differ by less than this: within it a log's time stands still rather than
/// goes back. A clock that was further ahead shows in the log.
const CLOCKS_DIFFER_MS: i64 = 120_000;
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
}

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

/// Adds an entry and returns its number. `source` says where it comes from ([`source`]): what is
/// there already is not added again, and its number is returned.
///
/// Nothing waits for the commit but the caller: the number is certain only then. The entry's time
/// is set to that of the last entry if it lies up to two minutes before it.
///
/// # Errors
/// [`StateError::NoLog`] if the tenant has none yet (see [`State::ensure_log`]),
/// [`StateError::LogHalted`] if it must not grow, or the database refused.
pub async fn append(
    tx: &mut Transaction,
    tenant: &TenantId,
    entry: &Entry,
    source: &str,
) -> Result<u64, StateError> {
    let numbers = append_all(tx, tenant, &[(entry.clone(), source.to_owned())]).await?;
    Ok(numbers.first().copied().unwrap_or_default())
}

/// The same for several entries of one log; a number for each.
///
/// # Errors
/// As [`append`].
pub async fn append_all(
    tx: &mut Transaction,
    tenant: &TenantId,
    entries: &[(Entry, String)],
) -> Result<Vec<u64>, StateError> {
    append_with(tx, tenant, |_| entries.to_vec()).await
}

/// The same for entries that are made from the log's salt.
///
/// # Errors
/// As [`append`].
pub async fn append_with(
    tx: &mut Transaction,
    tenant: &TenantId,
    make: impl FnOnce(&LogHead) -> Vec<(Entry, String)>,
) -> Result<Vec<u64>, StateError> {
    // Locks the row on either database, and reads what the last commit wrote.
    let locked = sqlx::query(
        "UPDATE log SET size = size WHERE tenant = $1 \
         RETURNING tenant, origin, salt, size, frontier, last_ms, halted, halted_by",
    )
    .bind(tenant.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    let mut head = read(&locked.ok_or_else(|| StateError::NoLog(tenant.to_string()))?)?;
    if !head.halted.is_empty() {
        return Err(StateError::LogHalted(tenant.to_string()));
    }
    let before = head.size();
    let mut key_id = None;
    let entries = make(&head);
    let mut numbers = Vec::with_capacity(entries.len());
    for (mut entry, source) in entries {
        let at_ms = entry.at.as_millisecond();
        let is_behind = (head.last_ms - CLOCKS_DIFFER_MS..head.last_ms).contains(&at_ms);
        let at_ms = if is_behind { head.last_ms } else { at_ms };
        entry.at = Timestamp::from_millisecond(at_ms).unwrap_or(entry.at);
        let bytes = entry.to_bytes();
        let leaf = leaf_hash(&bytes);
        let added = sqlx::query(
            "INSERT INTO log_entry (tenant, number, entry, leaf, source, at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, source) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(signed(head.size()))
        .bind(bytes)
        .bind(leaf.as_bytes().to_vec())
        .bind(&source)
        .bind(at_ms)
        .execute(&mut **tx)
        .await?;
        if added.rows_affected() == 1 {
            numbers.push(head.size());
            head.frontier.append(leaf);
            head.last_ms = at_ms;
            if let What::Key(key) = &entry.what {
                key_id = Some(key.key_id.to_string());
            }
        } else {
            numbers.push(number_of(tx, tenant, &source).await?);
        }
    }
    if head.size() == before {
        return Ok(numbers);
    }
    let moved = sqlx::query(
        "UPDATE log SET size = $1, frontier = $2, last_ms = $3, key_id = COALESCE($4, key_id) \
         WHERE tenant = $5 AND size = $6",
    )
    .bind(signed(head.size()))
    .bind(head.frontier.to_bytes())
    .bind(head.last_ms)
    .bind(key_id)
    .bind(tenant.as_str())
    .bind(signed(before))
    .execute(&mut **tx)
    .await?;
    if moved.rows_affected() == 1 { Ok(numbers) } else { Err(StateError::HeadMoved(tenant.to_string())) }
}

async fn number_of(tx: &mut Transaction, tenant: &TenantId, source: &str) -> Result<u64, StateError> {
    let row = sqlx::query("SELECT number FROM log_entry WHERE tenant = $1 AND source = $2")
        .bind(tenant.as_str())
        .bind(source)
        .fetch_one(&mut **tx)
        .await?;
    Ok(unsigned(row.try_get("number")?))
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
        let row = sqlx::query(
            "SELECT tenant, origin, salt, size, frontier, last_ms, halted, halted_by FROM log WHERE tenant = $1",
        )
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
        let rows = sqlx::query(
            "SELECT tenant, origin, salt, size, frontier, last_ms, halted, halted_by FROM log ORDER BY tenant",
        )
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
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT entry FROM log_entry WHERE tenant = $1 AND number >= $2 ORDER BY number LIMIT {limit}"
        )))
        .bind(tenant.as_str())
        .bind(signed(from))
        .fetch_all(self.db.pool())
        .await?;
        rows.iter().map(|row| Ok(row.try_get("entry")?)).collect()
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
        sqlx::query("UPDATE log SET halted = $1, halted_by = $2 WHERE tenant = $3")
            .bind(why)
            .bind(witness)
            .bind(tenant.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
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

fn read(row: &AnyRow) -> Result<LogHead, StateError> {
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

    /// The key changed to this one.
    pub fn key(key_id: &str) -> String {
        format!("key:{key_id}")
    }

    /// Nothing happened until then.
    pub fn heartbeat(at_ms: i64) -> String {
        format!("heartbeat:{at_ms}")
    }
}
