//! What is said at the end, in sentences: one wording for the terminal and for the report.

use evidence::{
    log::audit::Deeds,
    verify::{Absences, ArchiveReport, FirstOf, Keyring, LaneReport, LogReport, StampOutcome, Summary},
};
use jiff::Timestamp;

/// Everything that is known at the end.
pub(super) struct Verdict<'a> {
    pub(super) summary: &'a Summary,
    pub(super) keys: &'a Keyring,
    /// What was verified.
    pub(super) what: &'a [String],
    /// Certificates were given by the auditor, not found beside the archive.
    pub(super) certificates_given: bool,
    /// The target was given by the auditor, not said by the archive.
    pub(super) target_given: bool,
    pub(super) complete: bool,
    /// A chain without its log is wrong.
    pub(super) log_required: bool,
    /// When it began and ended.
    pub(super) times: (Timestamp, Timestamp),
}

/// What came out as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing is wrong.
    Good,
    /// Something is.
    Wrong,
    /// No recording is here, and by the log none should be.
    Nothing,
}

/// A sentence, and whether it says that something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) wrong: bool,
    /// True for what belongs to the line above it.
    pub(super) detail: bool,
    pub(super) text: String,
}

fn said(wrong: bool, text: String) -> Said {
    Said { wrong, detail: false, text }
}

fn detail(wrong: bool, text: String) -> Said {
    Said { wrong, detail: true, text }
}

/// The first of many, and how many more.
fn listed<T>(list: &FirstOf<T>, mut one: impl FnMut(&T) -> String) -> Vec<Said> {
    let mut all: Vec<_> = list.first.iter().map(|item| detail(true, one(item))).collect();
    if list.more > 0 {
        all.push(detail(true, format!("… and {} more of this kind", list.more)));
    }
    all
}

impl Verdict<'_> {
    /// What came out. Where no recording is, nothing was found good.
    pub(super) fn outcome(&self) -> Outcome {
        let Summary { recordings, lanes, .. } = self.summary;
        if !self.summary.is_good() || lanes.iter().any(|lane| self.is_cut(lane) || self.lacks_log(lane)) {
            return Outcome::Wrong;
        }
        match (recordings, lanes.iter().any(|lane| lane.absent.on_the_way > 0)) {
            (0, true) => Outcome::Wrong,
            (0, false) => Outcome::Nothing,
            _ => Outcome::Good,
        }
    }

    /// True if there is something and nothing is wrong with it.
    pub(super) fn is_good(&self) -> bool {
        self.outcome() == Outcome::Good
    }

    fn is_cut(&self, lane: &LaneReport) -> bool {
        self.complete && lane.missing_before > 0
    }

    fn lacks_log(&self, lane: &LaneReport) -> bool {
        self.log_required && !lane.has_log
    }

    /// Chains of which no log tells where they end.
    pub(super) fn without_log(&self) -> impl Iterator<Item = &LaneReport> {
        self.summary.lanes.iter().filter(|lane| !lane.has_log)
    }

    /// Nothing of what verification is for.
    pub(super) fn is_empty(&self) -> bool {
        let Summary { recordings, strays, archives, .. } = self.summary;
        *recordings == 0 && *strays == 0 && archives.iter().all(|archive| archive.logs.is_empty())
    }

    /// Lane after lane.
    pub(super) fn lanes(&self) -> Vec<Said> {
        self.summary.lanes.iter().flat_map(|lane| self.lane(lane)).collect()
    }

    fn lane(&self, lane: &LaneReport) -> Vec<Said> {
        let LaneReport { recordings, positions: (first, last), missing_before, absent, .. } = lane;
        let cut = self.is_cut(lane);
        let good = lane.is_good() && !cut;
        let verdict = if good { "chain complete" } else { "CHAIN BROKEN" };
        let (from, to) = (start(lane.started.0), start(lane.started.1));
        let place = match &lane.archive {
            Some(folder) if self.summary.archives.len() > 1 => format!(" in {folder}"),
            _ => String::new(),
        };
        let name = &lane.lane;
        let mut out = vec![if *recordings == 0 {
            said(!good, format!("{name}{place}: no recording here"))
        } else {
            let range = format!("from {first} ({from}) to {last} ({to})");
            said(!good, format!("{name}{place}: {recordings} recordings, {verdict} {range}"))
        }];
        out.extend(listed(&lane.problems, ToString::to_string));
        if *missing_before > 0 {
            let weight = if cut { "MISSING" } else { "not in this archive" };
            out.push(detail(cut, format!("the {missing_before} before are {weight}")));
        }
        if !lane.has_log {
            let text = "no log here: that the end of the chain is whole was NOT CHECKED";
            out.push(detail(self.log_required, text.into()));
        }
        out.extend(absences(absent));
        out.extend(listed(&lane.not_in_log, |id| {
            format!("recording {id} is NOT IN THE LOG, although the log had begun")
        }));
        if lane.before_log > 0 {
            out.push(detail(false, format!("{} are older than the log", lane.before_log)));
        }
        out
    }

    /// Archive after archive, log after log.
    pub(super) fn archives(&self) -> Vec<Said> {
        let mut out: Vec<_> =
            self.summary.archives.iter().flat_map(|archive| self.archive(archive)).collect();
        for origin in &self.summary.logs_not_here {
            let text = format!(
                "a checkpoint of the log {origin} was given, and that log is not here: begun anew, or another archive"
            );
            out.push(said(true, text));
        }
        let Summary { proofs_not_checked, stamps_good, stamps_not_checked, .. } = self.summary;
        let Summary { unfinished, links_out, .. } = self.summary;
        let without = self.without_log().count();
        if without > 0 {
            let text = format!(
                "ATTENTION: no log here for {without} chains: whether recordings were taken from their ends was NOT CHECKED (--log required refuses that)"
            );
            out.push(said(self.log_required, text));
        }
        if *unfinished > 0 {
            out.push(said(
                false,
                format!("{unfinished} files of deliveries that are under way or were broken off"),
            ));
        }
        if *links_out > 0 {
            let text = format!(
                "ATTENTION: {links_out} symbolic links lead out of the archive: what they lead to is not kept by it"
            );
            out.push(said(false, text));
        }
        if *proofs_not_checked > 0 {
            let text = format!(
                "{proofs_not_checked} log proofs NOT JUDGED: the log whose key signed them is not here, nor above"
            );
            out.push(said(false, text));
        }
        if *stamps_good > 0 {
            out.push(said(false, format!("{stamps_good} time stamps of recordings verified")));
        }
        if *stamps_not_checked > 0 {
            out.push(said(
                false,
                format!("{stamps_not_checked} time stamps of recordings NOT JUDGED: give --tsa-ca"),
            ));
        }
        out
    }

    fn archive(&self, archive: &ArchiveReport) -> Vec<Said> {
        let mut out = Vec::new();
        for log in &archive.logs {
            out.extend(self.log(log));
        }
        if !archive.findings.is_empty() {
            let folder = if archive.folder.is_empty() { "." } else { &archive.folder };
            out.push(said(true, format!("archive {folder}: not as its log says")));
            out.extend(listed(&archive.findings, ToString::to_string));
        }
        out
    }

    fn log(&self, log: &LogReport) -> Vec<Said> {
        let tenant = &log.tenant;
        let verdict = if log.is_good() { "good" } else { "WRONG" };
        let mut out = Vec::new();
        match (&log.head, log.times) {
            (Some(head), Some((first, last))) => {
                let (size, origin) = (head.size, &head.origin);
                out.push(said(
                    !log.is_good(),
                    format!(
                        "log of {tenant}: {size} entries, {verdict}, from {} to {}",
                        start(Some(first)),
                        start(Some(last))
                    ),
                ));
                out.push(detail(false, format!("{origin}, root {}", head.root)));
                out.extend(head.witnessed.iter().map(|(name, at)| {
                    detail(false, format!("cosigned by the witness {name} at {}", start(Some(*at))))
                }));
                if head.witnessed.is_empty() && head.cosignatures > 0 {
                    let text =
                        format!("{} cosignatures of witnesses NOT JUDGED: give --witness", head.cosignatures);
                    out.push(detail(false, text));
                }
            }
            (Some(head), None) => {
                out.push(said(!log.is_good(), format!("log of {tenant}: {} entries, {verdict}", head.size)))
            }
            (None, _) => out.push(said(true, format!("log of {tenant}: of no use"))),
        }
        out.extend(listed(&log.findings, ToString::to_string));
        match (&log.target, self.target_given) {
            (Some(target), true) => out.push(detail(false, format!("this archive is the target {target}"))),
            (Some(target), false) => out.push(detail(
                false,
                format!("this archive is the target {target}, it says itself: if you know which it is, give --target"),
            )),
            (None, _) => out.push(detail(
                false,
                "this archive does not say which target it is: if recordings are elsewhere by right, give --target".into(),
            )),
        }
        if log.continues > 0 {
            out.push(detail(false, format!("continues {} checkpoints that were given", log.continues)));
        }
        if let Some((size, at, authority)) = &log.stamps.newest {
            let (good, at) = (log.stamps.good, start(Some(*at)));
            let text = format!(
                "{good} time stamps of it verified; its first {size} entries existed at {at}, says {authority}"
            );
            out.push(detail(false, text));
        }
        if log.stamps.not_checked > 0 {
            let text = format!("{} time stamps of it NOT JUDGED: give --tsa-ca", log.stamps.not_checked);
            out.push(detail(false, text));
        }
        if log.newer_than_log > 0 {
            let text = format!(
                "{} recordings here are newer than the log here, which is brought some time after them",
                log.newer_than_log
            );
            out.push(detail(false, text));
        }
        let Deeds { stopped, played, exported, deleted } = log.deeds;
        if log.deeds != Deeds::default() {
            let text = format!(
                "by people: {stopped} recordings stopped, {played} times one listened to, {exported} times one taken out, {deleted} deletions (callseal log audit tells them one by one)"
            );
            out.push(detail(false, text));
        }
        out.extend(log.notes.iter().map(|note| detail(false, note.to_string())));
        out
    }

    /// The certificates that any of the recordings was signed by.
    pub(super) fn certificates(&self) -> Vec<Said> {
        let mut out = Vec::new();
        for certificate in self.keys.certificates() {
            let signed =
                self.summary.signed_by.get(&certificate.public_key().id()).copied().unwrap_or_default();
            if signed > 0 {
                let (subject, fingerprint) = (certificate.subject(), certificate.fingerprint());
                let text =
                    format!("certificate: {subject}, {signed} recordings, SHA-256 fingerprint {fingerprint}");
                out.push(said(false, text));
            }
        }
        if !self.certificates_given && !self.summary.signed_by.is_empty() {
            let text = "found beside the archive: compare the fingerprint with the one you were given";
            out.push(detail(false, text.into()));
        }
        out
    }

    /// The last line.
    pub(super) fn conclusion(&self) -> String {
        let Summary { recordings, wrong, strays, verified_before, .. } = self.summary;
        let before = match verified_before {
            0 => String::new(),
            before => format!(" ({before} of them by an earlier run)"),
        };
        match self.outcome() {
            Outcome::Good if self.without_log().next().is_some() => {
                return format!(
                    "{recordings} recordings verified{before}: each is good, but NO LOG is here that tells whether some are missing at the end"
                );
            }
            Outcome::Good => return format!("{recordings} recordings verified{before}: all good"),
            Outcome::Nothing => return "NO RECORDING is here: nothing was verified".to_owned(),
            Outcome::Wrong => {}
        }
        let broken = |lane: &&LaneReport| !lane.is_good() || self.is_cut(lane) || self.lacks_log(lane);
        let chains = self.summary.lanes.iter().filter(broken).count();
        let archives = self.summary.archives.iter().filter(|archive| !archive.is_good()).count();
        format!(
            "{recordings} recordings verified{before}: SOMETHING IS WRONG: {wrong} recordings, {chains} chains, {archives} archives by their logs, {strays} files that belong to no recording"
        )
    }
}

/// What became of recordings that the log knows and that are not here.
fn absences(absent: &Absences) -> Vec<Said> {
    let mut out = listed(&absent.missing, |missing| {
        format!(
            "{missing} is MISSING: the log says that it was sealed for this archive, and nothing of a deletion"
        )
    });
    if let Some(expired) = &absent.expired {
        out.push(detail(
            false,
            format!(
                "the oldest {} are gone, up to position {} ({}): as after a retention period; the log has no single deletions of them",
                expired.recordings,
                expired.to_position,
                start(Some(expired.to))
            ),
        ));
    }
    if absent.outside > 0 {
        let text =
            format!("{} lie before and after these: only a part of the archive was verified", absent.outside);
        out.push(detail(false, text));
    }
    if absent.elsewhere > 0 {
        out.push(detail(
            false,
            format!("{} were sealed for other targets, and are elsewhere", absent.elsewhere),
        ));
    }
    for deletion in &absent.deleted.first {
        let (at, reason, by) = (start(Some(deletion.at)), &deletion.reason, &deletion.by);
        out.push(detail(false, format!("{} was deleted at {at} by {by}: {reason}", deletion.what)));
    }
    if absent.deleted.more > 0 {
        out.push(detail(
            false,
            format!("… and {} more deletions that the log tells of", absent.deleted.more),
        ));
    }
    if absent.on_the_way > 0 {
        let text = format!(
            "{} were sealed just before this log ends, and may be on their way (--grace 0 to refuse)",
            absent.on_the_way
        );
        out.push(detail(false, text));
    }
    out
}

/// A time in UTC, as the lines show it.
pub(super) fn start(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// For tables.
pub(super) fn stamped(outcome: StampOutcome) -> &'static str {
    match outcome {
        StampOutcome::Absent => "",
        StampOutcome::NotChecked => "not judged",
        StampOutcome::At(_) => "stamped",
        StampOutcome::Wrong => "WRONG",
    }
}
