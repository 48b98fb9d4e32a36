//! Opening a state database by its URL.

use std::time::Duration;

use sqlx::{AnyPool, any::AnyPoolOptions};

use crate::Transaction;

/// Connections to a SQLite file besides the one that writes transactions.
const SQLITE_READERS: u32 = 8;

/// How long a transaction may wait for its own process before PostgreSQL takes it back, with all its locks.
const LONGEST_IDLE_MS: u32 = 60_000;

/// Which server keeps the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of this process alone.
    Sqlite,
    /// A server shared by replicas.
    Postgres,
}

/// Why the state database cannot be used. Texts name the database's kind, never its URL: that may
/// hold a password.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The URL is neither of the two kinds.
    #[error(
        "a state database is \"sqlite:/path/to/file.sqlite\" or \"postgres://user:password@host/database\""
    )]
    Url,
    /// The schema parameter is not a plain name.
    #[error("the schema of a PostgreSQL state database must be 1 to 63 characters a-z, 0-9 or _")]
    Schema,
    /// The database said no.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
}

impl SqlError {
    pub(crate) fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

/// A state database, opened.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    /// Where transactions begin that write. One connection on SQLite, which lets one write at a time
    /// anyway: writers wait for it in turn instead of trying again and again, and what it knows of the
    /// file stays true between two transactions.
    writers: AnyPool,
    kind: Kind,
}

impl Database {
    /// Opens `sqlite:/path/file.sqlite` (made when missing; WAL, `synchronous=FULL`: a commit is on
    /// disk) or `postgres://…[?schema=name]` (the schema is made when missing).
    ///
    /// # Errors
    /// The URL is of another kind, or the database cannot be reached or opened.
    pub async fn open(url: &str) -> Result<Self, SqlError> {
        sqlx::any::install_default_drivers();
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url).await
        } else {
            Err(SqlError::Url)
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self, SqlError> {
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}mode=rwc");
        let pool = sqlite_pool(&url, SQLITE_READERS).await?;
        let writers = sqlite_pool(&url, 1).await?;
        Ok(Self { pool, writers, kind: Kind::Sqlite })
    }

    async fn open_postgres(url: &str) -> Result<Self, SqlError> {
        let (url, schema) = split_schema(url)?;
        let after_connect = schema.clone();
        let pool = AnyPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                let schema = after_connect.clone();
                Box::pin(async move {
                    // A replica that is frozen in the middle of a transaction keeps no other waiting for ever.
                    let set = format!("SET idle_in_transaction_session_timeout = {LONGEST_IDLE_MS}");
                    sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut *connection).await?;
                    if let Some(schema) = schema {
                        let set = format!("SET search_path TO \"{schema}\"");
                        sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await
            .map_err(SqlError::while_doing("connecting to the PostgreSQL state database"))?;
        if let Some(schema) = schema {
            // Replicas start together: two CREATE SCHEMA IF NOT EXISTS may collide, so one at a time.
            let create = format!(
                "DO $$ BEGIN PERFORM pg_advisory_xact_lock(4919000001); CREATE SCHEMA IF NOT EXISTS \"{schema}\"; END $$"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(create))
                .execute(&pool)
                .await
                .map_err(SqlError::while_doing("making the schema of the PostgreSQL state database"))?;
        }
        Ok(Self { writers: pool.clone(), pool, kind: Kind::Postgres })
    }

    /// The pool, for reads and single statements.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which kind it is, where the SQL must differ.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Closes all connections, readers and writers, once their statements have ended: of a SQLite file
    /// nobody holds a part any more, its write-ahead log is back in the file itself. For a file that is to
    /// be copied or replaced.
    pub async fn close(&self) {
        self.writers.close().await;
        self.pool.close().await;
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once, so that it
    /// cannot fail half-way with "database is locked".
    ///
    /// # Errors
    /// The database cannot be reached, or stays locked for longer than 30 s.
    pub async fn begin_write(&self) -> Result<Transaction, SqlError> {
        let begun = match self.kind {
            Kind::Sqlite => self.writers.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.writers.begin().await,
        };
        begun.map_err(SqlError::while_doing("beginning a transaction"))
    }
}

/// Connections to a SQLite file, each with what makes a commit durable.
async fn sqlite_pool(url: &str, connections: u32) -> Result<AnyPool, SqlError> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // The order matters: a busy file must be waited for before its mode is changed.
                for pragma in
                    ["busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]
                {
                    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}")))
                        .execute(&mut *connection)
                        .await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await
        .map_err(SqlError::while_doing("opening the SQLite state file"))
}

/// Takes the parameter `schema` out of a PostgreSQL URL: the driver does not know it.
fn split_schema(url: &str) -> Result<(String, Option<String>), SqlError> {
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let (schema, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|p| p.starts_with("schema="));
    let schema = schema.first().map(|p| p["schema=".len()..].to_owned());
    if let Some(name) = &schema {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
            return Err(SqlError::Schema);
        }
    }
    let url = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
    Ok((url, schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_parameter_is_taken_out_and_the_others_stay() {
        let (url, schema) = split_schema("postgres://u@h/d?schema=signer&sslmode=disable").unwrap();
        assert_eq!((url.as_str(), schema.as_deref()), ("postgres://u@h/d?sslmode=disable", Some("signer")));
        assert!(matches!(split_schema("postgres://h/d?schema=a\";drop"), Err(SqlError::Schema)));
    }

    #[tokio::test]
    async fn a_sqlite_state_is_durable_and_its_writers_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&format!("sqlite:{}", dir.path().join("s.sqlite").display())).await.unwrap();
        let (mode,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(db.pool()).await.unwrap();
        let (sync,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(db.pool()).await.unwrap();
        assert_eq!((mode.as_str(), sync), ("wal", 2));
        sqlx::query("CREATE TABLE n (v BIGINT)").execute(db.pool()).await.unwrap();
        let writers = (0..16).map(|v| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin_write().await.unwrap();
                sqlx::query("INSERT INTO n VALUES ($1)").bind(v).execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM n").fetch_one(db.pool()).await.unwrap();
        assert_eq!(count, 16);
    }

    #[tokio::test]
    async fn a_sqlite_file_that_was_closed_holds_everything_and_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (file, copy) = (dir.path().join("s.sqlite"), dir.path().join("copy.sqlite"));
        let open = async || Database::open(&format!("sqlite:{}", file.display())).await.unwrap();
        let count = async |db: &Database| {
            let (count,): (i64,) =
                sqlx::query_as("SELECT count(*) FROM n").fetch_one(db.pool()).await.unwrap();
            count
        };
        let add = async |db: &Database| {
            let mut tx = db.begin_write().await.unwrap();
            sqlx::query("INSERT INTO n VALUES (1)").execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        };
        let db = open().await;
        sqlx::query("CREATE TABLE n (v BIGINT)").execute(db.pool()).await.unwrap();
        add(&db).await;
        assert_eq!(count(&db).await, 1);
        db.close().await;
        for beside in ["s.sqlite-wal", "s.sqlite-shm"] {
            assert!(!dir.path().join(beside).exists(), "{beside} is still there");
        }
        std::fs::copy(&file, &copy).unwrap();
        let db = open().await;
        add(&db).await;
        db.close().await;
        std::fs::copy(&copy, &file).unwrap();
        assert_eq!(count(&open().await).await, 1);
    }

    #[tokio::test]
    async fn another_kind_of_url_is_refused_without_repeating_it() {
        let error = Database::open("mysql://root:secret@h/d").await.unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
