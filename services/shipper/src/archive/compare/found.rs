//! What the rounds have found, in memory: a round finds it again.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use prometheus::IntGaugeVec;
use wire::delivery_v1::Finding;

use super::{Folder, Wrong};

/// Findings of one folder that are shown.
const SHOWN: usize = 100;

/// Since when a recording is not as it should be in a folder.
type InFolder = BTreeMap<(Wrong, RecordingId), Timestamp>;

/// What was found, and in which folders.
#[derive(Default)]
pub(super) struct Found {
    folders: BTreeMap<Folder, InFolder>,
    /// Rounds that are over.
    rounds: u64,
}

/// What a target and the index do not agree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Whose target.
    pub tenant: TenantId,
    /// Its name.
    pub target: String,
    /// The gravest of it, in words.
    pub problem: String,
    /// How grave that is: 2, a file is gone; 1, there is one too many.
    pub level: u8,
    /// How many recordings it is about.
    pub recordings: u64,
    /// Since when the first of it is known.
    pub since: Timestamp,
    /// One of the recordings.
    pub recording: RecordingId,
}

impl Found {
    /// Takes what a look into a folder found; answers what is new of it.
    pub fn note(
        &mut self,
        folder: &Folder,
        wrong: BTreeSet<(Wrong, RecordingId)>,
        now: Timestamp,
    ) -> Vec<(Wrong, RecordingId)> {
        let before = self.folders.remove(folder).unwrap_or_default();
        let news = wrong.iter().filter(|it| !before.contains_key(*it)).copied().collect();
        let found: InFolder =
            wrong.into_iter().map(|it| (it, before.get(&it).copied().unwrap_or(now))).collect();
        if !found.is_empty() {
            self.folders.insert(folder.clone(), found);
        }
        news
    }

    /// A round is over: of folders in which the index has nothing any more, nothing is wrong.
    pub fn end_round(&mut self, unseen: &BTreeSet<Folder>) {
        self.rounds += 1;
        self.folders.retain(|folder, _| !unseen.contains(folder));
    }

    /// The folders in which something is wrong.
    pub fn folders(&self) -> BTreeSet<Folder> {
        self.folders.keys().cloned().collect()
    }

    /// Counts by what is wrong.
    pub fn count(&self, into: &IntGaugeVec) {
        for kind in Wrong::ALL {
            let of_kind = self.folders.values().flat_map(BTreeMap::keys).filter(|(wrong, _)| *wrong == kind);
            into.with_label_values(&[kind.as_str()]).set(i64::try_from(of_kind.count()).unwrap_or(i64::MAX));
        }
    }

    /// Some of each folder, for people.
    pub fn shown(&self) -> Vec<Finding> {
        let shown = |folder: &Folder, (wrong, recording): &(Wrong, RecordingId), since: &Timestamp| Finding {
            tenant: folder.tenant.clone(),
            recording_id: recording.to_string(),
            target: folder.target.clone(),
            problem: wrong.problem().to_owned(),
            since_unix_ms: since.as_millisecond(),
        };
        let of = |(folder, found)| {
            let folder: &Folder = folder;
            let found: &InFolder = found;
            found.iter().take(SHOWN).map(|(it, since)| shown(folder, it, since)).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(of).collect()
    }

    /// What is to be told, by target; `None`: not everything was looked at yet.
    pub fn disagreements(&self) -> Option<Vec<Disagreement>> {
        if self.rounds == 0 {
            return None;
        }
        let mut by_target: BTreeMap<(&str, &str), InFolder> = BTreeMap::new();
        for (folder, found) in &self.folders {
            by_target.entry((&folder.tenant, &folder.target)).or_default().extend(found);
        }
        let told = by_target.into_iter().filter_map(|((tenant, target), found)| {
            let ((wrong, recording), _) = found.first_key_value()?;
            Some(Disagreement {
                tenant: tenant.parse().ok()?,
                target: target.to_owned(),
                problem: wrong.problem().to_owned(),
                level: if *wrong == Wrong::Gone { 2 } else { 1 },
                recordings: found.len() as u64,
                since: found.values().min().copied()?,
                recording: *recording,
            })
        });
        Some(told.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(target: &str, folder: &str) -> Folder {
        Folder { tenant: "acme".into(), target: target.into(), folder: folder.into() }
    }

    #[test]
    fn what_is_wrong_is_told_by_target_with_the_gravest_first_and_only_after_a_whole_round() {
        let mut found = Found::default();
        let (gone, strange) = (RecordingId::new(), RecordingId::new());
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let (first, second) = (folder("archive", "2025"), folder("archive", "2026"));
        assert_eq!(found.note(&first, [(Wrong::Unknown, strange)].into(), at(0)).len(), 1);
        assert_eq!(found.disagreements(), None);
        assert_eq!(found.note(&second, [(Wrong::Gone, gone)].into(), at(5)), [(Wrong::Gone, gone)]);
        found.end_round(&BTreeSet::new());
        let [told] = found.disagreements().unwrap().try_into().unwrap();
        assert_eq!((told.level, told.recordings, told.since, told.recording), (2, 2, at(0), gone));
        // The same once more is no news.
        assert!(found.note(&second, [(Wrong::Gone, gone)].into(), at(9)).is_empty());
        // A folder that the index knows nothing of any more has nothing wrong in it.
        found.end_round(&[second.clone()].into());
        let [told] = found.disagreements().unwrap().try_into().unwrap();
        assert_eq!((told.level, told.recordings, told.recording), (1, 1, strange));
        assert!(found.note(&first, BTreeSet::new(), at(20)).is_empty());
        assert_eq!(found.disagreements(), Some(Vec::new()));
    }
}
