//! State databases: SQLite when a service is one process, PostgreSQL when it has replicas.
//!
//! One dialect serves both: `$1` placeholders, BIGINT, TEXT and bytes, `ON CONFLICT`. What differs
//! (pragmas, the write lock, type names) is settled here.

mod migrate;
mod open;

pub use open::{Database, Kind, SqlError};

/// A write transaction of either database.
pub type Transaction = sqlx::Transaction<'static, sqlx::Any>;
