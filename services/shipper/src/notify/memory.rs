//! What people were told, what they are to be told, and what services reported: in SQL, so that a
//! restart neither repeats nor loses a mail, and several replicas send each once.
//!
//! Write order: a change of what people were told and the mail that tells it are one transaction. Crash
//! before: it is found out again. Crash after: the mail waits in the table, and is sent at the next
//! start. Crash between the server's taking it and the note of that: it is sent again, with the same
//! Message-ID.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sql::{Database, Kind as DatabaseKind, SqlError, Transaction};
use sqlx::{Row as _, any::AnyRow};

use super::{
    access::Ending,
    episode::Episode,
    observed::{Key, Kind},
    stage::Stage,
};

const STEPS: &[&str] = &[
    "
CREATE TABLE notify_faults (
    audience TEXT NOT NULL,
    service TEXT NOT NULL,
    tenant TEXT NOT NULL,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    since BIGINT NOT NULL,
    gone_since BIGINT,
    told BIGINT,
    peak BIGINT NOT NULL,
    told_at BIGINT,
    most BIGINT NOT NULL,
    level BIGINT NOT NULL,
    problem TEXT NOT NULL,
    recording TEXT NOT NULL,
    PRIMARY KEY (audience, service, tenant, place, kind)
);
CREATE TABLE notify_endings (
    audience TEXT NOT NULL,
    tenant TEXT NOT NULL,
    place TEXT NOT NULL,
    what TEXT NOT NULL,
    stage TEXT NOT NULL,
    PRIMARY KEY (audience, tenant, place, what)
);
CREATE TABLE notify_digests (
    audience TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE TABLE notify_mails (
    position {serial},
    audience TEXT NOT NULL,
    about TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    message_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    got TEXT NOT NULL DEFAULT ''
);
CREATE TABLE notify_reports (
    service TEXT NOT NULL,
    tenant TEXT NOT NULL,
    place TEXT NOT NULL,
    problem TEXT NOT NULL,
    recording TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (service, tenant, place)
);
",
    "
ALTER TABLE notify_mails ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;
CREATE TABLE notify_dropped (
    audience TEXT NOT NULL PRIMARY KEY,
    mails BIGINT NOT NULL
);
",
];

/// Why the tables could not be used. What is to be told is found out again.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The state database.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A statement on it.
    #[error("what people were told cannot be looked up in the state database")]
    Statement(#[from] sqlx::Error),
}

/// The tables of the notifications.
#[derive(Debug, Clone)]
pub struct Memory {
    db: Database,
    /// So many mails wait for one audience at most.
    pub(super) most_waiting: u32,
}

impl Memory {
    /// Opens the tables; they are made when missing. Of more than `most_waiting` mails of one audience the
    /// oldest go: its server is away for weeks then.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(db: Database, most_waiting: u32) -> Result<Self, MemoryError> {
        db.migrate("notifications", STEPS).await?;
        if db.kind() == DatabaseKind::Sqlite {
            // This process is the only one: what a killed one had in hand is nobody's.
            sqlx::query("UPDATE notify_mails SET next_attempt_at = 0").execute(db.pool()).await?;
        }
        Ok(Self { db, most_waiting })
    }

    /// The database they lie in.
    pub const fn database(&self) -> &Database {
        &self.db
    }

    /// Begins a look at what people know: one replica at a time.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn begin(&self) -> Result<Transaction, MemoryError> {
        let mut tx = self.db.begin_write().await?;
        if self.db.kind() == DatabaseKind::Postgres {
            sqlx::query("SELECT 1 FROM (SELECT pg_advisory_xact_lock(4919000002)) AS locked")
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx)
    }

    /// The faults that `audience` was told of, or soon will be.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn faults(
        &self,
        tx: &mut Transaction,
        audience: &str,
    ) -> Result<BTreeMap<Key, Episode>, MemoryError> {
        let rows = sqlx::query(
            "SELECT service, tenant, place, kind, since, gone_since, told, peak, told_at, most, level, problem, recording \
             FROM notify_faults WHERE audience = $1",
        )
        .bind(audience)
        .fetch_all(&mut **tx)
        .await?;
        // A kind that this version does not know: of a later one. It stays.
        let known = rows.iter().map(fault).collect::<Result<Vec<_>, _>>()?;
        Ok(known.into_iter().flatten().collect())
    }

    /// Notes what became of a fault.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn keep_fault(
        &self,
        tx: &mut Transaction,
        audience: &str,
        key: &Key,
        episode: Option<&Episode>,
    ) -> Result<(), MemoryError> {
        let tenant = key.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        sqlx::query(
            "DELETE FROM notify_faults WHERE audience = $1 AND service = $2 AND tenant = $3 AND place = $4 AND kind = $5",
        )
        .bind(audience)
        .bind(key.service.as_str())
        .bind(tenant)
        .bind(key.place.as_str())
        .bind(key.kind.as_str())
        .execute(&mut **tx)
        .await?;
        let Some(episode) = episode else { return Ok(()) };
        sqlx::query(
            "INSERT INTO notify_faults (audience, service, tenant, place, kind, since, gone_since, told, peak, told_at, \
             most, level, problem, recording) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(audience)
        .bind(key.service.as_str())
        .bind(tenant)
        .bind(key.place.as_str())
        .bind(key.kind.as_str())
        .bind(episode.since.as_millisecond())
        .bind(episode.gone_since.map(Timestamp::as_millisecond))
        .bind(episode.told.map(i64::from))
        .bind(i64::from(episode.peak))
        .bind(episode.told_at.map(Timestamp::as_millisecond))
        .bind(i64::try_from(episode.most).unwrap_or(i64::MAX))
        .bind(i64::from(episode.level))
        .bind(episode.problem.as_str())
        .bind(episode.recording.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// When `audience` last got a digest.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn last_digest(
        &self,
        tx: &mut Transaction,
        audience: &str,
    ) -> Result<Option<Timestamp>, MemoryError> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT at FROM notify_digests WHERE audience = $1")
            .bind(audience)
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|(at,)| time(at)))
    }

    /// Notes that it gets one now.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn note_digest(
        &self,
        tx: &mut Transaction,
        audience: &str,
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        sqlx::query(
            "INSERT INTO notify_digests (audience, at) VALUES ($1, $2) \
             ON CONFLICT (audience) DO UPDATE SET at = excluded.at",
        )
        .bind(audience)
        .bind(now.as_millisecond())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Which stage of an ending `audience` was told of.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn stage(
        &self,
        tx: &mut Transaction,
        audience: &str,
        ending: &Ending,
    ) -> Result<Option<Stage>, MemoryError> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT stage FROM notify_endings WHERE audience = $1 AND tenant = $2 AND place = $3 AND what = $4",
        )
        .bind(audience)
        .bind(ending.tenant.as_ref().map_or("", |tenant| tenant.as_str()))
        .bind(ending.place.as_str())
        .bind(ending.what.as_str())
        .fetch_optional(&mut **tx)
        .await?;
        Ok(row.and_then(|(word,)| Stage::parse(&word)))
    }

    /// Notes which it was told of.
    ///
    /// # Errors
    /// The statement failed.
    pub async fn keep_stage(
        &self,
        tx: &mut Transaction,
        audience: &str,
        ending: &Ending,
        stage: Option<Stage>,
    ) -> Result<(), MemoryError> {
        let tenant = ending.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        sqlx::query(
            "DELETE FROM notify_endings WHERE audience = $1 AND tenant = $2 AND place = $3 AND what = $4",
        )
        .bind(audience)
        .bind(tenant)
        .bind(ending.place.as_str())
        .bind(ending.what.as_str())
        .execute(&mut **tx)
        .await?;
        let Some(stage) = stage else { return Ok(()) };
        sqlx::query(
            "INSERT INTO notify_endings (audience, tenant, place, what, stage) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(audience)
        .bind(tenant)
        .bind(ending.place.as_str())
        .bind(ending.what.as_str())
        .bind(stage.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

fn fault(row: &AnyRow) -> Result<Option<(Key, Episode)>, sqlx::Error> {
    let word: String = row.try_get("kind")?;
    let tenant: String = row.try_get("tenant")?;
    let Some(kind) = Kind::parse(&word) else { return Ok(None) };
    let key = Key {
        service: row.try_get("service")?,
        tenant: tenant.parse().ok(),
        place: row.try_get("place")?,
        kind,
    };
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let most = row.try_get::<i64, _>("most")?.unsigned_abs();
    let episode = Episode {
        since: time(row.try_get("since")?),
        gone_since: row.try_get::<Option<i64>, _>("gone_since")?.map(time),
        told: row.try_get::<Option<i64>, _>("told")?.map(small),
        peak: small(row.try_get("peak")?),
        told_at: row.try_get::<Option<i64>, _>("told_at")?.map(time),
        most,
        level: small(row.try_get("level")?),
        count: most,
        problem: row.try_get("problem")?,
        recording: row.try_get("recording")?,
    };
    Ok(Some((key, episode)))
}

/// A time out of the tables.
pub(super) fn time(unix_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(unix_ms).unwrap_or_default()
}
