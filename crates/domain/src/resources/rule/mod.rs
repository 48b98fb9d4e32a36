//! `RecordingRule`: which calls are recorded, and where they go.

mod announcements;
mod consent;
mod manual;
mod retention;

use std::collections::BTreeSet;

pub use announcements::{HeardBy, RuleAnnouncements, RuleAnnouncementsSpec};
pub use consent::{ConsentSpec, ConsentTerms, OutcomeAnnouncementsSpec};
pub use manual::{ManualRecording, ManualRecordingSpec};
pub use retention::{KeptUntil, Retention, RetentionSpec};
use serde::Deserialize;

use super::{
    FieldError, FieldPath, NumberPattern, NumberPatternSpec, Scope, ScopeSpec,
    field::{Findings, parse_list},
};
use crate::{AskedBy, Channels, Class, Direction, ResourceName, decision::named_enum};

named_enum!(
    /// Who began the calls that a rule records (F-10).
    Origin {
        /// Anybody.
        Both = "both",
        /// One of the tenant's own users.
        Internal = "internal",
        /// Somebody outside.
        External = "external",
    }
);

/// A validated `RecordingRule`.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    /// Its name, shown in the live view, in metadata and in the journal (F-01).
    pub name: ResourceName,
    /// Rules are tried in ascending order.
    pub order: i64,
    /// A disabled rule is as good as absent.
    pub enabled: bool,
    /// Legal duty or consent.
    pub profile: Profile,
    /// How consent is asked for: there if, and only if, the profile is consent.
    pub consent: Option<ConsentTerms>,
    /// What the parties hear.
    pub announcements: RuleAnnouncements,
    /// Whose calls.
    pub scope: Scope,
    /// Which directions.
    pub directions: BTreeSet<Direction>,
    /// Who began the call.
    pub origin: Origin,
    /// If not empty: only calls whose outside number matches one of these (F-14).
    pub numbers: Vec<NumberPattern>,
    /// Exception lists that apply.
    pub exception_lists: Vec<ResourceName>,
    /// Which sides, in which files.
    pub channels: Channels,
    /// Storage targets.
    pub targets: Vec<ResourceName>,
    /// Journals.
    pub journals: Vec<ResourceName>,
    /// Whether, and how, the users it covers may record calls themselves (F-17).
    pub manual_recording: Option<ManualRecording>,
    /// How long what it records is kept (F-84); `None`: for ever. That of manual recordings stands with them.
    pub retention: Option<Retention>,
}

impl RecordingRule {
    /// How long recordings of this class that the rule makes are kept; `None`: for ever.
    pub fn retention_of(&self, class: Class) -> Option<Retention> {
        match class {
            Class::Manual => self.manual_recording.as_ref()?.retention,
            Class::Regulated | Class::Consent => self.retention,
        }
    }
}

/// What a rule is for (F-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Recorded from call set-up, by law.
    LegalDuty,
    /// Recorded with consent.
    Consent,
}

impl Profile {
    /// The class of the recordings that a rule of this profile makes.
    pub const fn class(self) -> Class {
        match self {
            Self::LegalDuty => Class::Regulated,
            Self::Consent => Class::Consent,
        }
    }
}

/// The raw form of a `RecordingRule`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordingRuleSpec {
    /// Rules are tried in ascending order; 0 by default. Equal ones are tried by name.
    #[serde(default)]
    pub order: i64,
    /// `true` by default.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// `legalDuty` or `consent`.
    pub profile: String,
    /// How consent is asked for, with profile consent.
    #[serde(default)]
    pub consent: Option<ConsentSpec>,
    /// What the parties hear.
    #[serde(default)]
    pub announcements: RuleAnnouncementsSpec,
    /// `all`, `allUsers`, or groups and users.
    pub scope: ScopeSpec,
    /// Some of `in`, `out` and `internal`; all three if left out.
    #[serde(default)]
    pub directions: Option<Vec<String>>,
    /// `both` (default), `internal` or `external`.
    #[serde(default)]
    pub origin: Option<String>,
    /// Number filter (F-14).
    #[serde(default)]
    pub numbers: Vec<NumberPatternSpec>,
    /// Names of exception lists.
    #[serde(default)]
    pub exception_lists: Vec<String>,
    /// `stereo` (default), `separate`, `callerOnly` or `calleeOnly`.
    #[serde(default)]
    pub channels: Option<String>,
    /// Names of storage targets.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Names of journals.
    #[serde(default)]
    pub journals: Vec<String>,
    /// Permits manual recordings.
    #[serde(default)]
    pub manual_recording: Option<ManualRecordingSpec>,
    /// How long what it records is kept: `days`, `years` or `endOfYear`.
    #[serde(default)]
    pub retention: Option<RetentionSpec>,
}

const fn enabled() -> bool {
    true
}

/// A rule that records all calls by legal duty, for what builds one field by field.
impl Default for RecordingRuleSpec {
    fn default() -> Self {
        Self {
            order: 0,
            enabled: true,
            profile: "legalDuty".to_owned(),
            consent: None,
            announcements: RuleAnnouncementsSpec::default(),
            scope: ScopeSpec::Word("all".to_owned()),
            directions: None,
            origin: None,
            numbers: Vec::new(),
            exception_lists: Vec::new(),
            channels: None,
            targets: Vec::new(),
            journals: Vec::new(),
            manual_recording: None,
            retention: None,
        }
    }
}

impl RecordingRuleSpec {
    /// The validated rule called `name`, or everything that is wrong. Whether the lists, targets,
    /// journals and announcements exist is seen only when all resources of the tenant are together.
    pub fn validate(&self, name: ResourceName) -> Result<RecordingRule, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();

        let profile = match self.profile.as_str() {
            "legalDuty" => Some(Profile::LegalDuty),
            "consent" => Some(Profile::Consent),
            other => {
                findings.add(
                    spec.key("profile"),
                    format!("{other:?} is not a profile; use legalDuty or consent"),
                );
                None
            }
        };
        let scope = self.scope.validate(&spec.key("scope"), &mut findings);
        let directions = self.validate_directions(&spec.key("directions"), &mut findings);
        let origin = self.origin.as_deref().map_or(Some(Origin::Both), |text| {
            findings.choose(spec.key("origin"), text, "both, internal or external")
        });
        let channels = self
            .channels
            .as_deref()
            .map_or(Some(Channels::Stereo), |text| parse_channels(text, spec.key("channels"), &mut findings));
        let numbers = NumberPatternSpec::validate_all(&self.numbers, &spec.key("numbers"), &mut findings);
        let exception_lists = parse_list(&self.exception_lists, &spec.key("exceptionLists"), &mut findings);
        let targets = parse_list(&self.targets, &spec.key("targets"), &mut findings);
        let journals = parse_list(&self.journals, &spec.key("journals"), &mut findings);
        // After an error in `directions` nothing is said about what depends on them.
        let covers = |direction| directions.is_empty() || directions.contains(&direction);
        let announcements = self.announcements.validate(&spec.key("announcements"), covers, &mut findings);
        let consent = self.validate_consent(profile, &directions, &spec, &mut findings);
        let manual_recording = self.manual_recording.as_ref().map(|manual| {
            let path = spec.key("manualRecording");
            manual.validate(&path, channels.unwrap_or(Channels::Stereo), &mut findings)
        });
        let retention =
            self.retention.as_ref().and_then(|kept| kept.validate(&spec.key("retention"), &mut findings));

        let rule =
            profile.zip(scope).zip(channels).zip(origin).map(|(((profile, scope), channels), origin)| {
                RecordingRule {
                    name,
                    order: self.order,
                    enabled: self.enabled,
                    profile,
                    consent,
                    announcements,
                    scope,
                    directions,
                    origin,
                    numbers,
                    exception_lists,
                    channels,
                    targets,
                    journals,
                    manual_recording,
                    retention,
                }
            });
        findings.finish(rule)
    }

    fn validate_consent(
        &self,
        profile: Option<Profile>,
        directions: &BTreeSet<Direction>,
        spec: &FieldPath,
        findings: &mut Findings,
    ) -> Option<ConsentTerms> {
        let path = spec.key("consent");
        match (profile, &self.consent) {
            (Some(Profile::Consent), None) => {
                findings.add(path.clone(), "is missing: the profile consent has to say how it is asked for");
            }
            (Some(Profile::LegalDuty), Some(_)) => {
                findings
                    .add(path.clone(), "nobody is asked with the profile legalDuty; use the profile consent");
            }
            _ => {}
        }
        let terms = self.consent.as_ref()?.validate(&path, findings)?;
        if profile == Some(Profile::Consent) && terms.asked_by != AskedBy::Pbx {
            self.require_announcements(directions, &spec.key("announcements"), findings);
        }
        Some(terms)
    }

    /// Who is asked has to hear what for, in every direction that the rule covers (F-20).
    fn require_announcements(
        &self,
        directions: &BTreeSet<Direction>,
        path: &FieldPath,
        findings: &mut Findings,
    ) {
        let RuleAnnouncementsSpec { inbound, outbound, .. } = &self.announcements;
        let incoming = [Direction::In, Direction::Internal].into_iter().find(|d| directions.contains(d));
        let outgoing = directions.contains(&Direction::Out).then_some(Direction::Out);
        for (field, name, covered) in [("inbound", inbound, incoming), ("outbound", outbound, outgoing)] {
            if let (None, Some(direction)) = (name, covered) {
                let reason =
                    format!("is missing: who is asked in calls of direction {direction} must hear what for");
                findings.add(path.key(field), reason);
            }
        }
    }

    fn validate_directions(&self, path: &FieldPath, findings: &mut Findings) -> BTreeSet<Direction> {
        let Some(texts) = &self.directions else { return Direction::ALL.iter().copied().collect() };
        if texts.is_empty() {
            findings.add(path.clone(), "names no direction; leave it out for all, or disable the rule");
        }
        let mut directions = BTreeSet::new();
        for (i, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(direction) => drop(directions.insert(direction)),
                Err(_) => {
                    let reason = format!("{text:?} is not a direction; use in, out or internal");
                    findings.add(path.index(i), reason);
                }
            }
        }
        directions
    }
}

fn parse_channels(text: &str, path: FieldPath, findings: &mut Findings) -> Option<Channels> {
    findings.choose(path, text, "stereo, separate, callerOnly or calleeOnly")
}

#[cfg(test)]
mod tests;
