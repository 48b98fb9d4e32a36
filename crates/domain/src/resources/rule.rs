//! `RecordingRule`: which calls are recorded, and where they go.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    FieldError, FieldPath, NumberPattern, NumberPatternSpec, Scope, ScopeSpec,
    field::{Findings, parse_list},
};
use crate::{Channels, Class, Direction, ResourceName};

/// A validated `RecordingRule`.
#[derive(Debug, Clone)]
pub struct RecordingRule {
    /// Its name, shown in the live view, in metadata and in the journal (F-01).
    pub name: ResourceName,
    /// Rules are tried in ascending order.
    pub order: i64,
    /// A disabled rule is as good as absent.
    pub enabled: bool,
    /// Legal duty, consent or manual.
    pub profile: Profile,
    /// Whose calls.
    pub scope: Scope,
    /// Which directions.
    pub directions: BTreeSet<Direction>,
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
    /// `all`, `allUsers`, or groups and users.
    pub scope: ScopeSpec,
    /// Some of `in`, `out` and `internal`; all three if left out.
    #[serde(default)]
    pub directions: Option<Vec<String>>,
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
}

const fn enabled() -> bool {
    true
}

impl RecordingRuleSpec {
    /// The validated rule called `name`, or everything that is wrong. Whether the lists, targets
    /// and journals exist is seen only when all resources of the tenant are together.
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
        let channels = self.channels.as_deref().map_or(Some(Channels::Stereo), |text| {
            let reason = format!("{text:?} is not known; use stereo, separate, callerOnly or calleeOnly");
            text.parse().map_err(|_| findings.add(spec.key("channels"), reason)).ok()
        });
        let numbers = NumberPatternSpec::validate_all(&self.numbers, &spec.key("numbers"), &mut findings);
        let exception_lists = parse_list(&self.exception_lists, &spec.key("exceptionLists"), &mut findings);
        let targets = parse_list(&self.targets, &spec.key("targets"), &mut findings);
        let journals = parse_list(&self.journals, &spec.key("journals"), &mut findings);

        let rule = profile.zip(scope).zip(channels).map(|((profile, scope), channels)| RecordingRule {
            name,
            order: self.order,
            enabled: self.enabled,
            profile,
            scope,
            directions,
            numbers,
            exception_lists,
            channels,
            targets,
            journals,
        });
        findings.finish(rule)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RecordingRuleSpec {
        RecordingRuleSpec {
            order: 10,
            enabled: true,
            profile: "legalDuty".into(),
            scope: ScopeSpec::Word("all".into()),
            directions: None,
            numbers: vec![],
            exception_lists: vec![],
            channels: None,
            targets: vec!["archive".into()],
            journals: vec![],
        }
    }

    #[test]
    fn a_rule_without_directions_covers_all_three_in_stereo() {
        let rule = spec().validate("desk".parse().unwrap()).unwrap();
        assert_eq!(rule.directions.len(), 3);
        assert_eq!(rule.channels, Channels::Stereo);
    }

    #[test]
    fn each_wrong_field_is_named_with_what_would_be_right() {
        let wrong = RecordingRuleSpec {
            profile: "legal".into(),
            scope: ScopeSpec::Word("everyone".into()),
            directions: Some(vec!["in".into(), "inn".into()]),
            channels: Some("mono".into()),
            targets: vec!["archive".into(), "Archive.1".into()],
            ..spec()
        };
        let errors = wrong.validate("desk".parse().unwrap()).unwrap_err();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.profile: \"legal\" is not a profile; use legalDuty or consent",
                "spec.scope: \"everyone\" is not a scope; use all, allUsers, or {groups: […], users: […]}",
                "spec.directions[1]: \"inn\" is not a direction; use in, out or internal",
                "spec.channels: \"mono\" is not known; use stereo, separate, callerOnly or calleeOnly",
                "spec.targets[1]: a resource name must be 1 to 63 characters a-z, 0-9 or '-', beginning and ending with a letter or digit",
            ]
        );
    }
}
