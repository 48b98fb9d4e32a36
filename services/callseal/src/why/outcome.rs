//! How a leg stands, in one sentence.

use std::{collections::BTreeSet, fmt};

use wire::event_v1::{Event, event::What};

/// What the events of one leg come to.
#[derive(Debug, Default)]
pub(super) struct Outcome<'a> {
    /// The rule of the last decision that it is recorded.
    rule: Option<&'a str>,
    /// The last decision, if it was another one.
    not_recorded: Option<&'a str>,
    is_asked: bool,
    is_over: bool,
    is_stopped: bool,
    supplement_to: Option<&'a str>,
    is_assembled: bool,
    position: Option<u64>,
    targets: BTreeSet<&'a str>,
    journals: BTreeSet<&'a str>,
}

impl<'a> Outcome<'a> {
    /// Of the events in the order in which they happened.
    pub fn of(events: &'a [Event]) -> Self {
        let mut outcome = Self::default();
        for what in events.iter().filter_map(|event| event.what.as_ref()) {
            outcome.take(what);
        }
        outcome
    }

    fn take(&mut self, what: &'a What) {
        match what {
            What::Decided(decided) => {
                self.is_asked = decided.asks_consent;
                self.not_recorded = None;
                if decided.recorded {
                    self.rule = Some(&decided.rule);
                } else if !decided.asks_consent {
                    self.not_recorded = Some(&decided.reason);
                }
            }
            What::Ended(_) => self.is_over = true,
            What::Stopped(_) => self.is_stopped = true,
            What::Assembled(assembled) => {
                self.is_assembled = true;
                self.supplement_to = Some(assembled.supplement_to.as_str()).filter(|to| !to.is_empty());
            }
            What::Sealed(sealed) => self.position = Some(sealed.chain_position),
            // What was handed over lies nowhere.
            What::Shipped(shipped) if shipped.handed_over => {}
            What::Shipped(shipped) => {
                self.targets.insert(&shipped.target);
            }
            What::Journalled(journalled) => {
                self.journals.insert(&journalled.journal);
            }
            What::Ringing(_)
            | What::ConsentAnswered(_)
            | What::Started(_)
            | What::Deleted(_)
            | What::Accessed(_)
            | What::HoldChanged(_)
            | What::Removed(_)
            | What::Fault(_) => {}
        }
    }

    fn is_in_archive(&self) -> bool {
        self.is_assembled || self.position.is_some() || !self.targets.is_empty()
    }

    /// What was recorded stays recorded, whatever was decided later.
    fn recorded(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.supplement_to, self.rule) {
            (Some(to), _) => write!(f, "RECORDED, late audio of {to}")?,
            (None, Some(rule)) => write!(f, "RECORDED by rule {rule}")?,
            (None, None) => write!(f, "RECORDED")?,
        }
        if self.is_stopped {
            write!(f, ", stopped before the call was over")?;
        }
        match self.position {
            Some(position) => write!(f, "; sealed as number {position} of its chain")?,
            None if self.is_assembled => write!(f, "; NOT SEALED yet")?,
            None if self.is_over || self.is_stopped => write!(f, "; NOT ASSEMBLED yet")?,
            None => write!(f, "; the call goes on")?,
        }
        if self.position.is_some() || !self.targets.is_empty() {
            match joined(&self.targets) {
                Some(targets) => write!(f, "; lies in {targets}")?,
                None => write!(f, "; lies in NO TARGET yet")?,
            }
            match joined(&self.journals) {
                Some(journals) => write!(f, "; in the journal {journals}")?,
                None => write!(f, "; in no journal")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rule.is_some() || self.is_in_archive() {
            return self.recorded(f);
        }
        match (self.not_recorded, self.is_asked, self.is_over) {
            (Some(reason), ..) => write!(f, "NOT RECORDED: {reason}"),
            (None, true, true) => write!(f, "NOT RECORDED: there was no consent when the call ended"),
            (None, true, false) => write!(f, "consent is waited for"),
            (None, false, true) => {
                write!(f, "NOT RECORDED, as far as is known: the call ended without a decision")
            }
            (None, false, false) => write!(f, "no decision is known"),
        }
    }
}

fn joined(names: &BTreeSet<&str>) -> Option<String> {
    (!names.is_empty()).then(|| names.iter().copied().collect::<Vec<_>>().join(", "))
}
