//! The firm whose rules these tests describe, and the pieces that rules are made of.

use domain::resources::{
    ConsentSpec, DirectorySpec, GroupSpec, ManualRecordingSpec, NumberPatternSpec, RecordingRule,
    RecordingRuleSpec, RuleAnnouncementsSpec, ScopeSpec, SelectedSpec, TenantResources, TenantSpec, UserSpec,
};

/// Erika and Max are in the group desk, Paula and Max in sales, Karl in none.
pub fn firm() -> TenantResources {
    let user = |name: &str| (name.to_owned(), UserSpec { identities: vec![format!("{name}@firm.example")] });
    let group = |name: &str, members: &[&str]| {
        (name.to_owned(), GroupSpec { numbers: vec!["500".into()], members: texts(members) })
    };
    let directory = DirectorySpec {
        users: ["erika", "max", "paula", "karl"].map(user).into(),
        groups: [group("desk", &["erika", "max"]), group("sales", &["paula", "max"])].into(),
    };
    let mut firm = TenantResources::empty(TenantSpec::default().validate("firm".parse().unwrap()).unwrap());
    firm.directory = directory.validate().unwrap();
    firm
}

/// The rule that a file with this content makes.
pub fn rule(spec: &RecordingRuleSpec) -> RecordingRule {
    spec.validate("advice".parse().unwrap()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

pub fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub fn word(word: &str) -> ScopeSpec {
    ScopeSpec::Word(word.into())
}

pub fn selected(groups: &[&str], users: &[&str], direct_calls_to_members: bool) -> ScopeSpec {
    ScopeSpec::Selected(SelectedSpec { groups: texts(groups), users: texts(users), direct_calls_to_members })
}

pub fn number(number: &str) -> NumberPatternSpec {
    NumberPatternSpec { number: Some(number.into()), ..NumberPatternSpec::default() }
}

pub fn pattern(pattern: &str) -> NumberPatternSpec {
    NumberPatternSpec { pattern: Some(pattern.into()), ..NumberPatternSpec::default() }
}

pub fn manual() -> ManualRecordingSpec {
    ManualRecordingSpec { targets: texts(&["private"]), ..ManualRecordingSpec::default() }
}

/// Makes `spec` a rule of consent, with the announcements that its directions need.
pub fn asking(spec: &mut RecordingRuleSpec, mode: &str, asked_by: &str) {
    spec.profile = "consent".into();
    spec.consent =
        Some(ConsentSpec { mode: mode.into(), asked_by: Some(asked_by.into()), ..ConsentSpec::default() });
    spec.announcements = announcements(spec);
}

/// One announcement for each direction of `spec` that can have one.
pub fn announcements(spec: &RecordingRuleSpec) -> RuleAnnouncementsSpec {
    let covers = |direction: &str| {
        spec.directions.as_ref().is_none_or(|all| all.iter().any(|covered| covered == direction))
    };
    RuleAnnouncementsSpec {
        inbound: (covers("in") || covers("internal")).then(|| "welcome".into()),
        outbound: covers("out").then(|| "notice".into()),
        heard_by: None,
    }
}
