//! Along the lanes: each chain, and what became of what is not here.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Lane, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::{
    Absences, AbsentRecording, Deletion, Expired, FirstOf, LaneReport, VerifyError,
    index::{Deleted, Here, Joined, Known, Logged, Meant},
};
use crate::chain::{Place, Walk};

/// Which target an archive is, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Somebody says so.
    Known(String),
    /// Each recording that is here was meant for all of these.
    OneOf(BTreeSet<String>),
    /// Nothing is here that tells.
    Unknown,
}

impl Target {
    /// By what was said, else by what is here.
    pub(super) fn of(said: Option<String>, meant: Option<&Meant>) -> Self {
        let common = meant.and_then(|meant| meant.targets.clone()).filter(|common| !common.is_empty());
        match (said, common) {
            (Some(name), _) => Self::Known(name),
            (None, Some(common)) => Self::OneOf(common),
            (None, None) => Self::Unknown,
        }
    }

    /// Its name, if only one comes into question.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Known(name) => Some(name),
            Self::OneOf(names) if names.len() == 1 => names.first().map(String::as_str),
            _ => None,
        }
    }

    /// Whether something with these targets belongs here. In doubt it does: better one question too
    /// many than a recording that nobody misses.
    pub(super) fn is_among(&self, targets: &[String]) -> bool {
        match self {
            Self::Known(name) => targets.contains(name),
            Self::OneOf(names) => targets.iter().any(|target| names.contains(target)),
            Self::Unknown => !targets.is_empty(),
        }
    }

    /// Whether a deletion took it from here.
    pub(super) fn was_cleared(&self, deleted: &Deleted) -> bool {
        deleted.targets.is_empty() || self.is_among(&deleted.targets)
    }
}

/// What the log of one tenant in one archive says as a whole.
#[derive(Debug, Clone)]
pub(super) struct LogEnd {
    /// The time of its last entry.
    pub(super) last: Option<Timestamp>,
    pub(super) target: Target,
    /// Only a part of the archive is verified.
    pub(super) is_part: bool,
}

/// By what absences are judged.
pub(super) struct Rules<'a> {
    /// Folders of archives by number, from 1.
    pub(super) folders: &'a [String],
    /// By archive and tenant.
    pub(super) logs: &'a BTreeMap<(u64, TenantId), LogEnd>,
    pub(super) grace: SignedDuration,
    pub(super) now: Timestamp,
    pub(super) retention: SignedDuration,
    pub(super) complete: bool,
}

/// However long ago the log here ends: what was sealed before this has come or never will.
const LONGEST_WAY: SignedDuration = SignedDuration::from_hours(1);

impl Rules<'_> {
    /// What is sealed may take some minutes until it is delivered: only by the log's own clock *and* the
    /// verifier's, or a thief would be excused for ever. What was sealed after the archive had been
    /// listed (its age at the log's end is negative) could not be among the names.
    fn is_on_the_way(&self, log: &LogEnd, logged: &Logged) -> bool {
        let Some(age) = log.last.map(|last| last.duration_since(logged.at)) else { return false };
        age.is_negative() || (age < self.grace && self.now.duration_since(logged.at).abs() < LONGEST_WAY)
    }

    fn may_have_expired(&self, logged: &Logged) -> bool {
        !self.complete && self.now.duration_since(logged.at) >= self.retention
    }
}

/// Walks along all lanes.
pub(super) fn walk(mut joined: Joined, rules: &Rules<'_>) -> Result<Vec<LaneReport>, VerifyError> {
    let mut places = joined.take_places()?;
    let mut reports = Vec::new();
    let mut current: Option<Walking<'_>> = None;
    while let Some((archive, lane, position, known)) = places.next().map_err(VerifyError::Temporary)? {
        if current.as_ref().is_none_or(|walking| (walking.archive, &walking.report.lane) != (archive, &lane))
        {
            if let Some(done) = current.take() {
                reports.push(done.finish());
            }
            current = Some(Walking::new(archive, lane, rules, &mut joined));
        }
        let walking = current.as_mut().expect("it was just made");
        if walking.place.position != position {
            walking.step();
            walking.place.position = position;
        }
        walking.add(known);
    }
    reports.extend(current.map(Walking::finish));
    Ok(reports)
}

/// One lane on the way.
struct Walking<'a> {
    archive: u64,
    rules: &'a Rules<'a>,
    log: Option<&'a LogEnd>,
    /// The earliest start of what is here of this tenant.
    oldest: Option<Timestamp>,
    walk: Walk,
    place: AtPlace,
    report: LaneReport,
    /// Some entry of the log was passed.
    log_began: bool,
    /// Something was here, or known of.
    first_known: Option<u64>,
    /// What is not here and before which nothing was: perhaps retention took it.
    beginning: FirstOf<AbsentRecording>,
    beginning_until: Option<Expired>,
    /// In a part of an archive: what is missing if something comes after it.
    hole: FirstOf<AbsentRecording>,
}

/// What was collected of one position.
#[derive(Default)]
struct AtPlace {
    position: u64,
    here: Vec<Here>,
    logged: Vec<Logged>,
    unplaced: Vec<domain::RecordingId>,
}

impl<'a> Walking<'a> {
    fn new(archive: u64, lane: Lane, rules: &'a Rules<'a>, joined: &mut Joined) -> Self {
        let of_tenant = (archive, lane.tenant.clone());
        let problems = joined.forks.remove(&(archive, lane.clone())).unwrap_or_default();
        let folder =
            archive.checked_sub(1).and_then(|number| rules.folders.get(usize::try_from(number).ok()?));
        let log = rules.logs.get(&of_tenant);
        let report = LaneReport {
            archive: folder.cloned(),
            lane,
            recordings: 0,
            positions: (0, 0),
            started: (None, None),
            missing_before: 0,
            problems,
            absent: Absences::default(),
            not_in_log: FirstOf::default(),
            before_log: 0,
            has_log: log.is_some(),
        };
        Self {
            archive,
            rules,
            log,
            oldest: joined.oldest.get(&of_tenant).copied(),
            walk: Walk::default(),
            place: AtPlace::default(),
            report,
            log_began: false,
            first_known: None,
            beginning: FirstOf::default(),
            beginning_until: None,
            hole: FirstOf::default(),
        }
    }

    fn add(&mut self, known: Known) {
        match known {
            // The same recording may lie in several folders.
            Known::Here(here) if self.place.here.iter().any(|other| other.link == here.link) => {}
            Known::Here(here) => self.place.here.push(here),
            Known::Logged(logged) => self.place.logged.push(logged),
            Known::Unplaced(recording) => self.place.unplaced.push(recording),
        }
    }

    /// Judges what was collected.
    fn step(&mut self) {
        let AtPlace { position, here, logged, unplaced } = std::mem::take(&mut self.place);
        if here.is_empty() && logged.is_empty() && unplaced.is_empty() {
            return;
        }
        if !here.is_empty() || !logged.is_empty() {
            self.first_known.get_or_insert(position);
        }
        self.log_began |= !logged.is_empty();
        for absent in logged.iter().filter(|logged| !logged.is_here) {
            self.absent(absent);
        }
        self.present(position, &here);
        let place = Place {
            position,
            here: here.into_iter().map(|here| here.link).collect(),
            logged: logged.iter().map(|logged| logged.standing).collect(),
            unplaced,
        };
        let problems = &mut self.report.problems;
        self.walk.step(place, |problem| problems.push(problem));
    }

    fn present(&mut self, position: u64, here: &[Here]) {
        let (Some(first), Some(last)) = (here.first(), here.last()) else { return };
        let report = &mut self.report;
        if report.recordings == 0 {
            report.missing_before = self.first_known.unwrap_or(position).saturating_sub(1);
            report.positions.0 = position;
            report.started.0 = Some(first.started);
            // Something is here after it: what is gone is a beginning.
            self.expire();
        }
        let report = &mut self.report;
        report.absent.missing.append(std::mem::take(&mut self.hole));
        let ids: BTreeSet<_> = here.iter().map(|here| here.link.recording).collect();
        report.recordings += ids.len() as u64;
        report.positions.1 = position;
        report.started.1 = Some(last.started);
        // What has a proof was judged by that.
        for here in here.iter().filter(|here| !here.is_logged && !here.has_proof) {
            match (self.log.is_some(), self.log_began) {
                (true, true) => report.not_in_log.push(here.link.recording),
                (true, false) => report.before_log += 1,
                (false, _) => {}
            }
        }
    }

    fn absent(&mut self, logged: &Logged) {
        let Some(log) = self.log else { return };
        let what = AbsentRecording {
            recording: logged.standing.recording,
            position: logged.position,
            started: logged.started,
        };
        let absent = &mut self.report.absent;
        if let Some(deleted) = logged.deletions.iter().find(|deleted| log.target.was_cleared(deleted)) {
            let (reason, by) = (deleted.reason.clone(), deleted.by.clone());
            return absent.deleted.push(Deletion { what, at: deleted.at, reason, by });
        }
        if !log.target.is_among(&logged.targets) {
            absent.elsewhere += 1;
            return;
        }
        if self.rules.is_on_the_way(log, logged) {
            absent.on_the_way += 1;
        } else if log.is_part && self.report.recordings == 0 {
            absent.outside += 1;
        } else if log.is_part {
            self.hole.push(what);
        } else if self.report.recordings == 0 && self.rules.may_have_expired(logged) {
            let expired = self.beginning_until.get_or_insert(Expired {
                recordings: 0,
                to_position: 0,
                to: what.started,
            });
            expired.recordings += 1;
            expired.to_position = what.position;
            expired.to = expired.to.max(what.started);
            self.beginning.push(what);
        } else {
            absent.missing.push(what);
        }
    }

    /// What was not here so far was the beginning, and retention took it.
    fn expire(&mut self) {
        self.beginning = FirstOf::default();
        self.report.absent.expired = self.beginning_until.take();
    }

    fn finish(mut self) -> LaneReport {
        self.step();
        self.report.absent.outside += self.hole.count();
        if let Some(beginning) = self.beginning_until.clone() {
            // Nothing of the lane is here. Retention goes by age: if everything here of this tenant is
            // younger, it took this lane as a whole.
            if self.oldest.is_some_and(|oldest| beginning.to < oldest) {
                self.expire();
            } else {
                self.report.absent.missing.append(std::mem::take(&mut self.beginning));
            }
        }
        self.report
    }
}
