//! The archive index: which recording lies where under which names, until when it is kept, what stands
//! against its deletion, and what became of it (F-84).
//!
//! A recording comes into the index in the transaction that takes it in, and its files in the one that notes
//! an order as done. Its row is never deleted: when no file is left anywhere it becomes a tombstone, without
//! the names of files, which hold numbers.
//!
//! A deletion, with what a crash right after each step leaves behind:
//! 1. it is *marked*, in one transaction with the look at holds, at the retention and at open orders
//!    ([`deletions`]). Crash: it is found as marked;
//! 2. everything is looked at once more; then the signer writes the entry `deleted` into the tenant's log, and
//!    says where it stands ([`removal`]). Crash: the signer is asked with the same word, and answers for the
//!    entry that is there;
//! 3. the entry's place is noted: *logged*;
//! 4. file after file is removed from the targets that allow it, each noted, after a look whether a hold came
//!    meanwhile; then from staging. Crash: what is gone counts as removed;
//! 5. it is *done*, and where no file is left, the recording's row becomes a tombstone.

mod carrying;
mod clock;
mod compare;
mod deletions;
mod desk;
mod holds;
mod index;
mod judgement;
mod keeping;
mod lanes;
mod people;
mod policy;
mod removal;
mod retain;
#[cfg(test)]
mod tests;
mod troubles;

use delivery::{DeliveryError, WorkList};
use jiff::Timestamp;
use sql::{Database, SqlError, Transaction};

pub use compare::{Comparer, Disagreement};
pub use index::Brought;
pub use keeping::{Keeping, Rounds};
pub use policy::Policy;
pub use removal::Parts;
pub use troubles::{ClockInDoubt, StuckDeletions};

const STEPS: &[&str] = &["
CREATE TABLE archive_recordings (
    tenant TEXT NOT NULL,
    recording TEXT NOT NULL,
    rule TEXT NOT NULL,
    class TEXT NOT NULL,
    call TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    time_zone TEXT NOT NULL,
    keep_until BIGINT NOT NULL,
    erasable BIGINT NOT NULL,
    indexed_at BIGINT NOT NULL,
    next_look_at BIGINT NOT NULL,
    deleted_at BIGINT,
    reason TEXT,
    deleted_by TEXT,
    log_entry BIGINT,
    PRIMARY KEY (tenant, recording)
);
CREATE INDEX archive_recordings_due ON archive_recordings (next_look_at) WHERE deleted_at IS NULL AND keep_until > 0;
CREATE INDEX archive_recordings_id ON archive_recordings (recording);
CREATE INDEX archive_recordings_rule ON archive_recordings (tenant, rule);
CREATE INDEX archive_recordings_call ON archive_recordings (tenant, call);
CREATE INDEX archive_recordings_started ON archive_recordings (tenant, started_at);
CREATE TABLE archive_files (
    tenant TEXT NOT NULL,
    recording TEXT NOT NULL,
    target TEXT NOT NULL,
    file TEXT NOT NULL,
    folder TEXT NOT NULL,
    stored_name TEXT NOT NULL,
    place TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 {blob} NOT NULL,
    verified_by TEXT NOT NULL,
    stored_at BIGINT NOT NULL,
    removed_at BIGINT,
    PRIMARY KEY (tenant, recording, target, file)
);
CREATE INDEX archive_files_folder ON archive_files (tenant, target, folder) WHERE removed_at IS NULL;
CREATE TABLE archive_holds (
    hold {serial},
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    to_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    release_by TEXT,
    release_reason TEXT,
    release_at BIGINT,
    confirmed_by TEXT,
    released_at BIGINT
);
CREATE INDEX archive_holds_in_force ON archive_holds (tenant) WHERE released_at IS NULL;
CREATE TABLE archive_deletions (
    deletion {serial},
    tenant TEXT NOT NULL,
    recording TEXT NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    confirmed_by TEXT,
    marked_at BIGINT,
    targets TEXT NOT NULL DEFAULT '',
    everywhere BIGINT NOT NULL DEFAULT 0,
    log_entry BIGINT,
    next_at BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    done_at BIGINT
);
CREATE UNIQUE INDEX archive_deletions_open ON archive_deletions (tenant, recording)
    WHERE state IN ('requested', 'marked', 'logged');
CREATE INDEX archive_deletions_due ON archive_deletions (next_at) WHERE state IN ('marked', 'logged');
CREATE TABLE archive_guards (tenant TEXT PRIMARY KEY, changes BIGINT NOT NULL);
CREATE TABLE archive_clock (one BIGINT PRIMARY KEY, seen_at BIGINT NOT NULL, trusted_from BIGINT NOT NULL);
", "
ALTER TABLE archive_deletions ADD COLUMN stuck_since BIGINT;
ALTER TABLE archive_deletions ADD COLUMN remains TEXT NOT NULL DEFAULT '';
DROP INDEX archive_files_folder;
CREATE INDEX archive_files_folder ON archive_files (tenant, target, folder, stored_name) WHERE removed_at IS NULL;
CREATE TABLE archive_policies (tenant TEXT PRIMARY KEY, word TEXT NOT NULL);
"];

/// Why the index could not be used. Nothing is lost: whatever was to be done is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The state database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A statement on it.
    #[error("the archive index in the shipper's state database cannot be used")]
    Statement(#[from] sqlx::Error),
    /// The work list in the same database.
    #[error(transparent)]
    List(#[from] DeliveryError),
}

/// The archive index. Times are arguments: it has no clock.
#[derive(Debug, Clone)]
pub struct Archive {
    db: Database,
    list: WorkList,
}

impl Archive {
    /// Opens the index in the database of `list`; its tables are made when missing.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(list: WorkList) -> Result<Self, ArchiveError> {
        let db = list.database().clone();
        db.migrate("archive", STEPS).await?;
        Ok(Self { db, list })
    }

    /// Lets no two transactions look at holds and deletions of a tenant and change them at the same time. What
    /// changes several rows of a tenant comes by here first, so that no two wait for each other's rows.
    /// On SQLite one write transaction excludes the others anyway.
    async fn guard(tx: &mut Transaction, tenant: &str) -> Result<(), ArchiveError> {
        sqlx::query(
            "INSERT INTO archive_guards (tenant, changes) VALUES ($1, 1) \
             ON CONFLICT (tenant) DO UPDATE SET changes = archive_guards.changes + 1",
        )
        .bind(tenant)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// Milliseconds of the database as a time.
fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// Every number in these columns was written as one that is not negative.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
