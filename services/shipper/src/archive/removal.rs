//! Carrying deletions out: the entry in the log first, then the files. The write order stands in
//! [`archive`](super).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{Bus, subjects, with_sources};
use delivery::{Backoff, Destination, Reporter};
use jiff::{SignedDuration, Timestamp};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use sha2::{Digest as _, Sha256};
use sql::Transaction;
use targets::{Target, TargetError};
use tokio::{io::AsyncReadExt as _, sync::Notify};
use tokio_util::sync::CancellationToken;
use wire::{
    event_v1::{Removed, event::What},
    evidence_v1::{
        Deletion as Note, LogStateRequest, LogStateResponse, NoteRequest, NoteResponse, note_request,
    },
};

use super::{Archive, ArchiveError, Policy, deletions::Deletion, index::IndexedFile, judgement::Refusal};
use crate::{fail_point, open_targets::OpenTargets, records::Records, ship, staging::Staging};

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
}

/// Carries deletions out.
pub struct Remover {
    parts: Parts,
    /// Rings when a deletion was marked.
    pub wake: Arc<Notify>,
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
    /// `callseal_shipper_deletions_waiting` and `callseal_shipper_legal_holds`.
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
        Ok(Self { parts, wake: Arc::default(), deleted, waiting, holds })
    }

    /// Carries out what is marked, until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.all_due().await {
                tracing::warn!(error = with_sources(&error), "deletions are carried out later");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Carries out everything that is due now.
    async fn all_due(&self) -> Result<(), ArchiveError> {
        let (waiting, holds) = self.parts.archive.counts().await?;
        self.waiting.set(waiting);
        self.holds.set(holds);
        loop {
            let now = Timestamp::now();
            let until = now.saturating_add(CLAIM).unwrap_or(Timestamp::MAX);
            let Some(deletion) = self.parts.archive.claim_deletion(now, until).await? else { return Ok(()) };
            self.one(deletion).await?;
        }
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
        let problem = match &stopped {
            Stop::Refused(refusal) => format!("its deletion waits: {refusal}"),
            Stop::Trouble(problem) => problem.clone(),
            Stop::Index(_) => return Ok(()),
        };
        let tries = u32::try_from(deletion.attempts + 1).unwrap_or(u32::MAX);
        let wait = self.parts.backoff.wait(tries, rand::random());
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_hours(1));
        let next = Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.parts.archive.postpone(deletion.id, next, &problem).await?;
        if problem != deletion.problem {
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
        for file in self.files(&deletion).await? {
            self.remove(&deletion, &file).await?;
            fail_point::reached("file-removed");
            self.parts.archive.removed(&deletion.tenant, deletion.recording, &file, Timestamp::now()).await?;
            fail_point::reached("file-removal-noted");
        }
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
        if ship::place(&opened.described.kind, &file.folder) != file.place && !is_it(&**target, file).await? {
            return Err(trouble(
                "is described otherwise than when the recording was brought there, and the recording is not there; is it the same \
                 place?",
            ));
        }
        let told = |error: TargetError| trouble(&error.to_string());
        if target.open(&file.folder, &file.stored_name).await.map_err(told)?.is_none()
            && target.list("").await.map_err(told)?.is_empty()
        {
            // A mount point without its disk is an empty folder, too.
            return Err(trouble("is empty: is it mounted, and the right place?"));
        }
        // Looking took its time, and a hold may have come meanwhile.
        self.still_allowed(deletion).await?;
        target.remove(&file.folder, &file.stored_name).await.map_err(told)
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

/// Names of targets in entries and events; none: everywhere.
fn told_targets(deletion: &Deletion) -> Vec<String> {
    if deletion.everywhere { Vec::new() } else { deletion.targets.clone() }
}

/// Whether the file that stands under the name is the one that was brought there.
async fn is_it(target: &dyn Target, file: &IndexedFile) -> Result<bool, Stop> {
    let trouble = |problem: String| Stop::Trouble(format!("target {}: {problem}", file.target));
    let opened =
        target.open(&file.folder, &file.stored_name).await.map_err(|error| trouble(error.to_string()))?;
    let Some(mut reader) = opened else { return Ok(false) };
    let (mut hash, mut block) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let read = reader.read(&mut block).await.map_err(|_| trouble("a file cannot be read".to_owned()))?;
        if read == 0 {
            return Ok(hash.finalize().as_slice() == file.sha256);
        }
        hash.update(&block[..read]);
    }
}
