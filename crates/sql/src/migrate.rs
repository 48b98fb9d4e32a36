//! Schema steps: each is carried out once, in order, in a transaction of its own.

use crate::{Database, Kind, SqlError};

const KNOWN: &str = "CREATE TABLE IF NOT EXISTS schema_steps \
    (component TEXT NOT NULL, step BIGINT NOT NULL, PRIMARY KEY (component, step))";

impl Database {
    /// Carries out those of `steps` that this database has not seen. A step may hold several
    /// statements; `{blob}` and `{serial}` in it become the database's own type names. Steps are
    /// known by their position: append, never change one that was released.
    ///
    /// # Errors
    /// A statement failed; the step it belongs to left nothing behind.
    pub async fn migrate(&self, component: &str, steps: &[&str]) -> Result<(), SqlError> {
        let failed = || SqlError::while_doing("bringing the state database up to date");
        let mut tx = self.begin_write().await?;
        if self.kind() == Kind::Postgres {
            // One replica migrates, the others wait here and then find nothing to do.
            sqlx::query("SELECT 1 FROM (SELECT pg_advisory_xact_lock(4919000001)) AS locked")
                .execute(&mut *tx)
                .await
                .map_err(failed())?;
        }
        sqlx::query(KNOWN).execute(&mut *tx).await.map_err(failed())?;
        let (done,): (i64,) =
            sqlx::query_as("SELECT COALESCE(MAX(step), 0) FROM schema_steps WHERE component = $1")
                .bind(component)
                .fetch_one(&mut *tx)
                .await
                .map_err(failed())?;
        for (number, step) in (1_i64..).zip(steps).filter(|(number, _)| *number > done) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(self.in_own_types(step)))
                .execute(&mut *tx)
                .await
                .map_err(failed())?;
            sqlx::query("INSERT INTO schema_steps (component, step) VALUES ($1, $2)")
                .bind(component)
                .bind(number)
                .execute(&mut *tx)
                .await
                .map_err(failed())?;
        }
        tx.commit().await.map_err(failed())
    }

    fn in_own_types(&self, step: &str) -> String {
        let (blob, serial) = match self.kind() {
            Kind::Sqlite => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            Kind::Postgres => ("BYTEA", "BIGSERIAL PRIMARY KEY"),
        };
        step.replace("{blob}", blob).replace("{serial}", serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_is_carried_out_once_and_a_failed_one_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&format!("sqlite:{}", dir.path().join("s.sqlite").display())).await.unwrap();
        let one = "CREATE TABLE t (id {serial}, v {blob}); INSERT INTO t (v) VALUES (x'00')";
        db.migrate("test", &[one]).await.unwrap();
        db.migrate("test", &[one]).await.unwrap();
        assert!(db.migrate("test", &[one, "CREATE TABLE u (v BIGINT); nonsense"]).await.is_err());
        let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM t").fetch_one(db.pool()).await.unwrap();
        assert_eq!(rows, 1);
        assert!(sqlx::query("SELECT v FROM u").execute(db.pool()).await.is_err());
    }
}
