//! Carrying deletions out: the entry in the log first, then the files. The write order stands in
//! [`archive`](super).

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{Bus, subjects, with_sources};
use delivery::{Backoff, Destination, Reporter};
use domain::TenantId;
use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use sha2::{Digest as _, Sha256};
use sql::Transaction;
use targets::{ErrorKind, Reader, Target, TargetError};
use tokio::{io::AsyncReadExt as _, sync::Notify};
use tokio_util::sync::CancellationToken;
use wire::{
    event_v1::{Removed, event::What},
    evidence_v1::{
        Deletion as Note, LogStateRequest, LogStateResponse, NoteRequest, NoteResponse, note_request,
    },
};

use super::{
    Archive, ArchiveError, Policy,
    deletions::Deletion,
    index::IndexedFile,
    judgement::Refusal,
    lanes::{Held, Lanes},
};
use crate::{
    beside::beside, fail_point, open_targets::OpenTargets, records::Records, ship, staging::Staging,
};

/// How long the signer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a checkpoint may take that covers an entry: they come every few seconds.
const SIGNED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A deletion that nobody is heard of for so long is taken up by another replica.
const CLAIM: SignedDuration = SignedDuration::from_mins(10);
/// How often it is looked for deletions that are due, when nobody rings.
const POLL: Duration = Duration::from_secs(2);
/// How often they are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// When one is taken up again that the state database has failed.
const AFTER_FAULT: SignedDuration = SignedDuration::from_secs(5);
/// Deletions in hand at the same time; they wait for targets and for the signer more than they work.
const IN_HAND: usize = 32;
/// Those of one tenant: however many it has, and whatever they wait for, others are not kept from theirs.
const OF_ONE_TENANT: usize = 16;

/// What removing works with.
pub struct Parts {
    /// What lies where.
    pub archive: Archive,
    /// What the configuration says.
    pub policy: Policy,
    /// Where the files are.
    pub targets: Arc<OpenTargets>,
    /// Where they may still be.
    pub staging: Staging,
    /// What lies in staging.
    pub records: Records,
    /// Where the signer is asked.
    pub bus: Bus,
    /// Tells people.
    pub reporter: Reporter,
    /// How long a target that refuses is left alone.
    pub backoff: Backoff,
    /// How long a target may take to answer.
    pub answers_within: Duration,
}

/// Carries deletions out.
pub struct Remover {
    parts: Parts,
    /// Rings when a deletion was marked.
    pub wake: Arc<Notify>,
    lanes: Lanes,
    deleted: IntCounterVec,
    waiting: IntGauge,
    holds: IntGauge,
}

/// Why a deletion does not go on now.
enum Stop {
    /// Something stands against it: people know, since they placed it there.
    Refused(Refusal),
    /// Something is broken, and is tried again.
    Trouble(String),
    /// A target does not answer. Whose problem that is was told for the target.
    NoAnswer(String),
    /// The index itself.
    Index(ArchiveError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Index(error)
    }
}

impl Remover {
    /// Made of these parts. Registers `callseal_shipper_deleted_recordings_total`,
    /// `callseal_shipper_deletions_waiting`, `callseal_shipper_legal_holds` and those of [`Lanes`].
    ///
    /// # Errors
    /// The name of a metric is taken.
    pub fn new(parts: Parts, registry: &Registry) -> prometheus::Result<Self> {
        let deleted = IntCounterVec::new(
            Opts::new(
                "callseal_shipper_deleted_recordings_total",
                "Recordings that were deleted lawfully, by cause: retention, request.",
            ),
            &["cause"],
        )?;
        let waiting = IntGauge::new(
            "callseal_shipper_deletions_waiting",
            "Deletions that are decided and not carried out yet: a target is away, or keeps a lock.",
        )?;
        let holds = IntGauge::new("callseal_shipper_legal_holds", "Legal holds in force.")?;
        registry.register(Box::new(deleted.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(holds.clone()))?;
        let lanes = Lanes::new(parts.answers_within, parts.backoff, registry)?;
        Ok(Self { parts, wake: Arc::default(), lanes, deleted, waiting, holds })
    }

    /// Carries out what is marked, until `shutdown`. What is in hand then is free for the next start.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut in_hand = FuturesUnordered::new();
        let mut whose: BTreeMap<i64, TenantId> = BTreeMap::new();
        let (mut counted, mut done) = (None::<Instant>, Vec::<(i64, Result<(), ArchiveError>)>::new());
        while !shutdown.is_cancelled() {
            if counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
                counted = Some(Instant::now());
                beside(self.count(), &mut in_hand, &mut done).await;
            }
            let next = beside(self.next(full(&whose), whose.len()), &mut in_hand, &mut done).await;
            let mut more = !done.is_empty();
            match next {
                Ok(Some(deletion)) => {
                    let id = deletion.id;
                    whose.insert(id, deletion.tenant.clone());
                    in_hand.push(async move { (id, self.one(deletion).await) });
                    more = true;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = with_sources(&error), "deletions are carried out later");
                }
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(outcome) = in_hand.next() => done.push(outcome),
                () = std::future::ready(()), if more => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            for (id, outcome) in std::mem::take(&mut done) {
                whose.remove(&id);
                if let Err(error) = outcome {
                    tracing::warn!(error = with_sources(&error), "a deletion is carried out later");
                    let soon = Timestamp::now().saturating_add(AFTER_FAULT).unwrap_or(Timestamp::MAX);
                    // If that fails as well, it is free when its time is over.
                    let _freed =
                        beside(self.parts.archive.free_deletions(&[id], soon), &mut in_hand, &mut done).await;
                }
            }
        }
        drop(in_hand);
        let ids: Vec<i64> = whose.into_keys().collect();
        if let Err(error) = self.parts.archive.free_deletions(&ids, Timestamp::now()).await {
            tracing::warn!(error = with_sources(&error), "deletions go on later after the next start");
        }
    }

    async fn count(&self) {
        match self.parts.archive.counts().await {
            Ok((waiting, holds)) => {
                self.waiting.set(waiting);
                self.holds.set(holds);
            }
            Err(error) => tracing::debug!(error = with_sources(&error), "deletions are not counted now"),
        }
    }

    /// The next deletion that is due, of none of these tenants.
    async fn next(&self, busy: Vec<TenantId>, in_hand: usize) -> Result<Option<Deletion>, ArchiveError> {
        if in_hand >= IN_HAND {
            return Ok(None);
        }
        let now = Timestamp::now();
        let until = now.saturating_add(CLAIM).unwrap_or(Timestamp::MAX);
        self.parts.archive.claim_deletion(now, until, &busy).await
    }

    async fn one(&self, deletion: Deletion) -> Result<(), ArchiveError> {
        let (recording, cause) = (deletion.recording, deletion.ground.as_str());
        let stopped = match self.carry_out(deletion.clone()).await {
            Ok(()) => {
                self.deleted.with_label_values(&[cause]).inc();
                return Ok(());
            }
            Err(Stop::Index(error)) => return Err(error),
            Err(stopped) => stopped,
        };
        let (problem, is_stuck, is_told) = match &stopped {
            Stop::Refused(refusal) => (format!("its deletion waits: {refusal}"), false, false),
            Stop::Trouble(problem) => (problem.clone(), true, false),
            Stop::NoAnswer(problem) => (problem.clone(), true, true),
            Stop::Index(_) => return Ok(()),
        };
        let tries = u32::try_from(deletion.attempts + 1).unwrap_or(u32::MAX);
        let wait = self.parts.backoff.wait(tries, rand::random());
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_hours(1));
        let now = Timestamp::now();
        let next = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.parts.archive.postpone(deletion.id, next, &problem, is_stuck.then_some(now)).await?;
        if problem != deletion.problem && !is_told {
            tracing::warn!(%recording, problem, "a deletion waits");
            self.parts.reporter.fault(&deletion.tenant, Some(recording), "deletion", &problem, true);
        }
        Ok(())
    }

    async fn carry_out(&self, mut deletion: Deletion) -> Result<(), Stop> {
        self.still_allowed(&deletion).await?;
        let entry = match deletion.log_entry {
            Some(entry) => entry,
            None => {
                let entry = self.log(&deletion).await?;
                fail_point::reached("deletion-told");
                self.parts.archive.logged(deletion.id, entry).await?;
                entry
            }
        };
        deletion.log_entry = Some(entry);
        fail_point::reached("deletion-logged");
        self.signed(&deletion, entry).await?;
        self.remove_from_targets(&deletion).await?;
        if deletion.everywhere {
            self.still_allowed(&deletion).await?;
            self.empty_staging(&deletion).await?;
        }
        fail_point::reached("all-removed");
        self.parts.archive.deletion_done(&deletion, Timestamp::now()).await?;
        tracing::info!(recording = %deletion.recording, cause = deletion.ground.as_str(), entry, "deleted");
        let removed = Removed {
            targets: told_targets(&deletion),
            reason: deletion.reason.clone(),
            by: deletion.by.clone(),
            log_entry: u64::try_from(entry).unwrap_or(0),
        };
        self.parts.reporter.event(&deletion.tenant, Some(deletion.recording), What::Removed(removed));
        Ok(())
    }

    async fn still_allowed(&self, deletion: &Deletion) -> Result<(), Stop> {
        let now = Timestamp::now();
        self.parts.archive.look_again(deletion, &self.parts.policy, now).await?.map_err(Stop::Refused)
    }

    /// Has the signer write the entry; it answers for the one that is there if it is asked once more.
    async fn log(&self, deletion: &Deletion) -> Result<i64, Stop> {
        let note = Note {
            targets: told_targets(deletion),
            reason: deletion.reason.clone(),
            by: deletion.by.clone(),
        };
        let request = NoteRequest {
            tenant: deletion.tenant.to_string(),
            recording_id: deletion.recording.to_string(),
            once: format!("deletion {} of {}", deletion.id, deletion.marked_at),
            what: Some(note_request::What::Deletion(note)),
        };
        let answer = self.parts.bus.request(subjects::SIGNER_NOTE, &request, PATIENCE).await;
        let answer: NoteResponse = answer.map_err(|error| {
            Stop::Trouble(format!(
                "the signer does not write its deletion into the log: {}",
                with_sources(&error)
            ))
        })?;
        match answer.place {
            Some(place) if answer.problem.is_empty() => Ok(i64::try_from(place.index).unwrap_or(i64::MAX)),
            _ => Err(Stop::Trouble(format!(
                "the signer does not write its deletion into the log: {}",
                answer.problem
            ))),
        }
    }

    /// Waits until a checkpoint covers the entry: a log that cannot be signed, or is set back, must not be the
    /// only one to know what was deleted.
    async fn signed(&self, deletion: &Deletion, entry: i64) -> Result<(), Stop> {
        let request = LogStateRequest { tenant: deletion.tenant.to_string() };
        let begun = Instant::now();
        loop {
            let answer = self.parts.bus.request(subjects::SIGNER_LOG_STATE, &request, PATIENCE).await;
            let LogStateResponse { logs } = answer.map_err(|error| {
                Stop::Trouble(format!("the signer does not say how the log stands: {}", with_sources(&error)))
            })?;
            let log = logs.into_iter().find(|log| log.tenant == request.tenant).unwrap_or_default();
            if !log.halted.is_empty() {
                return Err(Stop::Trouble(format!("the log is halted: {}", log.halted)));
            }
            if i64::try_from(log.checkpoint_size).unwrap_or(i64::MAX) > entry {
                return Ok(());
            }
            if begun.elapsed() > SIGNED_WITHIN {
                let problem = "its entry in the log is not signed yet: does the signer have its key?";
                return Err(Stop::Trouble(problem.to_owned()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The files that are to go and are there.
    async fn files(&self, deletion: &Deletion) -> Result<Vec<IndexedFile>, ArchiveError> {
        let mut tx: Transaction = self.parts.archive.db.begin_write().await?;
        let mut files = Archive::files_in(&mut tx, &deletion.tenant, deletion.recording).await?;
        files.retain(|file| deletion.targets.contains(&file.target));
        Ok(files)
    }

    /// Removes it from all targets side by side: one that does not answer keeps no other one from it.
    async fn remove_from_targets(&self, deletion: &Deletion) -> Result<(), Stop> {
        let mut by_target: BTreeMap<String, Vec<IndexedFile>> = BTreeMap::new();
        for file in self.files(deletion).await? {
            by_target.entry(file.target.clone()).or_default().push(file);
        }
        let each = by_target.into_values().map(|files| async move {
            for file in files {
                self.remove(deletion, &file).await?;
                fail_point::reached("file-removed");
                let now = Timestamp::now();
                self.parts.archive.removed(&deletion.tenant, deletion.recording, &file, now).await?;
                fail_point::reached("file-removal-noted");
            }
            Ok(())
        });
        let outcomes: Vec<Result<(), Stop>> = futures::future::join_all(each).await;
        // What people have to know of most is told.
        let weight = |stop: &Stop| match stop {
            Stop::Index(_) => 3,
            Stop::Refused(_) => 2,
            Stop::Trouble(_) => 1,
            Stop::NoAnswer(_) => 0,
        };
        match outcomes.into_iter().filter_map(Result::err).max_by_key(weight) {
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    /// Asks something of a target when it is its turn.
    async fn ask<T>(
        &self,
        deletion: &Deletion,
        target: &Destination,
        work: impl Future<Output = Result<T, TargetError>>,
    ) -> Result<T, Stop> {
        let trouble = |problem: &str| format!("target {}: {problem}", target.name);
        match self.lanes.ask(target, work).await {
            Ok(answer) => answer.map_err(|error| Stop::Trouble(trouble(&error.to_string()))),
            Err(Held::Busy) => Err(Stop::NoAnswer(trouble("answers slowly; another deletion waits for it"))),
            Err(Held::Stuck(is_news)) => {
                let limit = self.lanes.limit().as_secs().max(1);
                let problem = format!(
                    "has not answered within {limit} s when something was to be deleted there: does its server hang, or its \
                     mount? Deletions go on at the others"
                );
                if is_news {
                    tracing::warn!(target = %target, problem, "a target does not answer");
                    let place = self.parts.reporter.place(target);
                    self.parts.reporter.fault(&deletion.tenant, None, &place, &problem, true);
                }
                Err(Stop::NoAnswer(trouble(&problem)))
            }
        }
    }

    async fn remove(&self, deletion: &Deletion, file: &IndexedFile) -> Result<(), Stop> {
        let trouble = |problem: &str| Stop::Trouble(format!("target {}: {problem}", file.target));
        let name = file.target.parse().map_err(|_| trouble("its name cannot be read"))?;
        let destination = Destination { tenant: deletion.tenant.clone(), name };
        let Some(opened) = self.parts.targets.get(&destination).await else {
            return Err(trouble("is not in the configuration any more"));
        };
        let Some(target) = opened.place.storage() else {
            return Err(trouble("is of a kind that keeps nothing now"));
        };
        // Where a target is described in another way a file that is not found may lie elsewhere, and one that
        // is found may be another.
        if ship::place(&opened.described.kind, &file.folder) != file.place
            && !self.is_it(deletion, &destination, &**target, file).await?
        {
            return Err(trouble(
                "is described otherwise than when the recording was brought there, and the recording is not there; is it the same \
                 place?",
            ));
        }
        let found = self.ask(deletion, &destination, target.open(&file.folder, &file.stored_name)).await?;
        if found.is_none() && self.ask(deletion, &destination, target.list("")).await?.is_empty() {
            // A mount point without its disk is an empty folder, too.
            return Err(trouble("is empty: is it mounted, and the right place?"));
        }
        // Looking took its time, and a hold may have come meanwhile.
        self.still_allowed(deletion).await?;
        self.ask(deletion, &destination, target.remove(&file.folder, &file.stored_name)).await
    }

    /// Whether the file that stands under the name is the one that was brought there.
    async fn is_it(
        &self,
        deletion: &Deletion,
        destination: &Destination,
        target: &dyn Target,
        file: &IndexedFile,
    ) -> Result<bool, Stop> {
        let opened = self.ask(deletion, destination, target.open(&file.folder, &file.stored_name)).await?;
        let Some(mut reader) = opened else { return Ok(false) };
        let (mut hash, mut block) = (Sha256::new(), vec![0; 256 * 1024]);
        loop {
            // Each block in its time: all of a long recording may take longer.
            let read = self.ask(deletion, destination, read(&mut reader, &mut block)).await?;
            if read == 0 {
                return Ok(hash.finalize().as_slice() == file.sha256);
            }
            hash.update(&block[..read]);
        }
    }

    async fn empty_staging(&self, deletion: &Deletion) -> Result<(), Stop> {
        let (tenant, recording) = (deletion.tenant.as_str(), deletion.recording.to_string());
        let trouble = |problem: &str| Stop::Trouble(format!("staging: {problem}"));
        let unreadable = |_| trouble("the shipper's state cannot be read");
        let Some(sealed) = self.parts.records.announced(tenant, &recording).await.map_err(unreadable)? else {
            return Ok(());
        };
        if !self.parts.staging.is_there().await {
            return Err(trouble("it holds nothing of the signer's: is its disk mounted?"));
        }
        // The store's text repeats file names.
        let deleted = self.parts.staging.delete(&sealed).await;
        deleted.map_err(|_| trouble("its files cannot be deleted; check the rights of the folder"))?;
        self.parts.records.deleted(&sealed, Timestamp::now()).await.map_err(unreadable)
    }
}

/// The tenants that have their hands full.
fn full(in_hand: &BTreeMap<i64, TenantId>) -> Vec<TenantId> {
    let mut each: BTreeMap<&TenantId, usize> = BTreeMap::new();
    for tenant in in_hand.values() {
        *each.entry(tenant).or_default() += 1;
    }
    let full = each.into_iter().filter(|(_, count)| *count >= OF_ONE_TENANT);
    full.map(|(tenant, _)| tenant.clone()).collect()
}

/// What a deletion is told as that removes it from staging alone, and not everywhere.
const STAGING: &str = "staging";

/// Names of targets in entries and events; none: everywhere.
fn told_targets(deletion: &Deletion) -> Vec<String> {
    match deletion.targets.as_slice() {
        _ if deletion.everywhere && deletion.remains.is_empty() => Vec::new(),
        [] => vec![STAGING.to_owned()],
        targets => targets.to_vec(),
    }
}

async fn read(reader: &mut Reader, block: &mut [u8]) -> Result<usize, TargetError> {
    let read = reader.read(block).await;
    read.map_err(|error| TargetError::new(ErrorKind::Io, "a file cannot be read").caused_by(error))
}
