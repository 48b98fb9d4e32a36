//! Targets compared with the index, one folder after the other: what lies there without the index knowing it,
//! and what the index knows and does not lie there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bus::with_sources;
use delivery::{Destination, Reporter};
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use prometheus::{IntGaugeVec, Opts, Registry};
use targets::Kind;
use tokio_util::sync::CancellationToken;
use wire::delivery_v1::Finding;

use super::{Archive, ArchiveError};
use crate::open_targets::OpenTargets;

/// Findings of one folder that are shown.
const SHOWN: usize = 100;

const GONE: &str = "the archive index has a file of it there, and it is gone; look who else deletes there, and bring it back from a \
                    backup or another target";
const UNKNOWN: &str = "files of it lie there, and the archive index does not know the recording: somebody put them there, or the \
                       shipper's state is new or was set back";
const DELETED: &str = "files of it lie there although it was deleted lawfully; they were put back, or the target is another place \
                       than it was";

/// What is wrong in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Gone,
    Unknown,
    Deleted,
}

impl Wrong {
    const ALL: [Self; 3] = [Self::Gone, Self::Unknown, Self::Deleted];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Unknown => "unknown",
            Self::Deleted => "deleted",
        }
    }

    const fn problem(self) -> &'static str {
        match self {
            Self::Gone => GONE,
            Self::Unknown => UNKNOWN,
            Self::Deleted => DELETED,
        }
    }
}

/// A folder of a target in which files of the index lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    tenant: String,
    target: String,
    folder: String,
}

/// Since when a recording is not as it should be in a folder.
type Found = BTreeMap<(Wrong, RecordingId), Timestamp>;

/// Compares targets with the index, at a rate that burdens none.
#[derive(Clone)]
pub struct Comparer {
    archive: Archive,
    targets: Arc<OpenTargets>,
    reporter: Reporter,
    /// In memory: a round finds it again.
    found: Arc<Mutex<BTreeMap<Folder, Found>>>,
    count: IntGaugeVec,
    every: Duration,
}

impl Comparer {
    /// Looks at a folder each `every`. Registers `callseal_shipper_archive_findings`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(
        archive: Archive,
        targets: Arc<OpenTargets>,
        reporter: Reporter,
        every: Duration,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let help = "Recordings that targets and the archive index do not agree about, by what is wrong: gone, unknown, deleted.";
        let count = IntGaugeVec::new(Opts::new("callseal_shipper_archive_findings", help), &["wrong"])?;
        registry.register(Box::new(count.clone()))?;
        Ok(Self { archive, targets, reporter, found: Arc::default(), count, every })
    }

    /// Goes round all folders until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut last = None;
        while !shutdown.is_cancelled() {
            last = match self.archive.folder_after(last.as_ref()).await {
                Ok(Some(folder)) => {
                    self.look(&folder).await;
                    Some(folder)
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(
                        error = with_sources(&error),
                        "targets cannot be compared with the index now"
                    );
                    None
                }
            };
            let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(self.every)).await;
        }
    }

    async fn look(&self, folder: &Folder) {
        match self.compare(folder).await {
            // A target that is away is told by what is brought there.
            Ok(None) => {}
            Ok(Some(found)) => self.note(folder, found),
            Err(error) => {
                tracing::warn!(error = with_sources(&error), "targets cannot be compared with the index now");
            }
        }
    }

    /// What is wrong in a folder; `None`: its target does not say.
    async fn compare(&self, folder: &Folder) -> Result<Option<BTreeSet<(Wrong, RecordingId)>>, ArchiveError> {
        let (Ok(tenant), Ok(name)) = (folder.tenant.parse::<TenantId>(), folder.target.parse()) else {
            return Ok(None);
        };
        // Before the target is listed: what comes in between is there, and what goes is noted after.
        let known = self.archive.names_in(folder).await?;
        let Some(opened) = self.targets.get(&Destination { tenant, name }).await else { return Ok(None) };
        let Some(target) = opened.place.storage() else { return Ok(None) };
        let Ok(listed) = target.list(&folder.folder).await else { return Ok(None) };
        let there: BTreeSet<&str> = listed
            .iter()
            .filter(|it| matches!(it.kind, Kind::File { .. }))
            .map(|it| it.name.as_str())
            .collect();
        let mut wrong = BTreeSet::new();
        let missing = known.iter().filter(|(name, _)| !there.contains(name.as_str()));
        for recording in missing.map(|(_, recording)| *recording).collect::<BTreeSet<_>>() {
            if self.archive.still_has(folder, recording, &there).await? {
                wrong.insert((Wrong::Gone, recording));
            }
        }
        let strange = there.iter().filter(|name| !known.contains_key(**name));
        for recording in strange.filter_map(|name| recording_of(name)).collect::<BTreeSet<_>>() {
            match self.archive.standing(recording).await? {
                Standing::Unknown => drop(wrong.insert((Wrong::Unknown, recording))),
                Standing::Deleted => drop(wrong.insert((Wrong::Deleted, recording))),
                // Perhaps it is just being brought, or its deletion waits.
                Standing::Known => {}
            }
        }
        Ok(Some(wrong))
    }

    fn note(&self, folder: &Folder, wrong: BTreeSet<(Wrong, RecordingId)>) {
        let now = Timestamp::now();
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(folder).unwrap_or_default();
        let news: Vec<(Wrong, RecordingId)> =
            wrong.iter().filter(|it| !before.contains_key(*it)).copied().collect();
        let found: Found =
            wrong.into_iter().map(|it| (it, before.get(&it).copied().unwrap_or(now))).collect();
        if !found.is_empty() {
            all.insert(folder.clone(), found);
        }
        for kind in Wrong::ALL {
            let of_kind = all.values().flat_map(BTreeMap::keys).filter(|(wrong, _)| *wrong == kind).count();
            self.count.with_label_values(&[kind.as_str()]).set(i64::try_from(of_kind).unwrap_or(i64::MAX));
        }
        drop(all);
        let Ok(tenant) = folder.tenant.parse::<TenantId>() else { return };
        for kind in Wrong::ALL {
            let of_kind: Vec<RecordingId> =
                news.iter().filter(|(wrong, _)| *wrong == kind).map(|(_, recording)| *recording).collect();
            let place = format!("target {}", folder.target);
            match of_kind.as_slice() {
                [] => {}
                [one] => self.reporter.fault(&tenant, Some(*one), &place, kind.problem(), false),
                many => {
                    let problem = format!("{} recordings: {}", many.len(), kind.problem());
                    self.reporter.fault(&tenant, None, &place, &problem, false);
                }
            }
        }
    }

    /// What the rounds have found, some of each folder.
    pub fn findings(&self) -> Vec<Finding> {
        let all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = |folder: &Folder, (wrong, recording): &(Wrong, RecordingId), since: &Timestamp| Finding {
            tenant: folder.tenant.clone(),
            recording_id: recording.to_string(),
            target: folder.target.clone(),
            problem: wrong.problem().to_owned(),
            since_unix_ms: since.as_millisecond(),
        };
        let of = |(folder, found)| {
            let folder: &Folder = folder;
            let found: &Found = found;
            found.iter().take(SHOWN).map(|(it, since)| shown(folder, it, since)).collect::<Vec<_>>()
        };
        all.iter().flat_map(of).collect()
    }
}

/// How the index stands to a recording, whosever it is: tenants may share a folder.
enum Standing {
    Unknown,
    Known,
    Deleted,
}

impl Archive {
    /// The folder that comes after this one; `None`: the round is over.
    async fn folder_after(&self, last: Option<&Folder>) -> Result<Option<Folder>, ArchiveError> {
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

    /// The names that lie in a folder as the index knows it, each with its recording.
    async fn names_in(&self, folder: &Folder) -> Result<BTreeMap<String, RecordingId>, ArchiveError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT stored_name, recording FROM archive_files \
             WHERE tenant = $1 AND target = $2 AND folder = $3 AND removed_at IS NULL",
        )
        .bind(folder.tenant.as_str())
        .bind(folder.target.as_str())
        .bind(folder.folder.as_str())
        .fetch_all(self.db.pool())
        .await?;
        Ok(rows.into_iter().filter_map(|(name, id)| Some((name, id.parse().ok()?))).collect())
    }

    /// Whether the index still has a file of the recording there that is not among those: its removal may
    /// have been noted meanwhile, or is about to be.
    async fn still_has(
        &self,
        folder: &Folder,
        recording: RecordingId,
        there: &BTreeSet<&str>,
    ) -> Result<bool, ArchiveError> {
        let (going,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM archive_deletions WHERE tenant = $1 AND recording = $2 AND state IN ('marked', 'logged')",
        )
        .bind(folder.tenant.as_str())
        .bind(recording.to_string())
        .fetch_one(self.db.pool())
        .await?;
        let known = self.names_in(folder).await?;
        let missing = known.iter().any(|(name, id)| *id == recording && !there.contains(name.as_str()));
        Ok(going == 0 && missing)
    }

    async fn standing(&self, recording: RecordingId) -> Result<Standing, ArchiveError> {
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

/// The recording whose file has this name, if it is one's.
fn recording_of(name: &str) -> Option<RecordingId> {
    name.split(['_', '.', ' ']).rev().find_map(|part| part.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_read_out_of_the_names_of_its_files() {
        let id = RecordingId::new();
        for name in ["_in_+4970_22_ID.wav", "_out_22_1_ID_hash.SHA256withRSA.sig", "_in_1_2_ID_info (2).txt"]
        {
            assert_eq!(recording_of(&name.replace("ID", &id.to_string())), Some(id), "{name}");
        }
        for other in ["callseal.pem", "verify.sh", "checkpoint", "20261122-091530.123Z_in_1_2.wav"] {
            assert_eq!(recording_of(other), None, "{other}");
        }
    }
}
