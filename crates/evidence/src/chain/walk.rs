//! One walk along a lane, place by place: what is held is one place.

use domain::RecordingId;

use super::{ChainLink, ChainProblem, Standing};

/// What is known of one position of a lane.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Which one, from 1.
    pub(crate) position: u64,
    /// The recordings that are here and claim it, by id; each copy that differs.
    pub(crate) here: Vec<ChainLink>,
    /// What the log says stands there.
    pub(crate) logged: Vec<Standing>,
    /// Recordings that are here and do not say reliably where they stand; others place them.
    pub(crate) unplaced: Vec<RecordingId>,
}

impl Place {
    /// True if something says so that can be relied on.
    fn is_known(&self) -> bool {
        !self.here.is_empty() || !self.logged.is_empty()
    }

    /// Whoever `named` may mean: of what is here first.
    fn standing(&self) -> impl Iterator<Item = Standing> {
        let here = self.here.iter();
        here.map(|link| Standing { recording: link.recording, signature: link.signature })
            .chain(self.logged.iter().copied())
    }
}

/// Walks along one lane.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The last place of which something is known.
    before: Option<Place>,
    /// What stands at the place after it according to its successor alone.
    unplaced: Option<(u64, Vec<RecordingId>)>,
}

impl Walk {
    /// Goes on to `place`, which lies after all that were given before. The beginning of a lane may be
    /// elsewhere; a hole may not, unless the log knows its places.
    pub(crate) fn step(&mut self, place: Place, mut problem: impl FnMut(ChainProblem)) {
        for link in &place.here {
            if link.previous.is_some() != (link.position > 1) {
                problem(ChainProblem::Unrooted { recording: link.recording, position: link.position });
            }
        }
        for pair in place.here.windows(2) {
            // Two copies of one recording that differ: one of them has a wrong signature.
            if let [a, b] = pair
                && a.recording != b.recording
            {
                problem(ChainProblem::SamePosition(a.recording, b.recording, place.position));
            }
        }
        if !place.is_known() {
            self.unplaced = Some((place.position, place.unplaced));
            return;
        }
        for recording in &place.unplaced {
            problem(ChainProblem::Unplaced { position: place.position, recording: *recording });
        }
        let unplaced = self.unplaced.take();
        if let Some(before) = self.before.take() {
            for link in &place.here {
                if let Some(found) = check_step(&before, unplaced.as_ref(), link) {
                    problem(found);
                }
            }
        }
        self.before = Some(place);
    }
}

/// Whether `link` can follow what stands at an earlier position.
fn check_step(
    before: &Place,
    unplaced: Option<&(u64, Vec<RecordingId>)>,
    link: &ChainLink,
) -> Option<ChainProblem> {
    // Who names nobody is reported as unrooted.
    let previous = link.previous.as_ref()?;
    // The link is later, so its position is at least 1.
    let (from, to) = (before.position.saturating_add(1), link.position - 1);
    let (recording, successor) = (previous.recording, link.recording);
    if from == to {
        let here = unplaced.is_some_and(|(position, ids)| *position == to && ids.contains(&recording));
        return Some(match here {
            true => ChainProblem::Unplaced { position: to, recording },
            false => ChainProblem::MissingOne { position: to, recording, successor },
        });
    }
    if from < to {
        return Some(ChainProblem::MissingSome { from, to, recording, successor });
    }
    if before.unplaced.contains(&recording) {
        return None;
    }
    let mut same = before.standing().filter(|standing| standing.recording == recording).peekable();
    if same.peek().is_none() {
        let found = before.standing().next()?.recording;
        return Some(ChainProblem::OtherPrevious { recording: successor, named: recording, found });
    }
    same.all(|standing| standing.signature != previous.signature)
        .then_some(ChainProblem::OtherSignature { recording: successor, previous: recording })
}
