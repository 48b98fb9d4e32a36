//! The chain of a lane (F-53): each recording's info names the one before it and that one's signature.
//!
//! A linear chain shows what is missing between two recordings, not that its end was cut off, and it
//! cannot tell *missing* from *elsewhere* or *lawfully deleted*: the transparency log (F-58) can, and
//! [`Place::logged`] is where it comes in.

mod walk;

use domain::{Lane, RecordingId};

pub(crate) use self::walk::{Place, Walk};
use crate::{Sha256Hash, Signature};

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
    pub previous: Option<Standing>,
    /// SHA-256 of the signature of its own hash list, as the `.sig` file holds it.
    pub signature: Sha256Hash,
}

/// A recording and its signature, at some place of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// The recording.
    pub recording: RecordingId,
    /// SHA-256 of the bytes of the signature of its hash list.
    pub signature: Sha256Hash,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> RecordingId {
        format!("01949c3e-7a5b-7000-8000-{number:012}").parse().unwrap()
    }

    fn signature(number: u64) -> Sha256Hash {
        Sha256Hash::of(&number.to_be_bytes())
    }

    fn link(number: u64, position: u64, previous: Option<u64>) -> ChainLink {
        let lane = Lane { tenant: "acme".parse().unwrap(), class: domain::Class::Consent };
        let previous =
            previous.map(|number| Standing { recording: id(number), signature: signature(number) });
        ChainLink { lane, position, recording: id(number), previous, signature: signature(number) }
    }

    /// Recordings 1 to `length` in order.
    fn chain(length: u64) -> Vec<ChainLink> {
        (1..=length).map(|number| link(number, number, number.checked_sub(1).filter(|n| *n > 0))).collect()
    }

    /// One lane's links, walked in order.
    fn problems(links: Vec<ChainLink>) -> Vec<ChainProblem> {
        let mut places: BTreeMap<u64, Vec<ChainLink>> = BTreeMap::new();
        for link in links {
            let here = places.entry(link.position).or_default();
            if !here.contains(&link) {
                here.push(link);
            }
        }
        let mut walk = Walk::default();
        let mut problems = Vec::new();
        for (position, mut here) in places {
            here.sort_by_key(|link| link.recording);
            walk.step(Place { position, here, ..Place::default() }, |problem| problems.push(problem));
        }
        problems
    }

    #[test]
    fn two_recordings_at_one_place_are_a_fork_and_the_branch_that_goes_on_is_not_blamed() {
        let mut links = chain(4);
        links.push(link(9, 3, Some(2)));
        assert_eq!(problems(links), [ChainProblem::SamePosition(id(3), id(9), 3)]);
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
    fn what_the_log_knows_of_a_place_stands_for_a_recording_that_lies_elsewhere() {
        let logged = |signed: u64| Place {
            position: 2,
            logged: vec![Standing { recording: id(2), signature: signature(signed) }],
            ..Place::default()
        };
        for (signed, expected) in
            [(2, vec![]), (7, vec![ChainProblem::OtherSignature { recording: id(3), previous: id(2) }])]
        {
            let mut walk = Walk::default();
            let mut found = Vec::new();
            for place in [
                Place { position: 1, here: vec![link(1, 1, None)], ..Place::default() },
                logged(signed),
                Place { position: 3, here: vec![link(3, 3, Some(2))], ..Place::default() },
            ] {
                walk.step(place, |problem| found.push(problem));
            }
            assert_eq!(found, expected);
        }
    }

    proptest! {
        #[test]
        fn a_whole_chain_is_good_in_any_order_and_with_copies(
            links in (1_u64..30).prop_flat_map(|n| Just([chain(n), chain(n)].concat()).prop_shuffle()),
        ) {
            prop_assert_eq!(problems(links), []);
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
