//! Entries are added to a log.

use std::collections::HashMap;

use domain::TenantId;
use evidence::{
    Sha256Hash,
    log::{Entry, What, leaf_hash},
};
use jiff::Timestamp;
use sql::Transaction;
use sqlx::Row as _;

use super::{
    StateError,
    log::{COLUMNS, LogHead, read},
    rows::{list, placeholders},
    signed, unsigned,
};

/// Clocks of replicas differ by less than this: within it a log's time stands still rather than
/// goes back. A clock that was further ahead shows in the log.
const CLOCKS_DIFFER_MS: i64 = 120_000;
/// Rows in one statement.
const ROWS: usize = 500;

/// Adds an entry and returns its number. `source` says where it comes from ([`source`](super::log::source)): what is
/// there already is not added again, and its number is returned.
///
/// Nothing waits for the commit but the caller: the number is certain only then. The entry's time
/// is set to that of the last entry if it lies up to two minutes before it.
///
/// # Errors
/// [`StateError::NoLog`] if the tenant has none yet (see [`ensure_log`](super::State::ensure_log)),
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
    let locked = sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE log SET size = size WHERE tenant = $1 RETURNING {COLUMNS}"
    )))
    .bind(tenant.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    let mut head = read(&locked.ok_or_else(|| StateError::NoLog(tenant.to_string()))?)?;
    if !head.halted.is_empty() {
        return Err(StateError::LogHalted(tenant.to_string()));
    }
    let before = head.size();
    let entries = make(&head);
    let known = numbers_of(tx, tenant, &entries).await?;
    let added = add(&mut head, entries, known);
    if head.size() == before {
        return Ok(added.numbers);
    }
    insert(tx, tenant, before, &added.rows).await?;
    let moved = sqlx::query(
        "UPDATE log SET size = $1, frontier = $2, last_ms = $3, key_id = COALESCE($4, key_id) \
         WHERE tenant = $5 AND size = $6",
    )
    .bind(signed(head.size()))
    .bind(head.frontier.to_bytes())
    .bind(head.last_ms)
    .bind(added.key_id)
    .bind(tenant.as_str())
    .bind(signed(before))
    .execute(&mut **tx)
    .await?;
    if moved.rows_affected() == 1 {
        Ok(added.numbers)
    } else {
        Err(StateError::HeadMoved(tenant.to_string()))
    }
}

/// What is written of entries that are new.
struct Added {
    /// Of each entry, also of those that were there.
    numbers: Vec<u64>,
    rows: Vec<Row>,
    /// The key that is named last among them.
    key_id: Option<String>,
}

/// Numbers follow each other.
struct Row {
    entry: Vec<u8>,
    leaf: Sha256Hash,
    source: String,
    at_ms: i64,
}

/// Puts what is not `known` behind the head.
fn add(head: &mut LogHead, entries: Vec<(Entry, String)>, mut known: HashMap<String, u64>) -> Added {
    let mut added = Added { numbers: Vec::with_capacity(entries.len()), rows: Vec::new(), key_id: None };
    for (mut entry, source) in entries {
        if let Some(number) = known.get(&source) {
            added.numbers.push(*number);
            continue;
        }
        let at_ms = entry.at.as_millisecond();
        let is_behind = (head.last_ms - CLOCKS_DIFFER_MS..head.last_ms).contains(&at_ms);
        let at_ms = if is_behind { head.last_ms } else { at_ms };
        entry.at = Timestamp::from_millisecond(at_ms).unwrap_or(entry.at);
        if let What::Key(key) = &entry.what {
            added.key_id = Some(key.key_id.to_string());
        }
        let bytes = entry.to_bytes();
        let leaf = leaf_hash(&bytes);
        added.numbers.push(head.size());
        known.insert(source.clone(), head.size());
        head.frontier.append(leaf);
        head.last_ms = at_ms;
        added.rows.push(Row { entry: bytes, leaf, source, at_ms });
    }
    added
}

/// The numbers of those that are there already, by source.
async fn numbers_of(
    tx: &mut Transaction,
    tenant: &TenantId,
    entries: &[(Entry, String)],
) -> Result<HashMap<String, u64>, StateError> {
    let mut known = HashMap::new();
    for entries in entries.chunks(ROWS) {
        let numbers = format!(
            "SELECT source, number FROM log_entry WHERE tenant = $1 AND source IN {}",
            list(2, entries.len())
        );
        let numbers = sqlx::query(sqlx::AssertSqlSafe(numbers)).bind(tenant.as_str());
        let numbers = entries.iter().fold(numbers, |numbers, (_, source)| numbers.bind(source));
        for row in numbers.fetch_all(&mut **tx).await? {
            known.insert(row.try_get("source")?, unsigned(row.try_get("number")?));
        }
    }
    Ok(known)
}

/// Writes entries from number `first` on. The log's row is locked: nobody else has written any of them.
async fn insert(tx: &mut Transaction, tenant: &TenantId, first: u64, rows: &[Row]) -> Result<(), StateError> {
    let mut number = signed(first);
    for rows in rows.chunks(ROWS) {
        let insert = format!(
            "INSERT INTO log_entry (tenant, number, entry, leaf, source, at_ms) VALUES {}",
            placeholders(1, rows.len(), 6)
        );
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(insert));
        for row in rows {
            let leaf = row.leaf.as_bytes().to_vec();
            insert = insert.bind(tenant.as_str()).bind(number).bind(row.entry.clone()).bind(leaf);
            insert = insert.bind(row.source.clone()).bind(row.at_ms);
            number += 1;
        }
        insert.execute(&mut **tx).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::RecordingId;
    use evidence::log::{Frontier, Reference};

    use super::*;

    fn head() -> LogHead {
        LogHead {
            tenant: "acme".parse().unwrap(),
            origin: String::new(),
            salt: Vec::new(),
            frontier: Frontier::default(),
            last_ms: 1_000_000,
            halted: String::new(),
            halted_by: String::new(),
            halted_ms: 0,
            key_id: String::new(),
            follows: String::new(),
        }
    }

    fn entry(head: &LogHead, at_ms: i64, source: &str) -> (Entry, String) {
        let what = What::Started { reference: Reference::of(b"salt", &RecordingId::new()) };
        let at = Timestamp::from_millisecond(at_ms).unwrap();
        (Entry { at, tenant: head.tenant.clone(), what }, source.to_owned())
    }

    #[test]
    fn what_is_known_or_comes_twice_in_one_batch_gets_no_second_number() {
        let mut head = head();
        let entries = ["new", "old", "new", "newer"].map(|source| entry(&head, 2_000_000, source)).to_vec();
        let added = add(&mut head, entries, [("old".to_owned(), 7)].into());
        assert_eq!(added.numbers, [0, 7, 0, 1]);
        assert_eq!(added.rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["new", "newer"]);
        assert_eq!(head.size(), 2);
    }

    #[test]
    fn time_stands_still_for_a_clock_that_is_a_little_behind() {
        let mut head = head();
        let times = [999_000, 1_000_500, 1_000_400, 500_000];
        let entries = times.map(|at| entry(&head, at, &at.to_string())).to_vec();
        let added = add(&mut head, entries, HashMap::new());
        let at: Vec<i64> = added.rows.iter().map(|row| row.at_ms).collect();
        assert_eq!(at, [1_000_000, 1_000_500, 1_000_500, 500_000]);
    }
}
