use super::*;

fn spec() -> RecordingRuleSpec {
    RecordingRuleSpec { order: 10, targets: vec!["archive".into()], ..RecordingRuleSpec::default() }
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
