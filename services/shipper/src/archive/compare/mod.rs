//! Targets compared with the index, one folder after the other: what lies there without the index knowing it,
//! and what the index knows and does not lie there.

mod found;
mod names;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bus::with_sources;
use delivery::{Destination, Reporter};
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use prometheus::{IntGaugeVec, Opts, Registry};
use targets::{Kind, Target};
use tokio_util::sync::CancellationToken;
use wire::delivery_v1::Finding;

use super::{Archive, ArchiveError};
use crate::open_targets::OpenTargets;
pub use found::Disagreement;
use found::Found;
use names::Standing;

/// Files of the index that are looked at in one go.
const PAGE: usize = 2_000;
/// A target that did not answer in time is left alone for so long.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// A file that was brought so short before a folder was listed may have come after it.
const FRESH_MS: i64 = 10 * 60 * 1000;

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
pub(in crate::archive) struct Folder {
    tenant: String,
    target: String,
    folder: String,
}

/// Compares targets with the index, at a rate that burdens none.
#[derive(Clone)]
pub struct Comparer {
    archive: Archive,
    targets: Arc<OpenTargets>,
    reporter: Reporter,
    found: Arc<Mutex<Found>>,
    count: IntGaugeVec,
    every: Duration,
    answers_within: Duration,
}

impl Comparer {
    /// Looks at a folder each `every`; a target lists it `answers_within`. Registers `callseal_shipper_archive_findings`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(
        archive: Archive,
        targets: Arc<OpenTargets>,
        reporter: Reporter,
        (every, answers_within): (Duration, Duration),
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let help = "Recordings that targets and the archive index do not agree about, by what is wrong: gone, unknown, deleted.";
        let count = IntGaugeVec::new(Opts::new("callseal_shipper_archive_findings", help), &["wrong"])?;
        registry.register(Box::new(count.clone()))?;
        Ok(Self { archive, targets, reporter, found: Arc::default(), count, every, answers_within })
    }

    /// Goes round all folders until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut last = None;
        let mut unseen = BTreeSet::new();
        let mut silent: BTreeMap<(String, String), Instant> = BTreeMap::new();
        while !shutdown.is_cancelled() {
            last = match self.archive.folder_after(last.as_ref()).await {
                Ok(Some(folder)) => {
                    unseen.remove(&folder);
                    silent.retain(|_, until| Instant::now() < *until);
                    let target = (folder.tenant.clone(), folder.target.clone());
                    if let Entry::Vacant(target) = silent.entry(target) {
                        // A look that hangs is no reason to stop late: nothing hangs on it.
                        let look = shutdown.run_until_cancelled(self.look(&folder)).await;
                        if look == Some(Answer::None) {
                            target.insert(Instant::now() + LEFT_ALONE);
                        }
                    }
                    Some(folder)
                }
                Ok(None) => {
                    let mut found = self.found();
                    found.end_round(&std::mem::take(&mut unseen));
                    found.count(&self.count);
                    unseen = found.folders();
                    None
                }
                Err(error) => {
                    tracing::warn!(
                        error = with_sources(&error),
                        "targets cannot be compared with the index now"
                    );
                    // Not all was seen: nothing may be concluded from what was not.
                    unseen.clear();
                    None
                }
            };
            let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(self.every)).await;
        }
    }

    async fn look(&self, folder: &Folder) -> Answer {
        // Few files are asked for one by one; if each of them hangs, the others' turn has come.
        let all = self.answers_within.saturating_mul(3);
        let compared = tokio::time::timeout(all, self.compare(folder)).await;
        match compared.unwrap_or(Ok(Compared::Silent)) {
            Ok(Compared::NotNow) => Answer::Some,
            Ok(Compared::Silent) => {
                tracing::warn!(
                    tenant = folder.tenant,
                    target = folder.target,
                    "does not list a folder in time"
                );
                Answer::None
            }
            Ok(Compared::Found(wrong)) => {
                self.note(folder, wrong);
                Answer::Some
            }
            Err(error) => {
                tracing::warn!(error = with_sources(&error), "targets cannot be compared with the index now");
                Answer::Some
            }
        }
    }

    /// What is wrong in a folder.
    async fn compare(&self, folder: &Folder) -> Result<Compared, ArchiveError> {
        let (Ok(tenant), Ok(name)) = (folder.tenant.parse::<TenantId>(), folder.target.parse()) else {
            return Ok(Compared::NotNow);
        };
        let Some(opened) = self.targets.get(&Destination { tenant, name }).await else {
            return Ok(Compared::NotNow);
        };
        let Some(target) = opened.place.storage() else { return Ok(Compared::NotNow) };
        let fresh = Timestamp::now().as_millisecond() - FRESH_MS;
        let listed = match tokio::time::timeout(self.answers_within, target.list(&folder.folder)).await {
            Ok(Ok(listed)) => listed,
            // A target that is away is told by what is brought there.
            Ok(Err(_)) => return Ok(Compared::NotNow),
            Err(_) => return Ok(Compared::Silent),
        };
        let files = listed.into_iter().filter(|it| matches!(it.kind, Kind::File { .. }));
        let mut strange: BTreeSet<String> = files.map(|it| it.name).collect();
        let mut wrong = BTreeSet::new();
        for (recording, name) in self.missing(folder, &**target, &mut strange, fresh).await? {
            if self.archive.still_has(folder, recording, &name).await? {
                wrong.insert((Wrong::Gone, recording));
            }
        }
        for recording in strange.iter().filter_map(|name| recording_of(name)).collect::<BTreeSet<_>>() {
            match self.archive.standing(recording).await? {
                Standing::Unknown => drop(wrong.insert((Wrong::Unknown, recording))),
                Standing::Deleted => drop(wrong.insert((Wrong::Deleted, recording))),
                // Perhaps it is just being brought, or its deletion waits.
                Standing::Known => {}
            }
        }
        Ok(Compared::Found(wrong))
    }

    /// Recordings of the index that lack a file, each with one that it lacks. Takes out of `there` what the
    /// index knows.
    async fn missing(
        &self,
        folder: &Folder,
        target: &dyn Target,
        there: &mut BTreeSet<String>,
        fresh_ms: i64,
    ) -> Result<BTreeMap<RecordingId, String>, ArchiveError> {
        let (mut missing, mut last) = (BTreeMap::new(), String::new());
        loop {
            let page = self.archive.files_after(folder, &last, PAGE).await?;
            let Some(end) = page.last() else { return Ok(missing) };
            last.clone_from(&end.name);
            for known in page {
                if there.remove(&known.name) || missing.contains_key(&known.recording) {
                    continue;
                }
                // It may have come after the folder was listed, and before this page was read.
                if known.stored_at >= fresh_ms && !self.lacks(target, folder, &known.name).await {
                    continue;
                }
                missing.insert(known.recording, known.name);
            }
        }
    }

    async fn lacks(&self, target: &dyn Target, folder: &Folder, name: &str) -> bool {
        let opened = tokio::time::timeout(self.answers_within, target.open(&folder.folder, name)).await;
        matches!(opened, Ok(Ok(None)))
    }

    fn note(&self, folder: &Folder, wrong: BTreeSet<(Wrong, RecordingId)>) {
        let mut found = self.found();
        let news = found.note(folder, wrong, Timestamp::now());
        found.count(&self.count);
        drop(found);
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
        self.found().shown()
    }

    /// What people are told of that; `None`: not everything was looked at yet.
    pub fn disagreements(&self) -> Option<Vec<Disagreement>> {
        self.found().disagreements()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a target answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Some,
    None,
}

/// What came of a look into a folder.
enum Compared {
    /// This is wrong in it.
    Found(BTreeSet<(Wrong, RecordingId)>),
    /// It cannot be seen now.
    NotNow,
    /// The target did not answer in time.
    Silent,
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
