//! Leases with fencing: a row each; whoever takes one over raises its fence.

use std::time::Duration;

use sqlx::Row;

use super::{State, StateError, signed};

/// A lease that this replica holds, as far as it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub name: String,
    /// The replica that holds it.
    pub owner: String,
    /// Rises with each take-over; compared in each commit.
    pub fence: i64,
}

impl State {
    /// Makes the rows of leases that nobody has had yet.
    ///
    /// # Errors
    /// The database refused.
    pub async fn create_leases(&self, names: &[String]) -> Result<(), StateError> {
        let mut tx = self.db.begin_write().await?;
        for name in names {
            sqlx::query("INSERT INTO lease VALUES ($1, '', 0, 0) ON CONFLICT (name) DO NOTHING")
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Says that `replica` lives, and counts those that were seen within `lease`.
    ///
    /// # Errors
    /// The database refused.
    pub async fn live_replicas(&self, replica: &str, lease: Duration) -> Result<usize, StateError> {
        let now = self.now();
        let seen = format!(
            "INSERT INTO replica VALUES ($1, {now}) ON CONFLICT (name) DO UPDATE SET seen_ms = excluded.seen_ms"
        );
        sqlx::query(sqlx::AssertSqlSafe(seen)).bind(replica).execute(self.db.pool()).await?;
        let count = format!("SELECT COUNT(*) AS n FROM replica WHERE seen_ms > {now} - $1");
        let row =
            sqlx::query(sqlx::AssertSqlSafe(count)).bind(millis(lease)).fetch_one(self.db.pool()).await?;
        Ok(usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(1).max(1))
    }

    /// Forgets `replica`, so that the others take its share at once.
    ///
    /// # Errors
    /// The database refused.
    pub async fn forget_replica(&self, replica: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM replica WHERE name = $1").bind(replica).execute(self.db.pool()).await?;
        Ok(())
    }

    /// Names of the leases that `owner` could take: those that ran out and, with `own_too`, those
    /// an earlier run under the same name left behind.
    ///
    /// # Errors
    /// The database refused.
    pub async fn free_leases(&self, owner: &str, own_too: bool) -> Result<Vec<String>, StateError> {
        let free = format!(
            "SELECT name FROM lease WHERE expires_ms < {} OR ($1 = 1 AND owner = $2) ORDER BY name",
            self.now()
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(free))
            .bind(i64::from(own_too))
            .bind(owner)
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
    }

    /// Takes a lease if it is free (see [`free_leases`](State::free_leases)); `None`: somebody was
    /// faster.
    ///
    /// # Errors
    /// The database refused.
    pub async fn take_lease(
        &self,
        name: &str,
        owner: &str,
        own_too: bool,
        lease: Duration,
    ) -> Result<Option<Held>, StateError> {
        let now = self.now();
        let take = format!(
            "UPDATE lease SET owner = $1, fence = fence + 1, expires_ms = {now} + $2 \
             WHERE name = $3 AND (expires_ms < {now} OR ($4 = 1 AND owner = $5)) RETURNING fence"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(take))
            .bind(owner)
            .bind(millis(lease))
            .bind(name)
            .bind(i64::from(own_too))
            .bind(owner)
            .fetch_optional(self.db.pool())
            .await?;
        row.map(|row| {
            Ok(Held { name: name.to_owned(), owner: owner.to_owned(), fence: row.try_get("fence")? })
        })
        .transpose()
    }

    /// Prolongs leases, all in one transaction; returns those that are somebody else's now.
    ///
    /// # Errors
    /// The database refused.
    pub async fn renew_leases<'a>(
        &self,
        leases: &'a [Held],
        lease: Duration,
    ) -> Result<Vec<&'a Held>, StateError> {
        let renew = format!(
            "UPDATE lease SET expires_ms = {} + $1 WHERE name = $2 AND fence = $3 AND owner = $4",
            self.now()
        );
        let mut tx = self.db.begin_write().await?;
        let mut lost = Vec::new();
        for held in leases {
            let done = sqlx::query(sqlx::AssertSqlSafe(renew.as_str()))
                .bind(millis(lease))
                .bind(&held.name)
                .bind(held.fence)
                .bind(&held.owner)
                .execute(&mut *tx)
                .await?;
            if done.rows_affected() == 0 {
                lost.push(held);
            }
        }
        tx.commit().await?;
        Ok(lost)
    }

    /// Gives a lease back, so that another replica need not wait for it to run out.
    ///
    /// # Errors
    /// The database refused.
    pub async fn release_lease(&self, held: &Held) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE lease SET expires_ms = 0, owner = '' WHERE name = $1 AND fence = $2 AND owner = $3",
        )
        .bind(&held.name)
        .bind(held.fence)
        .bind(&held.owner)
        .execute(self.db.pool())
        .await?;
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    signed(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    async fn state(dir: &tempfile::TempDir) -> State {
        let state = State::open(&format!("sqlite:{}/s.sqlite", dir.path().display())).await.unwrap();
        state.create_leases(&["seal".to_owned()]).await.unwrap();
        state
    }

    #[tokio::test]
    async fn a_held_lease_is_nobody_elses_until_it_runs_out() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir).await;
        let a = state.take_lease("seal", "a", false, Duration::from_millis(1)).await.unwrap().unwrap();
        assert!(state.renew_leases(std::slice::from_ref(&a), LEASE).await.unwrap().is_empty());
        assert_eq!(state.take_lease("seal", "b", false, LEASE).await.unwrap(), None);
        assert!(state.renew_leases(std::slice::from_ref(&a), Duration::ZERO).await.unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(5)).await;
        let b = state.take_lease("seal", "b", false, LEASE).await.unwrap().unwrap();
        assert!(b.fence > a.fence);
        assert_eq!(state.renew_leases(&[a.clone(), b.clone()], LEASE).await.unwrap(), [&a]);
        assert!(matches!(state.begin_fenced(&a).await, Err(StateError::Fenced(_))));
        assert!(state.begin_fenced(&b).await.is_ok());
    }

    #[tokio::test]
    async fn a_restarted_replica_takes_its_own_leases_at_once_and_fences_its_former_self() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir).await;
        let before = state.take_lease("seal", "a", false, LEASE).await.unwrap().unwrap();
        assert!(state.free_leases("a", false).await.unwrap().is_empty());
        assert_eq!(state.free_leases("a", true).await.unwrap(), ["seal"]);
        let after = state.take_lease("seal", "a", true, LEASE).await.unwrap().unwrap();
        assert!(after.fence > before.fence);
        assert!(state.begin_fenced(&before).await.is_err());
    }

    #[tokio::test]
    async fn a_released_lease_is_free_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = state(&dir).await;
        let a = state.take_lease("seal", "a", false, LEASE).await.unwrap().unwrap();
        state.release_lease(&a).await.unwrap();
        assert!(state.take_lease("seal", "b", false, LEASE).await.unwrap().is_some());
    }
}
