//! What the index knows of a folder, in pages: a folder may hold the recordings of years.

use domain::RecordingId;

use super::Folder;
use crate::archive::{Archive, ArchiveError};

/// A file that should lie in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Known {
    /// Its name there. Sensitive.
    pub name: String,
    pub recording: RecordingId,
    /// When it was verified there, Unix ms.
    pub stored_at: i64,
}

/// How the index stands to a recording, whosever it is: tenants may share a folder.
pub(super) enum Standing {
    Unknown,
    Known,
    Deleted,
}

impl Archive {
    /// The folder that comes after this one; `None`: the round is over.
    pub(in crate::archive) async fn folder_after(
        &self,
        last: Option<&Folder>,
    ) -> Result<Option<Folder>, ArchiveError> {
        let (tenant, target, folder) =
            last.map_or(("", "", ""), |last| (&last.tenant, &last.target, &last.folder));
        let next: Option<(String, String, String)> = sqlx::query_as(
            "SELECT tenant, target, folder FROM archive_files WHERE removed_at IS NULL AND (tenant > $1 \
             OR (tenant = $1 AND target > $2) OR (tenant = $1 AND target = $2 AND folder > $3)) \
             ORDER BY tenant, target, folder LIMIT 1",
        )
        .bind(tenant)
        .bind(target)
        .bind(folder)
        .fetch_optional(self.db.pool())
        .await?;
        Ok(next.map(|(tenant, target, folder)| Folder { tenant, target, folder }))
    }

    /// At most so many of the files that lie in a folder as the index knows it, those whose names come after
    /// this one.
    pub(in crate::archive) async fn files_after(
        &self,
        folder: &Folder,
        last: &str,
        most: usize,
    ) -> Result<Vec<Known>, ArchiveError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT stored_name, recording, stored_at FROM archive_files \
             WHERE tenant = $1 AND target = $2 AND folder = $3 AND stored_name > $4 AND removed_at IS NULL \
             ORDER BY stored_name LIMIT $5",
        )
        .bind(folder.tenant.as_str())
        .bind(folder.target.as_str())
        .bind(folder.folder.as_str())
        .bind(last)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(self.db.pool())
        .await?;
        let read = rows.into_iter().map(|(name, id, stored_at)| match id.parse() {
            Ok(recording) => Ok(Known { name, recording, stored_at }),
            // It cannot have been written so.
            Err(_) => Err(ArchiveError::Statement(sqlx::Error::Decode("an id in the index".into()))),
        });
        read.collect()
    }

    /// Whether the index still has this file there: its removal may have been noted meanwhile, or is about to
    /// be.
    pub(in crate::archive) async fn still_has(
        &self,
        folder: &Folder,
        recording: RecordingId,
        name: &str,
    ) -> Result<bool, ArchiveError> {
        let (going, known): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM archive_deletions WHERE tenant = $1 AND recording = $2 \
             AND state IN ('marked', 'logged')), (SELECT count(*) FROM archive_files WHERE tenant = $1 \
             AND recording = $2 AND target = $3 AND folder = $4 AND stored_name = $5 AND removed_at IS NULL)",
        )
        .bind(folder.tenant.as_str())
        .bind(recording.to_string())
        .bind(folder.target.as_str())
        .bind(folder.folder.as_str())
        .bind(name)
        .fetch_one(self.db.pool())
        .await?;
        Ok(going == 0 && known > 0)
    }

    pub(super) async fn standing(&self, recording: RecordingId) -> Result<Standing, ArchiveError> {
        let rows: Vec<(Option<i64>,)> =
            sqlx::query_as("SELECT deleted_at FROM archive_recordings WHERE recording = $1")
                .bind(recording.to_string())
                .fetch_all(self.db.pool())
                .await?;
        Ok(match rows.as_slice() {
            [] => Standing::Unknown,
            rows if rows.iter().all(|(deleted,)| deleted.is_some()) => Standing::Deleted,
            _ => Standing::Known,
        })
    }
}
