//! The log of one tenant in an archive: is it what was signed, and does it fit to what others hold of it?

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, Read},
    thread,
    time::Duration,
};

use domain::{RecordingId, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::{
    Archive, FirstOf, Keyring, Listed, Options, VerifyError,
    index::{Deleted, Index},
    inventory::join,
    lanes::Target,
    packed::{Packer, Unpacker},
    proof::Proven,
    sorter::{Sorted, Sorter},
};
use crate::{
    Sha256Hash,
    log::{
        Entry, Frontier, LogFiles, LogProblem, PublishedLog, SealedEntry, SignedCheckpoint, What,
        audit::{Audit, AuditFinding, AuditNote, Deeds},
        key_change_problem, leaf_hash,
        tiles::{self, checkpoint_path},
    },
    timestamp::{Authorities, TimeStampError, TimeStampToken},
};

/// No file of a log is longer: a full entry bundle holds 256 entries of up to 64 KiB.
const LONGEST: u64 = 32 * 1024 * 1024;
/// Calls take hours, and what is late is waited for.
const LONGEST_CALL: Duration = Duration::from_hours(24);

/// The log of one tenant.
#[derive(Debug, Clone)]
pub struct LogReport {
    /// Whose.
    pub tenant: TenantId,
    /// The target that the archive is for this tenant, if that is known.
    pub target: Option<String>,
    /// Its name and newest believable checkpoint; `None`: there is none.
    pub head: Option<LogHead>,
    /// Times of the first and the last entry.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many of the given checkpoints it continues.
    pub continues: u64,
    /// Time stamps of its checkpoints.
    pub stamps: Stamps,
    /// What is wrong.
    pub findings: FirstOf<LogFinding>,
    /// Keys that came into use, and times in which nothing was written.
    pub notes: Vec<AuditNote>,
    /// How often somebody stopped, listened or deleted.
    pub deeds: Deeds,
    /// The targets that recordings were ever sealed for.
    pub targets: BTreeSet<String>,
    /// Recordings here that are newer than the log that lies here.
    pub newer_than_log: u64,
}

/// The newest checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The log's name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The hash over all of them.
    pub root: Sha256Hash,
    /// Signatures beside the log's own: of witnesses, judged or not.
    pub cosignatures: usize,
    /// Which of the given witnesses cosigned it, and when.
    pub witnessed: Vec<(String, Timestamp)>,
}

/// Time stamps (RFC 3161) of checkpoints.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// How many are good.
    pub good: u64,
    /// How many were not judged, because no authority was given.
    pub not_checked: u64,
    /// The newest good one: number of entries, time, authority.
    pub newest: Option<(u64, Timestamp, String)>,
}

/// What is wrong with a log, or with the archive in its light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFinding {
    /// With the log itself.
    Log(LogProblem),
    /// A call or a chain that the log does not tell to its end.
    Audit(AuditFinding),
    /// It does not continue a checkpoint that was given.
    Given(LogProblem),
    /// A witness whose cosignature was wanted did not cosign the newest checkpoint.
    NotWitnessed(String),
    /// A recording's proof holds a checkpoint that the log signed and does not continue.
    ProofContradicts {
        /// Whose proof.
        recording: RecordingId,
        /// The number of entries in its checkpoint.
        size: u64,
    },
    /// The archive is said to be a target that no recording was ever sealed for.
    UnknownTarget {
        /// What it is said to be.
        name: String,
        /// The targets that the logs here name.
        named: BTreeSet<String>,
    },
    /// A recording's proof holds a larger log than the one here, and was made long after that one's last
    /// entry.
    ProofIsNewer {
        /// Whose proof.
        recording: RecordingId,
        /// The number of entries in its checkpoint.
        had: u64,
        /// The number of entries here.
        has: u64,
    },
    /// A time stamp proves nothing.
    BadTimeStamp {
        /// Its file.
        path: String,
        /// Why.
        error: TimeStampError,
    },
    /// The checkpoint that a time stamp is for is not there.
    StampedCheckpointMissing {
        /// The number of entries in it.
        size: u64,
    },
    /// An entry claims a time before the one at which an authority saw the log without it.
    Backdated {
        /// The entry.
        index: u64,
        /// Its time.
        at: Timestamp,
        /// When the log did not have it yet.
        stamped: Timestamp,
    },
    /// An entry claims a time after the one at which an authority saw it.
    Postdated {
        /// The entry.
        index: u64,
        /// Its time.
        at: Timestamp,
        /// When the log had it already.
        stamped: Timestamp,
    },
}

impl fmt::Display for LogFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(problem) => problem.fmt(f),
            Self::Audit(finding) => finding.fmt(f),
            Self::Given(problem) => write!(f, "compared with the checkpoint given: {problem}"),
            Self::NotWitnessed(name) => {
                write!(f, "the newest checkpoint is not cosigned by the witness {name}")
            }
            Self::ProofContradicts { recording, size } => write!(
                f,
                "the log was forked: the proof of recording {recording} holds another signed checkpoint of {size} entries than the log here had"
            ),
            Self::UnknownTarget { name, named } => {
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                write!(
                    f,
                    "no recording was ever sealed for a target {name}: the log names {}",
                    named.join(", ")
                )
            }
            Self::ProofIsNewer { recording, had, has } => write!(
                f,
                "the log was rolled back: it had {had} entries when recording {recording} was delivered, and has {has}"
            ),
            Self::BadTimeStamp { path, error } => write!(f, "the log's file {path}: {error}"),
            Self::StampedCheckpointMissing { size } => {
                write!(f, "there is a time stamp of the checkpoint of {size} entries, and no such checkpoint")
            }
            Self::Backdated { index, at, stamped } => write!(
                f,
                "entry {index} of the log claims {at:.0}, but at {stamped:.0} an authority stamped the log without it: the clock was set back, or the time was made up"
            ),
            Self::Postdated { index, at, stamped } => write!(
                f,
                "entry {index} of the log claims {at:.0}, but an authority stamped the log with it at {stamped:.0} already: the clock was ahead, or the time was made up"
            ),
        }
    }
}

impl LogReport {
    /// True if nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

/// The files of a log within an archive.
pub(super) struct LogInArchive<'a> {
    archive: &'a dyn Archive,
    folder: String,
}

impl<'a> LogInArchive<'a> {
    /// `<top>/log/<tenant>`.
    pub(super) fn new(archive: &'a dyn Archive, top: &str, tenant: &TenantId) -> Self {
        Self { archive, folder: join(top, &format!("log/{tenant}")) }
    }
}

impl LogFiles for LogInArchive<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match self.archive.open(&join(&self.folder, path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            reader => reader?.take(LONGEST).read_to_end(&mut bytes)?,
        };
        Ok(Some(bytes))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.archive.list(&join(&self.folder, folder), &mut |listed| {
            if let Listed::File(file) = listed {
                names.push(file.name().to_owned());
            }
        })?;
        Ok(names)
    }
}

/// A log that goes on while it is verified, held at one moment: the newest checkpoint and what will be
/// replaced are read at once, all else never changes.
pub(super) struct Held<'a> {
    files: LogInArchive<'a>,
    kept: BTreeMap<String, Vec<u8>>,
    /// Names in the folder of copies.
    copies: Option<Vec<String>>,
}

impl<'a> Held<'a> {
    /// As it is now.
    pub(super) fn now(files: LogInArchive<'a>) -> Self {
        let mut held = Self { files, kept: BTreeMap::new(), copies: None };
        for attempt in 1..=ATTEMPTS {
            if held.take() {
                break;
            }
            if attempt < ATTEMPTS {
                thread::sleep(PAUSE);
            }
        }
        held
    }

    /// False if it was changing. What is unreadable or missing is found when the log is judged.
    fn take(&mut self) -> bool {
        // First: what comes later than the checkpoint is of no use.
        self.copies = self.files.list(COPIES).ok();
        let newest = || self.files.read(NEWEST).ok().flatten();
        self.kept.clear();
        let Some(head) = newest() else { return true };
        let size = SignedCheckpoint::parse(&head).map_or(0, |signed| signed.checkpoint.size);
        for path in partial_files(size) {
            if let Ok(Some(bytes)) = self.files.read(&path) {
                self.kept.insert(path, bytes);
            }
        }
        let is_settled = newest().as_ref() == Some(&head)
            && self
                .copies
                .iter()
                .flatten()
                .filter_map(|name| name.parse::<u64>().ok())
                .all(|copy| copy <= size);
        self.kept.insert(NEWEST.to_owned(), head);
        is_settled
    }
}

const NEWEST: &str = "checkpoint";
const COPIES: &str = "checkpoints";
/// A log grows every few seconds, and its right edge is read in less. A copy of a checkpoint is brought
/// a moment before it becomes the newest one; one that stays alone is of a log that was rolled back.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// The partial bundle and tiles of a tree of this size.
fn partial_files(size: u64) -> Vec<String> {
    let (last, width) = (size / tiles::WIDTH, size % tiles::WIDTH);
    let mut paths = Vec::new();
    if width > 0 {
        paths.push(tiles::bundle_path(last, width));
    }
    for level in 0..8 {
        let (number, width) = ((size >> (8 * level)) / tiles::WIDTH, (size >> (8 * level)) % tiles::WIDTH);
        if width > 0 {
            paths.push(tiles::tile_path(level, number, width));
        }
    }
    paths
}

impl LogFiles for Held<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.kept.get(path) {
            Some(kept) => Ok(Some(kept.clone())),
            None => self.files.read(path),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        match &self.copies {
            Some(copies) if folder == COPIES => Ok(copies.clone()),
            _ => self.files.list(folder),
        }
    }
}

/// How many entries the logs have that lie right below the folders that were given.
pub(super) fn sizes_now(archive: &dyn Archive) -> io::Result<BTreeMap<(String, TenantId), u64>> {
    let mut tops = vec![String::new()];
    archive.list("", &mut |listed| {
        if let Listed::Folder(path) = listed {
            tops.push(path);
        }
    })?;
    let mut sizes = BTreeMap::new();
    for top in tops {
        let mut tenants: Vec<TenantId> = Vec::new();
        archive.list(&join(&top, "log"), &mut |listed| {
            if let Listed::Folder(path) = listed {
                tenants.extend(path.rsplit('/').next().and_then(|name| name.parse().ok()));
            }
        })?;
        for tenant in tenants {
            let newest = LogInArchive::new(archive, &top, &tenant).read(NEWEST).ok().flatten();
            if let Some(signed) = newest.and_then(|newest| SignedCheckpoint::parse(&newest).ok()) {
                sizes.insert((top.clone(), tenant), signed.checkpoint.size);
            }
        }
    }
    Ok(sizes)
}

/// The heads of the log that recordings hold in their proofs, to be compared with the log.
pub(super) struct Heads(Sorter);

impl Heads {
    pub(super) fn new() -> Self {
        Self(Sorter::new())
    }

    pub(super) fn add(
        &mut self,
        archive: u64,
        recording: RecordingId,
        proven: &Proven,
    ) -> Result<(), VerifyError> {
        let Proven { tenant, checkpoint, at, .. } = proven;
        let record = Packer::default().number(archive).text(tenant.as_str()).number(checkpoint.size);
        let record = record.hash(&checkpoint.root).time(*at).recording(recording).text(&checkpoint.origin);
        self.0.push(&record.done()).map_err(VerifyError::Temporary)
    }

    pub(super) fn sorted(self) -> Result<SortedHeads, VerifyError> {
        let mut heads = SortedHeads { sorted: self.0.finish().map_err(VerifyError::Temporary)?, next: None };
        heads.advance()?;
        Ok(heads)
    }
}

/// One of them.
#[derive(Debug, Clone)]
struct Head {
    archive: u64,
    tenant: String,
    size: u64,
    root: Sha256Hash,
    at: Timestamp,
    recording: RecordingId,
    origin: String,
}

/// By archive, tenant and size.
pub(super) struct SortedHeads {
    sorted: Sorted,
    next: Option<Head>,
}

impl SortedHeads {
    fn advance(&mut self) -> Result<(), VerifyError> {
        let record = self.sorted.next().map_err(VerifyError::Temporary)?;
        self.next = record.and_then(|record| {
            let mut fields = Unpacker(&record);
            Some(Head {
                archive: fields.number()?,
                tenant: fields.text()?.to_owned(),
                size: fields.number()?,
                root: fields.hash()?,
                at: fields.time()?,
                recording: fields.recording()?,
                origin: fields.text()?.to_owned(),
            })
        });
        Ok(())
    }

    /// The next one of this log; those of logs before it are passed over, they are not here.
    fn next_of(&mut self, archive: u64, tenant: &TenantId) -> Result<Option<&Head>, VerifyError> {
        let wanted = (archive, tenant.as_str());
        while self.next.as_ref().is_some_and(|head| (head.archive, head.tenant.as_str()) < wanted) {
            self.advance()?;
        }
        Ok(self.next.as_ref().filter(|head| (head.archive, head.tenant.as_str()) == wanted))
    }
}

/// A log that is to be judged.
pub(super) struct HeldLog<'a> {
    /// The number of the archive.
    pub(super) number: u64,
    pub(super) tenant: &'a TenantId,
    pub(super) files: Held<'a>,
    /// How many entries it had before the archive was listed, at least.
    pub(super) size_when_listed: u64,
}

/// What logs are judged with.
pub(super) struct Judges<'a> {
    pub(super) keys: &'a Keyring,
    pub(super) options: &'a Options,
}

/// Reads a log, hands its sealed and deleted entries to `index`, and compares it with the heads that
/// recordings hold. Logs have to be read in the order of numbers and tenants. Returns the report, and
/// the time of the last entry that the log had when the archive was listed.
pub(super) fn check(
    judges: &Judges<'_>,
    log: &HeldLog<'_>,
    heads: &mut SortedHeads,
    index: &mut Index,
) -> Result<(LogReport, Option<Timestamp>), VerifyError> {
    let HeldLog { number, tenant, files, size_when_listed } = log;
    let (number, tenant) = (*number, *tenant);
    let mut report = LogReport {
        tenant: tenant.clone(),
        target: None,
        head: None,
        times: None,
        continues: 0,
        stamps: Stamps::default(),
        findings: FirstOf::default(),
        notes: Vec::new(),
        deeds: Deeds::default(),
        targets: BTreeSet::new(),
        newer_than_log: 0,
    };
    let log = match PublishedLog::open(files, judges.keys) {
        Ok(log) => log,
        Err(problems) => {
            problems.into_iter().map(LogFinding::Log).for_each(|finding| report.findings.push(finding));
            return Ok((report, None));
        }
    };
    log.problems().iter().cloned().map(LogFinding::Log).for_each(|finding| report.findings.push(finding));
    let newest = &log.newest().checkpoint;
    report.head = Some(LogHead {
        origin: newest.origin.clone(),
        size: newest.size,
        root: newest.root,
        cosignatures: log.newest().signatures().len().saturating_sub(1),
        witnessed: log.newest().cosigned_by(&judges.options.witnesses),
    });
    for witness in &judges.options.witnesses {
        let of_it = |(name, _): &(String, Timestamp)| name == witness.name();
        if !report.head.iter().flat_map(|head| &head.witnessed).any(of_it) {
            report.findings.push(LogFinding::NotWitnessed(witness.name().to_owned()));
        }
    }
    if log.origin().tenant() != tenant {
        let problem = LogProblem::OtherTenant { index: 0, tenant: log.origin().tenant().clone() };
        report.findings.push(LogFinding::Log(problem));
    }
    for given in judges.options.checkpoints.iter().filter(|given| given.checkpoint.origin == newest.origin) {
        match log.is_consistent_with(given) {
            Ok(()) => report.continues += 1,
            Err(problem) => report.findings.push(LogFinding::Given(problem)),
        }
    }
    let stamps = check_stamps(files, judges.options.authorities.as_ref(), &mut report);
    let mut reading = Reading {
        number,
        tenant,
        origin: &newest.origin,
        frontier: Some(Frontier::default()),
        audit: Audit::new(),
        clock: Clock::new(&stamps),
        listed: (*size_when_listed, None),
        report: &mut report,
    };
    reading.heads(heads)?;
    for entry in log.entries() {
        match entry {
            Ok((place, entry)) => {
                reading.entry(place, &entry, index)?;
                if let What::Key(key) = &entry.what {
                    let problem = key_change_problem(files, judges.keys, tenant, (place, key));
                    reading.report.findings.extend(problem.map(LogFinding::Log));
                }
                reading.heads(heads)?;
            }
            Err(problem) => reading.report.findings.push(LogFinding::Log(problem)),
        }
    }
    let (audit, (_, when_listed)) = (reading.audit, reading.listed);
    newer_heads(&mut report, (number, tenant), newest.size, judges.options.grace, heads)?;
    if let Some((_, last)) = report.times {
        let audited = audit.finish(last, LONGEST_CALL);
        let retired = audited.retired_key(log.newest());
        audited
            .findings
            .into_iter()
            .chain(retired)
            .map(LogFinding::Audit)
            .for_each(|found| report.findings.push(found));
        report.notes = audited.notes;
        report.deeds = audited.deeds;
    }
    Ok((report, when_listed))
}

/// What is held while the entries pass.
struct Reading<'a> {
    number: u64,
    tenant: &'a TenantId,
    origin: &'a str,
    /// `None` once an entry is missing: from there on no head can be compared.
    frontier: Option<Frontier>,
    audit: Audit,
    clock: Clock,
    /// The size of the log when the archive was listed, and the latest time among so many entries.
    listed: (u64, Option<Timestamp>),
    report: &'a mut LogReport,
}

impl Reading<'_> {
    fn entry(&mut self, place: u64, entry: &Entry, index: &mut Index) -> Result<(), VerifyError> {
        self.frontier =
            self.frontier.take().filter(|frontier| frontier.size() == place).map(|mut frontier| {
                frontier.append(leaf_hash(&entry.to_bytes()));
                frontier
            });
        let times = self.report.times.get_or_insert((entry.at, entry.at));
        times.1 = times.1.max(entry.at);
        if place < self.listed.0 {
            self.listed.1 = self.listed.1.max(Some(entry.at));
        }
        if let Some(finding) = self.clock.judge(place, entry.at) {
            self.report.findings.push(finding);
        }
        match &entry.what {
            What::Sealed(sealed) => {
                self.targets(sealed);
                index.sealed(self.number, &entry.tenant, entry.at, sealed)?;
            }
            What::Deleted { recording, targets, reason, by } => {
                let (targets, reason, by) = (targets.clone(), reason.clone(), by.clone());
                let deleted = Deleted { at: entry.at, targets, reason, by };
                index.deleted(self.number, *recording, &deleted)?;
            }
            _ => {}
        }
        self.audit.add(place, entry);
        Ok(())
    }

    fn targets(&mut self, sealed: &SealedEntry) {
        let named = &mut self.report.targets;
        // A tenant has a handful. Whoever signs made up names may not fill the memory.
        for target in sealed.targets.iter().filter(|_| sealed.targets.len() < MANY_TARGETS) {
            if named.len() < MANY_TARGETS && !named.contains(target) {
                named.insert(target.clone());
            }
        }
    }

    /// Compares the heads of the size that was read until now.
    fn heads(&mut self, heads: &mut SortedHeads) -> Result<(), VerifyError> {
        let Some(frontier) = &self.frontier else { return Ok(()) };
        let mut root = None;
        while let Some(head) =
            heads.next_of(self.number, self.tenant)?.filter(|head| head.size <= frontier.size())
        {
            let root = *root.get_or_insert_with(|| frontier.root());
            if head.size == frontier.size() && head.origin == self.origin && head.root != root {
                let (recording, size) = (head.recording, head.size);
                self.report.findings.push(LogFinding::ProofContradicts { recording, size });
            }
            heads.advance()?;
        }
        Ok(())
    }
}

/// More than any tenant has storage targets.
const MANY_TARGETS: usize = 1000;
/// A log that goes on is brought to its archive at least this often: it says once an hour that it lives.
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// Heads that are larger than the log. A log is brought to an archive some time after the recording.
fn newer_heads(
    report: &mut LogReport,
    (number, tenant): (u64, &TenantId),
    has: u64,
    grace: SignedDuration,
    heads: &mut SortedHeads,
) -> Result<(), VerifyError> {
    let mut first: Option<Head> = None;
    let mut newest: Option<Timestamp> = None;
    while let Some(head) = heads.next_of(number, tenant)? {
        if head.size > has {
            newest = newest.max(Some(head.at));
            first.get_or_insert_with(|| head.clone());
            report.newer_than_log += 1;
        }
        heads.advance()?;
    }
    if let (Some(head), Some(newest), Some((_, last))) = (first, newest, report.times)
        && newest.duration_since(last) >= LATEST.saturating_add(grace)
    {
        report.findings.push(LogFinding::ProofIsNewer { recording: head.recording, had: head.size, has });
    }
    Ok(())
}

/// Judges `checkpoints/*.tsr`; returns the good ones, by size.
fn check_stamps(
    files: &dyn LogFiles,
    authorities: Option<&Authorities>,
    report: &mut LogReport,
) -> BTreeMap<u64, Timestamp> {
    let mut good = BTreeMap::new();
    // That the folder cannot be read was said when the log was opened.
    for name in files.list("checkpoints").unwrap_or_default() {
        let Some(size) = name.strip_suffix(".tsr").and_then(|size| size.parse::<u64>().ok()) else {
            continue;
        };
        let Some(authorities) = authorities else {
            report.stamps.not_checked += 1;
            continue;
        };
        let path = format!("checkpoints/{name}");
        let read = |path: &str| files.read(path).ok().flatten();
        let Some(checkpoint) = read(&checkpoint_path(size)) else {
            report.findings.push(LogFinding::StampedCheckpointMissing { size });
            continue;
        };
        let token = TimeStampToken::from_der(&read(&path).unwrap_or_default());
        match token.and_then(|token| token.verify(authorities, &Sha256Hash::of(&checkpoint))) {
            Ok(stamp) => {
                report.stamps.good += 1;
                if report.stamps.newest.as_ref().is_none_or(|(newest, ..)| *newest < size) {
                    report.stamps.newest = Some((size, stamp.time, stamp.authority));
                }
                good.insert(size, stamp.time);
            }
            Err(error) => report.findings.push(LogFinding::BadTimeStamp { path, error }),
        }
    }
    good
}

/// How far clocks may be apart, and how long an authority may take.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// The times of entries between the times of stamps.
struct Clock {
    /// By size, what is not passed yet: its time, and the earliest of its own and all later ones'.
    stamps: BTreeMap<u64, (Timestamp, Timestamp)>,
    /// The latest time at which the log did not have the entries that come now.
    without: Option<Timestamp>,
    /// One finding a stamp is enough.
    said: bool,
}

impl Clock {
    fn new(stamps: &BTreeMap<u64, Timestamp>) -> Self {
        let from_the_last = stamps.iter().rev().scan(Timestamp::MAX, |earliest, (size, time)| {
            *earliest = (*earliest).min(*time);
            Some((*size, (*time, *earliest)))
        });
        Self { stamps: from_the_last.collect(), without: None, said: false }
    }

    fn judge(&mut self, index: u64, at: Timestamp) -> Option<LogFinding> {
        while let Some(first) = self.stamps.first_entry().filter(|stamp| *stamp.key() <= index) {
            self.without = self.without.max(Some(first.remove().0));
            self.said = false;
        }
        let before = self.without.filter(|stamped| stamped.duration_since(at) > CLOCKS);
        let earliest = self.stamps.first_key_value().map(|(_, (_, earliest))| *earliest);
        let after = earliest.filter(|stamped| at.duration_since(*stamped) > CLOCKS);
        let finding = match (before, after) {
            (Some(stamped), _) => LogFinding::Backdated { index, at, stamped },
            (None, Some(stamped)) => LogFinding::Postdated { index, at, stamped },
            (None, None) => return None,
        };
        (!std::mem::replace(&mut self.said, true)).then_some(finding)
    }
}

/// Which target the archive is for the tenant of this log.
pub(super) fn said_target(
    options: &Options,
    label: &[(TenantId, String)],
    tenant: &TenantId,
) -> Option<String> {
    let labelled = label.iter().find(|(labelled, _)| labelled == tenant).map(|(_, target)| target.clone());
    options.target.clone().or(labelled)
}

impl Target {
    /// For reports.
    pub(super) fn shown(&self) -> Option<String> {
        self.name().map(str::to_owned)
    }
}
