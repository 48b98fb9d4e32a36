//! A rule, compiled into conditions and what it orders.

use domain::{
    AnnouncementPlayed, AskedBy, Channels, Class, Consent, ConsentAsked, ConsentMode, Direction, Recorded,
    ResourceName, Side, StopKeys,
    resources::{ConsentTerms, ManualRecording, Profile, RecordingRule, Scope, TenantResources},
};

use crate::{
    call::Call,
    condition::{Conditions, Directions},
    lists::{Lists, Named},
    number::NumberPlan,
};

#[derive(Debug)]
pub(crate) struct Rule {
    pub name: ResourceName,
    pub class: Class,
    pub conditions: Conditions,
    /// Why a call is not in its scope.
    pub scope_miss: &'static str,
    /// How consent is asked for; there for class consent only.
    pub consent: Option<Asking>,
    pub manual: Option<ManualRecording>,
    channels: Channels,
    targets: Vec<ResourceName>,
    journals: Vec<ResourceName>,
}

/// How a rule asks.
#[derive(Debug)]
pub(crate) struct Asking {
    pub mode: ConsentMode,
    pub asked_by: AskedBy,
    key: Option<char>,
    window_ms: u32,
    /// Inbound and internal.
    inbound: Option<AnnouncementPlayed>,
    outbound: Option<AnnouncementPlayed>,
}

/// What a tenant says about keys.
#[derive(Debug)]
pub(crate) struct Keys {
    pub stop_code: Option<String>,
    pub in_band: bool,
}

impl Keys {
    pub fn stop_keys(&self, sides: &[Side]) -> Option<StopKeys> {
        let code = self.stop_code.clone()?;
        Some(StopKeys { code, sides: sides.to_vec(), in_band: self.in_band })
    }
}

impl Rule {
    pub fn new(
        rule: &RecordingRule,
        resources: &TenantResources,
        plan: &NumberPlan,
        lists: &mut Lists,
        named: &mut Named,
    ) -> Self {
        let numbers = (!rule.numbers.is_empty()).then(|| lists.add(&rule.numbers, plan));
        let exceptions = rule.exception_lists.iter().filter_map(|name| {
            let list = resources.exception_lists.get(name)?;
            Some((name.clone(), named.get_or_add(name, || lists.add(&list.entries, plan))))
        });
        let conditions = Conditions {
            enabled: rule.enabled,
            directions: Directions::new(&rule.directions),
            origin: rule.origin,
            numbers,
            exceptions: exceptions.collect(),
        };
        // Validation lets no rule through that wants consent and does not say how.
        let consent = match (&rule.consent, rule.profile) {
            (Some(terms), Profile::Consent) => Some(Asking::new(terms, rule, resources)),
            (None, Profile::Consent) => Some(Asking::UNSAID),
            (_, Profile::LegalDuty) => None,
        };
        let scope_miss = match &rule.scope {
            Scope::All => "all",
            Scope::AllUsers => "neither from a user nor to one directly",
            Scope::Selected { .. } => "neither side is one of the selected groups and users",
        };
        Self {
            name: rule.name.clone(),
            class: rule.profile.class(),
            conditions,
            scope_miss,
            consent,
            manual: rule.manual_recording.clone(),
            channels: rule.channels,
            targets: rule.targets.clone(),
            journals: rule.journals.clone(),
        }
    }

    /// How a call is recorded by this rule.
    pub fn recorded(&self, own_sides: &[Side], consent: Option<Consent>, keys: &Keys) -> Recorded {
        Recorded {
            rule: self.name.clone(),
            class: self.class,
            channels: self.channels,
            targets: self.targets.clone(),
            journals: self.journals.clone(),
            consent,
            stop_keys: keys.stop_keys(own_sides),
        }
    }

    /// How a call is recorded that a user wants recorded (F-17).
    pub fn recorded_by_hand(&self, manual: &ManualRecording, call: &Call<'_>, keys: &Keys) -> Recorded {
        Recorded {
            rule: self.name.clone(),
            class: Class::Manual,
            channels: manual.channels,
            targets: manual.targets.clone(),
            journals: manual.journals.clone(),
            consent: None,
            stop_keys: keys.stop_keys(call.own_sides()),
        }
    }
}

impl Asking {
    /// Nothing is recorded without a word of consent.
    const UNSAID: Self = Self {
        mode: ConsentMode::OptIn,
        asked_by: AskedBy::Pbx,
        key: None,
        window_ms: 0,
        inbound: None,
        outbound: None,
    };

    fn new(terms: &ConsentTerms, rule: &RecordingRule, resources: &TenantResources) -> Self {
        let played = |direction| {
            let announcement = resources.announcements.get(rule.announcements.of(direction)?)?;
            Some(AnnouncementPlayed {
                name: announcement.name.clone(),
                sha256: announcement.sha256.clone(),
                duration_ms: u32::try_from(announcement.duration.as_millis()).unwrap_or(u32::MAX),
            })
        };
        Self {
            mode: terms.mode,
            asked_by: terms.asked_by,
            key: terms.key,
            window_ms: u32::try_from(terms.window.as_millis()).unwrap_or(u32::MAX),
            inbound: played(Direction::In),
            outbound: played(Direction::Out),
        }
    }

    /// Whether an answer permits the recording, by what the rule asks and by what was asked: who
    /// was asked otherwise is not held to an answer that he did not give.
    pub const fn permits(&self, answer: &Consent) -> bool {
        answer.permits() && self.mode.permits(answer.outcome)
    }

    /// True if nothing has to be asked or heard before: the PBX sees to the announcement.
    pub fn needs_no_answer(&self) -> bool {
        self.mode == ConsentMode::NoChoice && self.asked_by == AskedBy::Pbx
    }

    /// The question that a call waits for.
    pub fn ask(
        &self,
        recorded: Recorded,
        direction: Direction,
        asked_side: Side,
        keys: &Keys,
    ) -> ConsentAsked {
        let announcement = match direction {
            Direction::In | Direction::Internal => &self.inbound,
            Direction::Out => &self.outbound,
        };
        ConsentAsked {
            recorded,
            mode: self.mode,
            asked_by: self.asked_by,
            asked_side,
            announcement: announcement.clone(),
            key: self.key,
            window_ms: self.window_ms,
            in_band: keys.in_band,
        }
    }
}
