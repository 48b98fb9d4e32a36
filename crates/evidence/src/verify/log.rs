//! The log of one tenant in an archive: is it what was signed, and does it fit to what others hold of it?

mod heads;
mod held;
mod report;
mod stamps;
mod witnesses;

use std::{collections::BTreeSet, time::Duration};

use domain::TenantId;
use jiff::{SignedDuration, Timestamp};

pub use self::report::{LogFinding, LogHead, LogReport, Stamps};
use self::{
    heads::Head,
    stamps::{Clock, check_stamps},
};
pub(super) use self::{
    heads::{Heads, SortedHeads},
    held::{Held, LogInArchive, sizes_now},
};
use super::{
    FirstOf, Keyring, Options, VerifyError,
    index::{Deleted, Index},
    lanes::Target,
};
use crate::log::{
    Entry, Frontier, LogProblem, PublishedLog, SealedEntry, What,
    audit::{Audit, Deeds},
    key_change_problem, leaf_hash,
};

/// Calls take hours, and what is late is waited for.
const LONGEST_CALL: Duration = Duration::from_hours(24);

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
        witnessed: witnesses::check(log.newest(), judges.options, &mut report.findings),
    });
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
