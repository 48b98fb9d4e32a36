//! The chain of a lane (F-53): each recording's info names the one before it and that one's signature.
//!
//! A linear chain shows what is missing between two recordings, not that its end was cut off; the
//! transparency log (F-58) is for that. It also cannot tell *missing* from *elsewhere* or *lawfully
//! deleted*: the signed chain index will, and [`check`] is the place where it comes in.

use std::collections::BTreeMap;

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
    /// The recording is there, but its own files do not say reliably where it stands.
    #[error(
        "position {position}: recording {recording} is here, but its info is changed or missing (see above)"
    )]
    Unplaced {
        /// Its place, as its successor has it.
        position: u64,
        /// Which it is.
        recording: RecordingId,
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
    links.sort_by(|a, b| {
        (a.position, a.recording, a.signature.as_bytes()).cmp(&(
            b.position,
            b.recording,
            b.signature.as_bytes(),
        ))
    });
    links.dedup();
    let mut problems = forks_and_roots(&links);
    let mut before: Option<&[ChainLink]> = None;
    for here in links.chunk_by(|a, b| a.position == b.position) {
        for pair in here.windows(2) {
            // Two copies of one recording that differ: one of them has a wrong signature.
            if let [a, b] = pair
                && a.recording != b.recording
            {
                problems.push(ChainProblem::SamePosition(a.recording, b.recording, a.position));
            }
        }
        if let Some(before) = before {
            problems.extend(check_step(before, here));
        }
        before = Some(here);
    }
    LaneChain { lane, links, problems }
}

/// What can be said without knowing who stands where.
fn forks_and_roots(links: &[ChainLink]) -> Vec<ChainProblem> {
    let mut problems = Vec::new();
    let mut followers: BTreeMap<RecordingId, &ChainLink> = BTreeMap::new();
    for link in links {
        if link.previous.is_some() != (link.position > 1) {
            problems.push(ChainProblem::Unrooted { recording: link.recording, position: link.position });
        }
        let Some(previous) = link.previous.as_ref().map(|previous| previous.recording) else { continue };
        let first = followers.entry(previous).or_insert(link);
        // At one position it is reported as such.
        if first.position != link.position {
            problems.push(ChainProblem::Fork { previous, first: first.recording, second: link.recording });
        }
    }
    problems
}

/// Whether what stands `here`, at one position, can follow what stands `before`, at an earlier one.
fn check_step(before: &[ChainLink], here: &[ChainLink]) -> Vec<ChainProblem> {
    let mut problems = Vec::new();
    for link in here {
        // Who names nobody is reported as unrooted.
        let (recording, Some(previous)) = (link.recording, &link.previous) else { continue };
        // `here` is later, so its position is at least 1.
        let (from, to) = (before[0].position + 1, link.position - 1);
        let mut same = before.iter().filter(|other| other.recording == previous.recording).peekable();
        problems.extend(if from == to {
            Some(ChainProblem::MissingOne {
                position: to,
                recording: previous.recording,
                successor: recording,
            })
        } else if from < to {
            Some(ChainProblem::MissingSome { from, to, recording: previous.recording, successor: recording })
        } else if same.peek().is_none() {
            let (named, found) = (previous.recording, before[0].recording);
            Some(ChainProblem::OtherPrevious { recording, named, found })
        } else if same.all(|other| other.signature != previous.signature) {
            Some(ChainProblem::OtherSignature { recording, previous: previous.recording })
        } else {
            None
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> RecordingId {
        format!("01949c3e-7a5b-7000-8000-{number:012}").parse().unwrap()
    }

    fn signature(number: u64) -> Signature {
        Signature::new(number.to_be_bytes().to_vec())
    }

    fn link(number: u64, position: u64, previous: Option<u64>) -> ChainLink {
        let lane = Lane { tenant: "acme".parse().unwrap(), class: domain::Class::Consent };
        let previous =
            previous.map(|number| Previous { recording: id(number), signature: signature(number) });
        ChainLink { lane, position, recording: id(number), previous, signature: signature(number) }
    }

    /// Recordings 1 to `length` in order.
    fn chain(length: u64) -> Vec<ChainLink> {
        (1..=length).map(|number| link(number, number, number.checked_sub(1).filter(|n| *n > 0))).collect()
    }

    fn problems(links: Vec<ChainLink>) -> Vec<ChainProblem> {
        check(links).into_iter().flat_map(|chain| chain.problems).collect()
    }

    #[test]
    fn two_recordings_after_the_same_one_are_a_fork_and_the_branch_that_goes_on_is_not_blamed() {
        let mut links = chain(4);
        links.push(link(9, 3, Some(2)));
        assert_eq!(problems(links.clone()), [ChainProblem::SamePosition(id(3), id(9), 3)]);
        links.push(link(8, 6, Some(2)));
        let fork = ChainProblem::Fork { previous: id(2), first: id(3), second: id(8) };
        assert!(problems(links).contains(&fork));
    }

    #[test]
    fn a_first_that_is_not_first_and_a_later_one_without_previous_are_unrooted() {
        let unrooted = |position| ChainProblem::Unrooted { recording: id(5), position };
        assert_eq!(problems(vec![link(5, 1, Some(4))]), [unrooted(1)]);
        assert_eq!(problems(vec![link(5, 7, None)]), [unrooted(7)]);
    }

    #[test]
    fn a_recording_put_in_the_place_of_another_is_found() {
        let mut links = chain(4);
        links[2] = link(7, 3, Some(2));
        let other = ChainProblem::OtherPrevious { recording: id(4), named: id(3), found: id(7) };
        assert_eq!(problems(links), [other]);
    }

    #[test]
    fn lanes_are_checked_apart() {
        let mut other = chain(3);
        other.iter_mut().for_each(|link| link.lane.tenant = "beta".parse().unwrap());
        let chains = check(chain(5).into_iter().chain(other));
        assert_eq!(chains.iter().map(|chain| chain.links.len()).collect::<Vec<_>>(), [5, 3]);
        assert!(chains.iter().all(|chain| chain.problems.is_empty()));
    }

    proptest! {
        #[test]
        fn a_whole_chain_is_good_in_any_order_and_with_copies(
            mut links in (1_u64..30).prop_flat_map(|n| Just([chain(n), chain(n)].concat()).prop_shuffle()),
        ) {
            prop_assert_eq!(problems(links.clone()), []);
            let copies = links.len();
            links.truncate(copies / 2);
            prop_assert_eq!(check(links).len(), 1);
        }

        #[test]
        fn whatever_is_taken_out_of_the_middle_is_counted(
            length in 3_u64..40, out in proptest::collection::btree_set(2_u64..40, 1..8),
        ) {
            let links: Vec<_> = chain(length).into_iter().filter(|l| l.position == length || !out.contains(&l.position)).collect();
            let missing: u64 = problems(links).iter().map(|problem| match problem {
                ChainProblem::MissingOne { .. } => 1,
                ChainProblem::MissingSome { from, to, .. } => to - from + 1,
                _ => 100,
            }).sum();
            prop_assert_eq!(missing, out.iter().filter(|n| **n < length).count() as u64);
        }

        #[test]
        fn any_links_at_all_do_not_make_it_panic(
            links in proptest::collection::vec((0_u64..6, 0_u64..6, proptest::option::of(0_u64..6)), 0..12),
        ) {
            problems(links.into_iter().map(|(number, position, previous)| link(number, position, previous)).collect());
        }
    }
}
