//! The chain of a lane (F-53): each recording's info names the one before it and that one's signature.
//!
//! A linear chain shows what is missing between two recordings, not that its end was cut off; the
//! transparency log (F-58) is for that. It also cannot tell *missing* from *elsewhere* or *lawfully
//! deleted*: the signed chain index will, and [`check`] is the place where it comes in.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Lane, RecordingId};

use crate::Signature;

/// The last recording of a lane: what the next one names as its previous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// Position of that recording, from 1.
    pub position: u64,
    /// The recording.
    pub recording: RecordingId,
    /// The signature of its hash list.
    pub signature: Signature,
}

/// What a recording's info says of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// The recording.
    pub recording: RecordingId,
    /// The signature of its hash list.
    pub signature: Signature,
}

/// One recording as a link of its lane's chain, as its info tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// In which chain.
    pub lane: Lane,
    /// Its place, from 1.
    pub position: u64,
    /// Which recording.
    pub recording: RecordingId,
    /// The one before it; `None`: it says that it is the first.
    pub previous: Option<Previous>,
    /// The signature of its own hash list, as the `.sig` file holds it.
    pub signature: Signature,
}

impl ChainLink {
    /// The lane's head after this recording.
    pub fn head(&self) -> LaneHead {
        LaneHead { position: self.position, recording: self.recording, signature: self.signature.clone() }
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// Two recordings claim one place.
    #[error("recordings {0} and {1} both claim position {2}: the chain is forked")]
    SamePosition(RecordingId, RecordingId, u64),
    /// Two recordings follow the same one.
    #[error("recordings {first} and {second} both follow {previous}: the chain is forked")]
    Fork {
        /// The one that both name.
        previous: RecordingId,
        /// The one at the lower position.
        first: RecordingId,
        /// The other.
        second: RecordingId,
    },
    /// One recording is not there.
    #[error(
        "position {position} is missing: recording {recording}, which {successor} names as the one before it"
    )]
    MissingOne {
        /// Its place.
        position: u64,
        /// Which it is.
        recording: RecordingId,
        /// Who says so.
        successor: RecordingId,
    },
    /// Several recordings in a row are not there.
    #[error(
        "positions {from} to {to} are missing; the last of them is recording {recording}, which {successor} names as the one before it"
    )]
    MissingSome {
        /// The first place that is empty.
        from: u64,
        /// The last place that is empty.
        to: u64,
        /// The recording at the last of these places.
        recording: RecordingId,
        /// Who says so.
        successor: RecordingId,
    },
    /// A recording names another one than stands before it.
    #[error("recording {recording} names {named} as the one before it, but {found} stands there")]
    OtherPrevious {
        /// Who names.
        recording: RecordingId,
        /// Whom it names.
        named: RecordingId,
        /// Who stands there.
        found: RecordingId,
    },
    /// The previous recording was signed anew.
    #[error(
        "recording {recording} holds another signature of {previous} than that recording has: {previous} was changed or replaced"
    )]
    OtherSignature {
        /// Who holds the former signature.
        recording: RecordingId,
        /// Who was changed.
        previous: RecordingId,
    },
    /// A recording that is not the first names nobody, or the first names somebody.
    #[error(
        "recording {recording} claims position {position}, and its previous recording does not fit to that"
    )]
    Unrooted {
        /// Which one.
        recording: RecordingId,
        /// Its claim.
        position: u64,
    },
}

/// One lane's chain, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneChain {
    /// Which lane.
    pub lane: Lane,
    /// The recordings that there are, by position.
    pub links: Vec<ChainLink>,
    /// What is wrong, by position.
    pub problems: Vec<ChainProblem>,
}

impl LaneChain {
    /// How many recordings stand before the first one that is here. They may lie elsewhere.
    pub fn missing_before(&self) -> u64 {
        self.links.first().map_or(0, |link| link.position.saturating_sub(1))
    }
}

/// Checks the chains of all lanes in `links`, in any order. The same recording may come several times
/// (copies). The beginning of a lane may be elsewhere; a hole may not.
pub fn check(links: impl IntoIterator<Item = ChainLink>) -> Vec<LaneChain> {
    let mut lanes: BTreeMap<Lane, Vec<ChainLink>> = BTreeMap::new();
    for link in links {
        lanes.entry(link.lane.clone()).or_default().push(link);
    }
    lanes.into_iter().map(|(lane, links)| check_lane(lane, links)).collect()
}

fn check_lane(lane: Lane, mut links: Vec<ChainLink>) -> LaneChain {
    links.sort_by(|a, b| (a.position, a.recording).cmp(&(b.position, b.recording)));
    links.dedup();
    let mut problems = Vec::new();
    let mut successors: BTreeMap<RecordingId, RecordingId> = BTreeMap::new();
    for link in &links {
        if link.previous.is_some() != (link.position > 1) {
            problems.push(ChainProblem::Unrooted { recording: link.recording, position: link.position });
        }
        let Some(previous) = link.previous.as_ref().map(|previous| previous.recording) else { continue };
        if let Some(first) =
            successors.insert(previous, link.recording).filter(|first| *first != link.recording)
        {
            problems.push(ChainProblem::Fork { previous, first, second: link.recording });
        }
    }
    let mut reported = BTreeSet::new();
    for pair in links.windows(2) {
        let [before, link] = pair else { continue };
        if reported.insert((before.recording, link.recording)) {
            problems.extend(check_step(before, link));
        }
    }
    LaneChain { lane, links, problems }
}

/// Whether `link` can stand after `before`.
fn check_step(before: &ChainLink, link: &ChainLink) -> Option<ChainProblem> {
    let recording = link.recording;
    if before.position == link.position {
        return Some(ChainProblem::SamePosition(before.recording, recording, link.position));
    }
    // Who names nobody at a later position is reported as unrooted.
    let previous = link.previous.as_ref()?;
    let (from, to) = (before.position + 1, link.position - 1);
    if from == to {
        let missing = previous.recording;
        return Some(ChainProblem::MissingOne { position: to, recording: missing, successor: recording });
    }
    if from < to {
        let missing = previous.recording;
        return Some(ChainProblem::MissingSome { from, to, recording: missing, successor: recording });
    }
    if previous.recording != before.recording {
        let (named, found) = (previous.recording, before.recording);
        return Some(ChainProblem::OtherPrevious { recording, named, found });
    }
    (previous.signature != before.signature)
        .then_some(ChainProblem::OtherSignature { recording, previous: before.recording })
}
