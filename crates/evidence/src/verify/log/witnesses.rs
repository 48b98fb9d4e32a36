//! Whether enough of the witnesses that an auditor believes have cosigned.

use std::{collections::BTreeSet, num::NonZeroUsize};

use jiff::Timestamp;

use super::{super::FirstOf, LogFinding, Options};
use crate::log::{SignedCheckpoint, WitnessKey};

/// Which of the wanted witnesses have cosigned `newest`, and when; what is missing is a finding.
///
/// Keys are counted, not names: who gives one key twice has one witness, and two keys of one name are two.
pub(super) fn check(
    newest: &SignedCheckpoint,
    options: &Options,
    findings: &mut FirstOf<LogFinding>,
) -> Vec<(String, Timestamp)> {
    let wanted: BTreeSet<&WitnessKey> = options.witnesses.iter().collect();
    let (mut witnessed, mut missing) = (Vec::new(), Vec::new());
    for key in wanted {
        match newest.cosigned_by(std::slice::from_ref(key)).pop() {
            Some(by) => witnessed.push(by),
            None => missing.push(key.name().to_owned()),
        }
    }
    match options.witness_quorum.map(NonZeroUsize::get) {
        None => missing.into_iter().map(LogFinding::NotWitnessed).for_each(|finding| findings.push(finding)),
        Some(wanted) if witnessed.len() < wanted => {
            findings.push(LogFinding::TooFewWitnesses { got: witnessed.len(), wanted, missing });
        }
        Some(_) => {}
    }
    witnessed
}

#[cfg(test)]
mod tests;
