//! Keys that sign or have signed: those of the installation, and those of tenants that have their own.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::TenantId;
use evidence::log::{Entry, LogKey, LogPublicKey};
use sql::Transaction;
use sqlx::{Row, any::AnyRow};

use super::{Held, State, StateError, log};

/// A key with the time from which on it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose: a tenant, or empty for the installation's.
    pub tenant: String,
    /// Its label or name where the keys lie.
    pub label: String,
    /// Its id, as `_info.txt` names it.
    pub key_id: String,
    /// Its certificate.
    pub certificate_pem: String,
    /// Its log key: type and public key, in base64; empty: it has none.
    pub log_key: String,
    /// From when on it signs. Unix time, milliseconds.
    pub from_ms: i64,
}

impl KeyRow {
    /// Its log key as that of the log `origin`; `None`: it has none.
    pub fn log_key_of(&self, origin: &str) -> Option<LogKey> {
        let public = LogPublicKey::from_typed_bytes(&BASE64_STANDARD.decode(&self.log_key).ok()?).ok()?;
        Some(LogKey { name: origin.to_owned(), public })
    }
}

const COLUMNS: &str = "tenant, label, key_id, certificate_pem, log_key, from_ms";

/// The key that signs for `tenant`: its own latest one, else the installation's; `None`: no key was ever
/// written down. With an empty tenant that of the installation.
pub(super) async fn in_force(tx: &mut Transaction, tenant: &str) -> Result<Option<KeyRow>, StateError> {
    let row =
        sqlx::query(sqlx::AssertSqlSafe(in_force_query())).bind(tenant).fetch_optional(&mut **tx).await?;
    row.as_ref().map(read).transpose()
}

fn in_force_query() -> String {
    format!(
        "SELECT {COLUMNS} FROM signing_key WHERE tenant = $1 OR tenant = '' \
         ORDER BY CASE WHEN tenant = '' THEN 1 ELSE 0 END, from_ms DESC LIMIT 1"
    )
}

impl State {
    /// The key that signs for `tenant` (see the table): its own latest one, else the installation's.
    ///
    /// # Errors
    /// The database refused.
    pub async fn key_in_force(&self, tenant: Option<&TenantId>) -> Result<Option<KeyRow>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(in_force_query()))
            .bind(tenant.map_or("", TenantId::as_str))
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Every key that was ever in force for this tenant (`None`: for the installation), oldest first.
    ///
    /// # Errors
    /// The database refused.
    pub async fn keys_of(&self, tenant: Option<&TenantId>) -> Result<Vec<KeyRow>, StateError> {
        let all = format!("SELECT {COLUMNS} FROM signing_key WHERE tenant = $1 ORDER BY from_ms");
        let rows = sqlx::query(sqlx::AssertSqlSafe(all))
            .bind(tenant.map_or("", TenantId::as_str))
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(read).collect()
    }

    /// Whether that key was ever in force, for anybody.
    ///
    /// # Errors
    /// The database refused.
    pub async fn was_in_force(&self, key_id: &str) -> Result<bool, StateError> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM signing_key WHERE key_id = $1")
            .bind(key_id)
            .fetch_one(self.db.pool())
            .await?;
        Ok(row.try_get::<i64, _>("n")? > 0)
    }

    /// The key that the log of `tenant` names last, by its id; `None`: it names none yet.
    ///
    /// # Errors
    /// The database refused.
    pub async fn last_key_in_log(&self, tenant: &TenantId) -> Result<Option<String>, StateError> {
        let row = sqlx::query("SELECT key_id FROM log WHERE tenant = $1")
            .bind(tenant.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        let key_id = row.map(|row| row.try_get::<String, _>("key_id")).transpose()?;
        Ok(key_id.filter(|key_id| !key_id.is_empty()))
    }

    /// Puts a key in force, and says so in these logs, in one transaction. Returns the numbers of the
    /// entries; `None` for a log that is halted, which takes it in when it goes on. What is there already
    /// stays. `change`: what was asked for, for those logs.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another replica seals now, or what [`log::append`] says.
    pub async fn commit_key(
        &self,
        lease: &Held,
        row: &KeyRow,
        change: Option<&[u8]>,
        entries: &[(TenantId, Entry)],
    ) -> Result<Vec<Option<u64>>, StateError> {
        let mut tx = self.begin_fenced(lease).await?;
        store(&mut tx, row).await?;
        if let Some(change) = change {
            sqlx::query("UPDATE signing_key SET change = $1 WHERE tenant = $2 AND key_id = $3")
                .bind(change.to_vec())
                .bind(&row.tenant)
                .bind(&row.key_id)
                .execute(&mut *tx)
                .await?;
        }
        let mut numbers = Vec::new();
        for (tenant, entry) in entries {
            match log::append(&mut tx, tenant, entry, &log::source::key(&row.key_id)).await {
                Ok(number) => numbers.push(Some(number)),
                // It wrote nothing: the transaction goes on.
                Err(StateError::LogHalted(_)) => numbers.push(None),
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
        Ok(numbers)
    }

    /// The keys that came into force for this tenant (`None`: for the installation), oldest first, each
    /// with the change that was asked for; empty where none was: the first one.
    ///
    /// # Errors
    /// The database refused.
    pub async fn key_changes(&self, tenant: Option<&TenantId>) -> Result<Vec<(KeyRow, Vec<u8>)>, StateError> {
        let all = format!("SELECT {COLUMNS}, change FROM signing_key WHERE tenant = $1 ORDER BY from_ms");
        let rows = sqlx::query(sqlx::AssertSqlSafe(all))
            .bind(tenant.map_or("", TenantId::as_str))
            .fetch_all(self.db.pool())
            .await?;
        let change =
            |row: &AnyRow| row.try_get::<Option<Vec<u8>>, _>("change").map(Option::unwrap_or_default);
        rows.iter().map(|row| Ok((read(row)?, change(row)?))).collect()
    }

    /// Writes down the installation's first key, if none was there before.
    ///
    /// # Errors
    /// The database refused.
    pub async fn store_first_key(&self, row: &KeyRow) -> Result<(), StateError> {
        let mut tx = self.db.begin_write().await?;
        if in_force(&mut tx, "").await?.is_none() {
            store(&mut tx, row).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Writes a key down, unless it is there; what is there stays.
pub(super) async fn store(tx: &mut Transaction, row: &KeyRow) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO signing_key (tenant, label, key_id, certificate_pem, log_key, from_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, key_id) DO NOTHING",
    )
    .bind(&row.tenant)
    .bind(&row.label)
    .bind(&row.key_id)
    .bind(&row.certificate_pem)
    .bind(&row.log_key)
    .bind(row.from_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<KeyRow, StateError> {
    Ok(KeyRow {
        tenant: row.try_get("tenant")?,
        label: row.try_get("label")?,
        key_id: row.try_get("key_id")?,
        certificate_pem: row.try_get("certificate_pem")?,
        log_key: row.try_get("log_key")?,
        from_ms: row.try_get("from_ms")?,
    })
}
