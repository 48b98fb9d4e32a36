//! Now and then the list is held against the configuration, counted, and cleared of what is old.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use config::Watched;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{Backlog, DeliveryError, Destination, EngineOptions, Metrics, Notice, State, Terms, WorkList};

/// How often orders are forgotten that were done long ago.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// What is remembered from one look to the next. In memory: after a restart a missing destination
/// gets its time again, and people hear again of what waits for them.
pub(crate) struct LookOver {
    list: WorkList,
    options: EngineOptions,
    metrics: Metrics,
    config: Option<Watched>,
    /// Destinations with open orders that the configuration lacks, and since when.
    missing: BTreeMap<Destination, Instant>,
    /// Destinations that are back, whose orphans people were told about.
    told: BTreeSet<Destination>,
    /// Incomplete destinations that people were told about.
    told_incomplete: BTreeSet<Destination>,
    forget_next: Instant,
}

impl LookOver {
    pub(crate) fn new(
        list: WorkList,
        options: EngineOptions,
        metrics: Metrics,
        config: Option<Watched>,
    ) -> Self {
        let (missing, told, told_incomplete) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let forget_next = Instant::now();
        Self { list, options, metrics, config, missing, told, told_incomplete, forget_next }
    }

    /// Looks once; `wanted` is what the configuration knew at `seen`, or later. Returns what people should hear.
    pub(crate) async fn look(
        &mut self,
        wanted: &BTreeMap<Destination, Terms>,
        seen: Timestamp,
    ) -> Result<Vec<Notice>, DeliveryError> {
        let now = Instant::now();
        let mut notices = Vec::new();
        let gone = self.gone(&wanted.keys().cloned().collect(), now).await?;
        for destination in self.list.orphan(&gone, seen).await? {
            tracing::warn!(%destination, "is not in the configuration any more: its open orders are kept");
            notices.push(Notice::Orphaned { destination });
        }

        let backlog = self.list.backlog().await?;
        let orphans = backlog.iter().filter(|entry| entry.state == State::Orphaned);
        let returned: Vec<_> = orphans.filter(|entry| wanted.contains_key(&entry.destination)).collect();
        self.told.retain(|told| returned.iter().any(|entry| entry.destination == *told));
        for entry in returned {
            if self.told.insert(entry.destination.clone()) {
                let (destination, orders) = (entry.destination.clone(), entry.orders);
                tracing::warn!(%destination, orders, "is in the configuration again: its old orders wait to be released");
                notices.push(Notice::Returned { destination, orders });
            }
        }
        notices.extend(self.incomplete(wanted, &backlog));
        self.metrics.show(&backlog, Timestamp::now());

        if self.forget_next <= now {
            self.forget_next = now + FORGET_EVERY;
            let forgotten = self.list.forget_done(self.options.done_kept, Timestamp::now()).await?;
            if forgotten > 0 {
                tracing::debug!(forgotten, "orders that were done long ago are forgotten");
            }
        }
        Ok(notices)
    }

    /// Incomplete destinations that a rule names or that orders wait for, each told once.
    fn incomplete(&mut self, wanted: &BTreeMap<Destination, Terms>, backlog: &[Backlog]) -> Vec<Notice> {
        let lacks: BTreeMap<&Destination, &String> = wanted
            .iter()
            .filter(|(destination, terms)| {
                terms.chosen || backlog.iter().any(|entry| entry.destination == **destination)
            })
            .filter_map(|(destination, terms)| Some((destination, terms.incomplete.as_ref()?)))
            .collect();
        self.told_incomplete.retain(|told| lacks.contains_key(told));
        let mut notices = Vec::new();
        for (destination, problem) in lacks {
            if self.told_incomplete.insert(destination.clone()) {
                tracing::warn!(%destination, "is incomplete, nothing is sent there: {problem}");
                notices
                    .push(Notice::Incomplete { destination: destination.clone(), problem: problem.clone() });
            }
        }
        notices
    }

    /// Destinations that have been missing for long enough. An announcement can overtake the
    /// configuration, and a person may replace a file in two steps: neither makes an orphan.
    async fn gone(
        &mut self,
        wanted: &BTreeSet<Destination>,
        now: Instant,
    ) -> Result<BTreeSet<Destination>, DeliveryError> {
        // As after a restart with a slip in a file: what that describes has not been taken away.
        if self.config.as_ref().is_some_and(|config| !config.problems().is_empty()) {
            self.missing.clear();
            return Ok(BTreeSet::new());
        }
        let missing: BTreeSet<_> = self.list.destinations().await?.difference(wanted).cloned().collect();
        self.missing.retain(|destination, _| missing.contains(destination));
        for destination in missing {
            self.missing.entry(destination).or_insert(now);
        }
        let long = |since: Instant| now.duration_since(since) >= self.options.orphan_after;
        Ok(self.missing.iter().filter(|(_, since)| long(**since)).map(|(gone, _)| gone.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use domain::RecordingId;
    use prometheus::Registry;
    use sql::Database;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Backoff, NewOrder};

    #[tokio::test]
    async fn while_a_file_of_the_configuration_cannot_be_read_nothing_is_orphaned() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("state.sqlite").display());
        let list = WorkList::open(Database::open(&url).await.unwrap(), Backoff::default()).await.unwrap();
        let destination = Destination { tenant: "acme".parse().unwrap(), name: "archive".parse().unwrap() };
        let order =
            NewOrder { destination: destination.clone(), recording: RecordingId::new(), payload: Vec::new() };
        list.enqueue(&[order], Timestamp::now()).await.unwrap();
        let options = EngineOptions { orphan_after: Duration::ZERO, ..EngineOptions::default() };
        let folder = dir.path().join("config");
        fs::create_dir(&folder).unwrap();
        for (text, orphans) in [("kind: {StorageTarget", 0), ("", 1)] {
            fs::write(folder.join("targets.yaml"), text).unwrap();
            let config = config::watch(&folder, CancellationToken::new()).unwrap();
            let metrics = Metrics::register("test", &Registry::new()).unwrap();
            let mut look_over = LookOver::new(list.clone(), options, metrics, Some(config));
            let orphaned = look_over.look(&BTreeMap::new(), Timestamp::MAX).await.unwrap();
            let orphaned = orphaned.iter().filter(|notice| matches!(notice, Notice::Orphaned { .. })).count();
            assert_eq!(orphaned, orphans, "{text}");
        }
    }
}
