//! The passes, one after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use domain::TenantId;
use jiff::Timestamp;

use super::{
    Archive, ArchiveFinding, ArchiveReport, FirstOf, Inventory, Keyring, LogFinding, Observer, Options,
    PartOf, ProofOutcome, RecordingReport, StampOutcome, Summary, VerifyError,
    index::{Index, Joined, NO_ARCHIVE},
    inventory::{Group, Next, Top, read_label},
    known,
    lanes::{self, LogEnd, Rules, Target},
    log::{self, Heads, Held, HeldLog, LogInArchive, said_target},
    proof::LogKeys,
    recording::{self, Checked},
};
use crate::log::{LogKey, log_keys};

/// Recordings that are handed to the threads together. What they found is told in order.
const BATCH: usize = 64;

/// Keeps everything.
#[derive(Default)]
pub(super) struct Collecting {
    pub(super) recordings: Vec<RecordingReport>,
    pub(super) strays: Vec<String>,
}

impl Observer for Collecting {
    fn recording(&mut self, report: &RecordingReport) {
        self.recordings.push(report.clone());
    }

    fn stray(&mut self, path: &str) {
        self.strays.push(path.to_owned());
    }
}

/// The keys of the log of `tenant` in the archive at `top`, of which statements signed with a
/// certificate in `keys` say so.
pub fn certified_log_keys(
    archive: &dyn Archive,
    top: &str,
    tenant: &TenantId,
    keys: &Keyring,
) -> Vec<LogKey> {
    log_keys(&LogInArchive::new(archive, top, tenant), keys).0
}

/// Verifies what `inventory` lists of `archive`, and tells `observer` recording by recording.
///
/// # Errors
/// Nothing that the archive holds: what is wrong or cannot be read is a finding. See [`VerifyError`].
pub fn verify_each(
    archive: &dyn Archive,
    inventory: Inventory,
    keys: &Keyring,
    options: &mut Options,
    observer: &mut dyn Observer,
) -> Result<Summary, VerifyError> {
    let tops = Tops::new(archive, &inventory.tops, options);
    let log_keys = known_log_keys(archive, &tops, keys, options);
    let Inventory { unfinished, links_out, .. } = inventory;
    let mut summary = Summary { unfinished, links_out, ..Summary::default() };
    let mut index = Index::new();
    let mut heads = Heads::new();

    let held = hold_logs(archive, &tops, &inventory);

    let mut journal = options.journal.take();
    let mut groups = inventory.groups(journal.as_mut())?;
    let judges =
        recording::Judges { archive, keys, log_keys: &log_keys, authorities: options.authorities.as_ref() };
    loop {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match groups.next()? {
                Some(Next::Recording(group)) => batch.push(group),
                Some(Next::Stray(path)) => {
                    summary.strays += 1;
                    observer.stray(&path);
                }
                None => break,
            }
        }
        if batch.is_empty() {
            break;
        }
        let outcomes = check_batch(&judges, &tops, &batch, options.threads.get());
        for (group, outcome) in batch.iter().zip(outcomes) {
            let number = tops.number(&group.folder);
            let Outcome { checked, verified_before } = outcome;
            index.here(number, &group.base, &checked)?;
            if let Some(proven) = &checked.proven {
                heads.add(number, group.base.recording(), proven)?;
            }
            if let Some(journal) = journal.as_mut().filter(|_| !verified_before)
                && let Some(known) = known::pack(&group.files, &checked)
            {
                journal.add(&group.folder, group.base.as_str(), &known)?;
            }
            let report = report(group, checked, verified_before);
            count(&mut summary, &report);
            observer.recording(&report);
        }
        observer.verified(summary.recordings);
    }
    if let Some(journal) = &mut journal {
        journal.flush()?;
    }

    observer.reading_logs();
    let mut heads = heads.sorted()?;
    let folders = tops.each().map(|(_, folder, _)| folder.to_owned());
    let new = |folder| ArchiveReport { folder, logs: Vec::new(), findings: FirstOf::default() };
    summary.archives.extend(folders.map(new));
    let mut when_listed = BTreeMap::new();
    for log in &held {
        let (report, last) = log::check(&log::Judges { keys, options }, log, &mut heads, &mut index)?;
        when_listed.insert((log.number, log.tenant.clone()), last);
        let archive = usize::try_from(log.number - 1).ok().and_then(|at| summary.archives.get_mut(at));
        archive.expect("archives are numbered from 1").logs.push(report);
    }

    let mut joined = index.join()?;
    let ends = meaning(&mut summary.archives, &tops, &mut joined, options, &when_listed);
    let folders: Vec<String> = tops.each().map(|(_, folder, _)| folder.to_owned()).collect();
    let Options { grace, now, retention, complete, .. } = *options;
    let rules = Rules { folders: &folders, logs: &ends, grace, now, retention, complete };
    summary.lanes = lanes::walk(joined, &rules)?;
    let origins =
        summary.archives.iter().flat_map(|archive| &archive.logs).filter_map(|log| log.head.as_ref());
    let here: Vec<&str> = origins.map(|head| head.origin.as_str()).collect();
    let given = options.checkpoints.iter().map(|given| given.checkpoint.origin.clone());
    summary.logs_not_here = given.filter(|origin| !here.contains(&origin.as_str())).collect();
    options.journal = journal;
    Ok(summary)
}

/// The archives among the folders, numbered from 1.
struct Tops {
    folders: BTreeMap<String, (u64, Top)>,
}

/// An archive with its tenants in the order in which logs are read.
struct TopOf<'a> {
    logs: Vec<&'a TenantId>,
    top: &'a Top,
}

impl Tops {
    fn new(archive: &dyn Archive, listed: &BTreeMap<String, Top>, options: &Options) -> Self {
        let mut tops = listed.clone();
        for PartOf { folder, top, tenants } in &options.parts {
            tops.entry(folder.clone()).or_insert_with(|| Top {
                logs: tenants.clone(),
                label: read_label(archive, top),
                above: Some(top.clone()),
            });
        }
        let numbered = (1..).zip(tops).map(|(number, (folder, top))| (folder, (number, top)));
        Self { folders: numbered.collect() }
    }

    /// By number; the folder is the one that the logs lie below.
    fn each(&self) -> impl Iterator<Item = (u64, &str, TopOf<'_>)> {
        self.folders.iter().map(|(folder, (number, top))| {
            let mut logs: Vec<&TenantId> = top.logs.iter().collect();
            logs.sort();
            (*number, top.above.as_ref().unwrap_or(folder).as_str(), TopOf { logs, top })
        })
    }

    /// The archive that a folder belongs to: the nearest at or above it.
    fn of(&self, folder: &str) -> Option<&(u64, Top)> {
        let mut folder = folder;
        loop {
            if let Some(found) = self.folders.get(folder) {
                return Some(found);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    fn number(&self, folder: &str) -> u64 {
        self.of(folder).map_or(NO_ARCHIVE, |(number, _)| *number)
    }
}

fn known_log_keys(archive: &dyn Archive, tops: &Tops, keys: &Keyring, options: &Options) -> LogKeys {
    let mut known = LogKeys::default();
    options.log_keys.iter().cloned().for_each(|key| known.add(key));
    for (_, folder, top) in tops.each() {
        for tenant in top.logs {
            certified_log_keys(archive, folder, tenant, keys).into_iter().for_each(|key| known.add(key));
        }
    }
    known
}

/// All logs as they are now: by archive and tenant, the order in which they are judged.
fn hold_logs<'a>(archive: &'a dyn Archive, tops: &'a Tops, inventory: &Inventory) -> Vec<HeldLog<'a>> {
    let mut held = Vec::new();
    for (number, folder, top) in tops.each() {
        for tenant in top.logs {
            let files = Held::now(LogInArchive::new(archive, folder, tenant));
            let size = inventory.sizes.get(&(folder.to_owned(), tenant.clone()));
            let size_when_listed = size.copied().unwrap_or(u64::MAX);
            held.push(HeldLog { number, tenant, files, size_when_listed });
        }
    }
    held
}

struct Outcome {
    checked: Checked,
    verified_before: bool,
}

/// Checks the recordings of a batch, several at once; what came out is in their order.
fn check_batch(judges: &recording::Judges<'_>, tops: &Tops, batch: &[Group], threads: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(batch.len()));
    let work = || {
        while let Some((place, group)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            batch.get(place).map(|group| (place, group))
        } {
            let outcome = check_one(judges, tops, group);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((place, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(batch.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn check_one(judges: &recording::Judges<'_>, tops: &Tops, group: &Group) -> Outcome {
    let judged = judges.authorities.is_some();
    let unpack = |known: &Vec<u8>| known::unpack(known, &group.files, judges.keys, judges.log_keys, judged);
    if let Some(checked) = group.journalled.iter().find_map(unpack) {
        return Outcome { checked, verified_before: true };
    }
    let top = tops.of(&group.folder).map(|(_, top)| top);
    Outcome { checked: recording::check(judges, top, &group.base, &group.files), verified_before: false }
}

fn report(group: &Group, checked: Checked, verified_before: bool) -> RecordingReport {
    RecordingReport {
        recording: group.base.recording(),
        base: group.base.clone(),
        folder: group.folder.clone(),
        place: checked.link.map(|link| (link.lane, link.position)),
        signed_by: checked.signed_by,
        proof: checked.proof,
        time_stamp: checked.time_stamp,
        verified_before,
        findings: checked.findings,
    }
}

fn count(summary: &mut Summary, report: &RecordingReport) {
    summary.recordings += 1;
    summary.wrong += u64::from(!report.findings.is_empty());
    summary.verified_before += u64::from(report.verified_before);
    summary.proofs_not_checked += u64::from(report.proof == ProofOutcome::NotChecked);
    summary.stamps_good += u64::from(matches!(report.time_stamp, StampOutcome::At(_)));
    summary.stamps_not_checked += u64::from(report.time_stamp == StampOutcome::NotChecked);
    if let Some(key) = report.signed_by {
        *summary.signed_by.entry(key).or_default() += 1;
    }
}

/// What each archive's recordings mean in the light of its logs: which target it is, and what does not
/// fit to that.
fn meaning(
    archives: &mut [ArchiveReport],
    tops: &Tops,
    joined: &mut Joined,
    options: &Options,
    when_listed: &BTreeMap<(u64, TenantId), Option<Timestamp>>,
) -> BTreeMap<(u64, TenantId), LogEnd> {
    let mut ends = BTreeMap::new();
    unknown_target(archives, options.target.as_deref());
    for (archive, (number, _, TopOf { top, .. })) in archives.iter_mut().zip(tops.each()) {
        for log in &mut archive.logs {
            let of_tenant = (number, log.tenant.clone());
            let said = said_target(options, &top.label, &log.tenant);
            let meant = joined.meant.remove(&of_tenant);
            let target = Target::of(said, meant.as_ref());
            log.target = target.shown();
            if let Some(meant) = meant {
                archive.findings.append(meant.findings);
                let strangers = meant.of_here.into_iter();
                let strangers =
                    strangers.filter(|(targets, _)| !targets.is_empty() && !target.is_among(targets));
                for (recording, target) in
                    strangers.flat_map(|(_, ids)| ids.first).zip(std::iter::repeat(target.shown()))
                {
                    let target = target.unwrap_or_default();
                    archive.findings.push(ArchiveFinding::NotForThisTarget { recording, target });
                }
                for (recording, deletion) in meant.deleted_and_here.first {
                    if deletion.is_empty() || target.is_among(&deletion) {
                        archive.findings.push(ArchiveFinding::DeletedAndHere(recording));
                    }
                }
            }
            let last = log.times.map(|(_, last)| last);
            // Without a size from before, all of the log was there when the archive was listed.
            let last = when_listed.get(&of_tenant).copied().flatten().or(last);
            ends.insert(of_tenant, LogEnd { last, target, is_part: top.above.is_some() });
        }
        // Tenants whose log is not here, and whose recordings have proofs of one.
        let proofs = joined.meant.iter().filter(|((of, _), _)| *of == number);
        let mut missing: BTreeMap<&TenantId, u64> = top.label.iter().map(|(tenant, _)| (tenant, 0)).collect();
        missing.extend(
            proofs.map(|((_, tenant), meant)| (tenant, meant.proofs)).filter(|(_, proofs)| *proofs > 0),
        );
        for (tenant, proofs) in missing.into_iter().filter(|(tenant, _)| !top.logs.contains(tenant)) {
            archive.findings.push(ArchiveFinding::NoLog(tenant.clone(), proofs));
        }
        contradictions(&top.label).for_each(|finding| archive.findings.push(finding));
    }
    ends
}

/// Says so if `target` was given, and no recording was ever sealed for one of that name: a slip of the
/// pen would make everything *elsewhere*.
fn unknown_target(archives: &mut [ArchiveReport], target: Option<&str>) {
    let Some(name) = target else { return };
    let named: BTreeSet<String> =
        archives.iter().flat_map(|archive| &archive.logs).flat_map(|log| &log.targets).cloned().collect();
    if named.is_empty() || named.contains(name) {
        return;
    }
    if let Some(log) = archives.iter_mut().flat_map(|archive| &mut archive.logs).next() {
        log.findings.push(LogFinding::UnknownTarget { name: name.to_owned(), named });
    }
}

/// Tenants of which `archive.txt` names several targets.
fn contradictions(label: &[(TenantId, String)]) -> impl Iterator<Item = ArchiveFinding> {
    label.iter().enumerate().filter_map(|(at, (tenant, second))| {
        let (_, first) = label[..at].iter().find(|(other, _)| other == tenant)?;
        (first != second).then(|| ArchiveFinding::TwoTargets {
            tenant: tenant.clone(),
            first: first.clone(),
            second: second.clone(),
        })
    })
}
