//! Time stamps of a log's checkpoints, and what they say of the times in its entries.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{LogFinding, LogReport};
use crate::{
    Sha256Hash,
    log::{LogFiles, tiles::checkpoint_path},
    timestamp::{Authorities, TimeStampToken},
};

/// Judges `checkpoints/*.tsr`; returns the good ones, by size.
pub(super) fn check_stamps(
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
pub(super) struct Clock {
    /// By size, what is not passed yet: its time, and the earliest of its own and all later ones'.
    stamps: BTreeMap<u64, (Timestamp, Timestamp)>,
    /// The latest time at which the log did not have the entries that come now.
    without: Option<Timestamp>,
    /// One finding a stamp is enough.
    said: bool,
}

impl Clock {
    pub(super) fn new(stamps: &BTreeMap<u64, Timestamp>) -> Self {
        let from_the_last = stamps.iter().rev().scan(Timestamp::MAX, |earliest, (size, time)| {
            *earliest = (*earliest).min(*time);
            Some((*size, (*time, *earliest)))
        });
        Self { stamps: from_the_last.collect(), without: None, said: false }
    }

    pub(super) fn judge(&mut self, index: u64, at: Timestamp) -> Option<LogFinding> {
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
