//! What the sweeper has found and told, so that a restart tells nothing again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sql::Database;

use super::{Key, Wrong};
use crate::records::RecordsError;

const STEPS: &[&str] = &["
CREATE TABLE shipper_findings (
    tenant TEXT NOT NULL,
    recording TEXT NOT NULL,
    wrong TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (tenant, recording, wrong)
);
"];

/// The table of what is wrong, since when, and whether it was told.
#[derive(Debug, Clone)]
pub struct Findings(Database);

impl Findings {
    /// Opens the table; it is made when missing.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(db: Database) -> Result<Self, RecordsError> {
        db.migrate("shipper_findings", STEPS).await?;
        Ok(Self(db))
    }

    /// Notes what is wrong `now`, and forgets what is so no more. Everything that is, since when.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn are_now(
        &self,
        found: &BTreeSet<Key>,
        now: Timestamp,
    ) -> Result<Vec<(Key, Timestamp)>, RecordsError> {
        let known: BTreeSet<Key> = self.all().await?.into_iter().map(|(key, _)| key).collect();
        for (tenant, recording, wrong) in known.difference(found) {
            sqlx::query("DELETE FROM shipper_findings WHERE tenant = $1 AND recording = $2 AND wrong = $3")
                .bind(tenant)
                .bind(recording)
                .bind(wrong.as_str())
                .execute(self.0.pool())
                .await?;
        }
        for (tenant, recording, wrong) in found.difference(&known) {
            sqlx::query(
                "INSERT INTO shipper_findings (tenant, recording, wrong, since_ms, told) VALUES ($1, $2, $3, $4, 0) \
                 ON CONFLICT (tenant, recording, wrong) DO NOTHING",
            )
            .bind(tenant)
            .bind(recording)
            .bind(wrong.as_str())
            .bind(now.as_millisecond())
            .execute(self.0.pool())
            .await?;
        }
        self.all().await
    }

    /// Everything that was wrong when somebody last looked, since when.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn all(&self) -> Result<Vec<(Key, Timestamp)>, RecordsError> {
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT tenant, recording, wrong, since_ms FROM shipper_findings ORDER BY tenant, recording, wrong",
        )
        .fetch_all(self.0.pool())
        .await?;
        let known = |(tenant, recording, word, since): (String, String, String, i64)| {
            let wrong = Wrong::ALL.into_iter().find(|wrong| wrong.as_str() == word)?;
            Some(((tenant, recording, wrong), Timestamp::from_millisecond(since).unwrap_or_default()))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Whether nobody has told of it; from now on the caller has.
    ///
    /// # Errors
    /// The database cannot be used.
    pub(super) async fn is_mine_to_tell(
        &self,
        (tenant, recording, wrong): &Key,
    ) -> Result<bool, RecordsError> {
        let told = sqlx::query(
            "UPDATE shipper_findings SET told = 1 WHERE tenant = $1 AND recording = $2 AND wrong = $3 AND told = 0",
        )
        .bind(tenant)
        .bind(recording)
        .bind(wrong.as_str())
        .execute(self.0.pool())
        .await?;
        Ok(told.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(recording: &str, wrong: Wrong) -> Key {
        ("acme".to_owned(), recording.to_owned(), wrong)
    }

    #[tokio::test]
    async fn a_finding_is_told_once_also_after_a_restart_and_again_when_it_has_come_again() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("state.sqlite").display());
        let (missing, unordered) = (key("1", Wrong::Missing), key("2", Wrong::Unordered));
        let (first, later) =
            (Timestamp::from_second(1_795_000_000).unwrap(), Timestamp::from_second(1_795_000_900).unwrap());
        {
            let findings = Findings::open(Database::open(&url).await.unwrap()).await.unwrap();
            let found = [missing.clone()].into();
            assert_eq!(findings.are_now(&found, first).await.unwrap(), [(missing.clone(), first)]);
            assert!(findings.is_mine_to_tell(&missing).await.unwrap());
            assert!(!findings.is_mine_to_tell(&missing).await.unwrap());
        }
        let findings = Findings::open(Database::open(&url).await.unwrap()).await.unwrap();
        let found = [missing.clone(), unordered.clone()].into();
        let known = findings.are_now(&found, later).await.unwrap();
        assert_eq!(known, [(missing.clone(), first), (unordered.clone(), later)]);
        assert!(!findings.is_mine_to_tell(&missing).await.unwrap());
        assert!(findings.is_mine_to_tell(&unordered).await.unwrap());
        // It was put right, and went wrong again.
        findings.are_now(&[unordered].into(), later).await.unwrap();
        findings.are_now(&[missing.clone()].into(), later).await.unwrap();
        assert!(findings.is_mine_to_tell(&missing).await.unwrap());
    }
}
