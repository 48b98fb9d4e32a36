//! The company that the tests of this crate play with.

use domain::{
    CallFacts, Direction, Party, ResourceName,
    resources::{
        DirectorySpec, ExceptionList, ExceptionListSpec, GroupSpec, NumberPatternSpec, RecordingRule,
        RecordingRuleSpec, ScopeSpec, SelectedSpec, TenantResources, TenantSpec, UserSpec,
    },
};

/// When all calls of the tests begin.
pub fn noon() -> jiff::Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Erika (22, mobile, address) and Max (23) are in the group desk (500), Paula (24) in sales (600),
/// Karl (25) in none.
pub fn acme(rules: Vec<RecordingRule>, lists: Vec<ExceptionList>) -> TenantResources {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let user =
        |name: &str, identities: &[&str]| (name.to_owned(), UserSpec { identities: texts(identities) });
    let group = |name: &str, number: &str, members: &[&str]| {
        (name.to_owned(), GroupSpec { numbers: texts(&[number]), members: texts(members) })
    };
    let directory = DirectorySpec {
        users: [
            user("erika", &["22", "+49 7031 1234-22", "erika@acme.example", "0176 1111111"]),
            user("max", &["23", "+4970311234-23"]),
            user("paula", &["24"]),
            user("karl", &["25"]),
        ]
        .into(),
        groups: [group("desk", "500", &["erika", "max"]), group("sales", "600", &["paula"])].into(),
    };
    let tenant = TenantSpec { country: Some("DE".into()), ..TenantSpec::default() };
    let mut resources = TenantResources::empty(tenant.validate("acme".parse().unwrap()).unwrap());
    resources.directory = directory.validate().unwrap();
    resources.rules = rules;
    resources.rules.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    resources.exception_lists = lists.into_iter().map(|list| (list.name.clone(), list)).collect();
    resources
}

/// A rule as it stands in a file, with `change` made to it.
pub fn rule(name: &str, scope: ScopeSpec, change: impl FnOnce(&mut RecordingRuleSpec)) -> RecordingRule {
    let mut spec = RecordingRuleSpec {
        scope,
        targets: vec!["archive".into()],
        journals: vec!["main".into()],
        ..RecordingRuleSpec::default()
    };
    change(&mut spec);
    spec.validate(name.parse().unwrap()).unwrap()
}

pub fn word(word: &str) -> ScopeSpec {
    ScopeSpec::Word(word.into())
}

pub fn selected(groups: &[&str], users: &[&str], direct_calls_to_members: bool) -> ScopeSpec {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    ScopeSpec::Selected(SelectedSpec { groups: texts(groups), users: texts(users), direct_calls_to_members })
}

pub fn number(number: &str) -> NumberPatternSpec {
    NumberPatternSpec { number: Some(number.into()), ..NumberPatternSpec::default() }
}

pub fn pattern(pattern: &str) -> NumberPatternSpec {
    NumberPatternSpec { pattern: Some(pattern.into()), ..NumberPatternSpec::default() }
}

pub fn list(name: &str, entries: Vec<NumberPatternSpec>) -> ExceptionList {
    let name: ResourceName = name.parse().unwrap();
    ExceptionListSpec { entries }.validate(name).unwrap()
}

/// A call from one number to another, its direction left to the directory.
pub fn call(caller: &str, callee: &str) -> CallFacts {
    let party = |number: &str| Party { number: number.into(), ..Party::default() };
    CallFacts {
        tenant: "acme".parse().unwrap(),
        call_id: "1@pbx".into(),
        direction: None,
        caller: party(caller),
        callee: party(callee),
        override_by_pbx: domain::Override::Auto,
    }
}

/// The same, with the direction as the PBX said it.
pub fn call_as(direction: Direction, caller: &str, callee: &str) -> CallFacts {
    CallFacts { direction: Some(direction), ..call(caller, callee) }
}
