//! A decision with the steps that led to it, in numbers rather than texts: most are never read.

use domain::{
    Consent, ConsentOutcome, Decision, Direction, NotRecorded, Override, Recorded, ResourceName, Side,
    Verdict,
};

use crate::{Policy, condition::Failed, rule::Rule};

/// What was decided about a call. Texts are made when they are asked for.
#[derive(Debug)]
pub struct Decided<'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) direction: Direction,
    pub(crate) own_sides: &'static [Side],
    pub(crate) asked_side: Side,
    pub(crate) ruling: Ruling,
    pub(crate) steps: Vec<Step>,
}

/// The verdict; rules by their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling {
    Record { rule: usize, consent: Option<Consent> },
    Ask { rule: usize },
    Not(Reason),
}

/// Why a call is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    OverrideDeny,
    OverrideManual,
    Star,
    NoRule,
    NoRuleMatches,
    NothingToForce,
    NotPermitted { rule: usize, outcome: ConsentOutcome },
}

/// One step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Override {
        wish: Override,
        through_api: bool,
    },
    Star,
    StarForced,
    PassedOver {
        rule: usize,
        failed: Failed,
    },
    Matches {
        rule: usize,
    },
    /// Forced, under the rule that the tenant names for it.
    ForcedByName {
        rule: usize,
    },
    /// Forced, under the first rule in whose scope the call is.
    ForcedByScope {
        rule: usize,
    },
    Answered(ConsentOutcome),
    Asked,
    NothingToAsk,
}

impl Decided<'_> {
    /// The direction that the decision was made under.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// The sides that are surely the tenant's own users: the keys of these alone stop a recording.
    pub const fn own_sides(&self) -> &'static [Side] {
        self.own_sides
    }

    /// True if the call is recorded; false also while consent is asked for.
    pub const fn is_recorded(&self) -> bool {
        matches!(self.ruling, Ruling::Record { .. })
    }

    /// The rule that decided; `None` if none did.
    pub fn rule(&self) -> Option<&ResourceName> {
        match self.ruling {
            Ruling::Record { rule, .. } | Ruling::Ask { rule } => Some(&self.at(rule).name),
            Ruling::Not(Reason::NotPermitted { rule, .. }) => Some(&self.at(rule).name),
            Ruling::Not(_) => None,
        }
    }

    /// One line a step, in order. They hold rule names and conditions, never numbers or people.
    pub fn trace_lines(&self) -> impl Iterator<Item = String> {
        self.steps.iter().map(|step| step.line(self))
    }

    /// The decision as it is sent and stored.
    pub fn into_decision(self) -> Decision {
        let trace = self.trace_lines().collect();
        let keys = &self.policy.keys;
        let verdict = match &self.ruling {
            Ruling::Record { rule, consent } => {
                Verdict::Record(self.at(*rule).recorded(self.own_sides, consent.clone(), keys))
            }
            Ruling::Ask { rule } => {
                let recorded = self.at(*rule).recorded(self.own_sides, None, keys);
                match &self.at(*rule).consent {
                    Some(asking) => Verdict::AskConsent(Box::new(asking.ask(
                        recorded,
                        self.direction,
                        self.asked_side,
                        keys,
                    ))),
                    None => Verdict::Record(recorded),
                }
            }
            Ruling::Not(reason) => Verdict::DoNotRecord(NotRecorded { reason: self.reason(*reason) }),
        };
        Decision { direction: self.direction, verdict, trace }
    }

    /// How the call is recorded; `None` if it is not, or not yet.
    pub fn recorded(&self) -> Option<Recorded> {
        match &self.ruling {
            Ruling::Record { rule, consent } => {
                Some(self.at(*rule).recorded(self.own_sides, consent.clone(), &self.policy.keys))
            }
            Ruling::Ask { .. } | Ruling::Not(_) => None,
        }
    }

    fn at(&self, rule: usize) -> &Rule {
        &self.policy.rules[rule]
    }

    /// The sentence for the person who asks why there is no recording.
    fn reason(&self, reason: Reason) -> String {
        let fixed = match reason {
            Reason::OverrideDeny => "the PBX asked that this call is never recorded (override deny)",
            Reason::OverrideManual => {
                "the PBX asked that this call is not recorded by itself; a user may start a recording (override manual)"
            }
            Reason::Star => STAR,
            Reason::NoRule => "there is no rule",
            Reason::NoRuleMatches => "no rule matches",
            Reason::NothingToForce => {
                "the PBX forces a recording, but no rule is there for it: the call is in no rule's scope, and the Tenant names no forcedCallsRule that is enabled"
            }
            Reason::NotPermitted { rule, outcome } => {
                let why = match outcome {
                    ConsentOutcome::Denied => "consent was denied",
                    ConsentOutcome::NoAnswer => "no answer was given in time, so there is no consent",
                    ConsentOutcome::Granted => {
                        "the consent that was given is not the one that the rule asks for"
                    }
                };
                return format!("{why} (rule {})", self.at(rule).name);
            }
        };
        fixed.to_owned()
    }
}

const STAR: &str = "a number holds a star: feature codes are never recorded";

impl Step {
    fn line(self, decided: &Decided<'_>) -> String {
        let about = |rule: usize, text: &str| [decided.at(rule).name.as_str(), text].concat();
        match self {
            Self::Override { wish, through_api } => {
                let how = if through_api { "through the API" } else { "in the call's signalling" };
                ["override: ", wish.as_str(), ", said ", how].concat()
            }
            Self::Star => STAR.to_owned(),
            Self::StarForced => "a number holds a star, but the recording is forced".to_owned(),
            Self::PassedOver { rule, failed } => failed.line(decided.at(rule), decided.direction),
            Self::Matches { rule } => about(rule, ": matches"),
            Self::ForcedByName { rule } => about(rule, ": is forced, as the Tenant's forcedCallsRule"),
            Self::ForcedByScope { rule } => {
                about(rule, ": is forced, as the first rule in whose scope the call is")
            }
            Self::Answered(outcome) => ["consent: the stored answer is ", outcome.as_str()].concat(),
            Self::Asked => "consent: there is no answer yet".to_owned(),
            Self::NothingToAsk => "consent: no choice, and the PBX plays the announcement".to_owned(),
        }
    }
}
