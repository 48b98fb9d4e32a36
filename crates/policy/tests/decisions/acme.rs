//! The company that the tests of this crate play with.

use std::{sync::Arc, time::Duration};

use domain::{
    CallFacts, Consent, ConsentMode, ConsentOutcome, ConsentSource, Direction, Override, Party, ResourceName,
    Sensitive, Verdict,
    resources::{
        Announcement, AudioSource, ConsentSpec, DirectorySpec, ExceptionList, ExceptionListSpec, GroupSpec,
        ManualRecordingSpec, NumberPatternSpec, NumberingSpec, RecordingRule, RecordingRuleSpec,
        RuleAnnouncementsSpec, ScopeSpec, SelectedSpec, TenantResources, TenantSpec, UserSpec,
    },
};
use policy::{MembershipChange, Policy, RunTime};

/// When all calls of the tests begin.
pub fn noon() -> jiff::Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Erika (22, mobile, address) and Max (23) are in the group desk (500), Paula (24) in sales (600),
/// Karl (25) in none.
pub fn acme(rules: Vec<RecordingRule>, lists: Vec<ExceptionList>) -> TenantResources {
    acme_with(|_| {}, rules, lists)
}

/// The same, with something changed about the tenant.
pub fn acme_with(
    change: impl FnOnce(&mut TenantSpec),
    rules: Vec<RecordingRule>,
    lists: Vec<ExceptionList>,
) -> TenantResources {
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
    let mut tenant = TenantSpec { country: Some("DE".into()), ..TenantSpec::default() };
    change(&mut tenant);
    let mut resources = TenantResources::empty(tenant.validate("acme".parse().unwrap()).unwrap());
    resources.directory = directory.validate().unwrap();
    resources.rules = rules;
    resources.rules.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    resources.exception_lists = lists.into_iter().map(|list| (list.name.clone(), list)).collect();
    for (name, seconds) in [("welcome", 4), ("calling", 3)] {
        let announcement = Announcement {
            name: name.parse().unwrap(),
            source: AudioSource::BuiltIn("de/opt-in".into()),
            sha256: format!("{seconds:02}").repeat(32),
            duration: Duration::from_secs(seconds),
            audio: Arc::default(),
            comment: String::new(),
        };
        resources.announcements.insert(announcement.name.clone(), announcement);
    }
    resources
}

/// A tenant whose PBX puts a 0 before numbers outside.
pub fn with_outside_line(tenant: &mut TenantSpec) {
    tenant.numbers = NumberingSpec {
        area_code: Some("7031".into()),
        outside_line: Some("0".into()),
        extension_digits: Some(4),
        ..NumberingSpec::default()
    };
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

/// Makes a rule one that asks for consent.
pub fn asks(mode: &str, asked_by: &str) -> impl FnOnce(&mut RecordingRuleSpec) {
    move |spec| {
        spec.profile = "consent".into();
        spec.consent = Some(ConsentSpec {
            mode: mode.into(),
            asked_by: Some(asked_by.into()),
            ..ConsentSpec::default()
        });
        spec.announcements = RuleAnnouncementsSpec {
            inbound: Some("welcome".into()),
            outbound: Some("calling".into()),
            ..RuleAnnouncementsSpec::default()
        };
    }
}

/// Lets the users of a rule record by hand.
pub fn by_hand(spec: &mut RecordingRuleSpec) {
    spec.manual_recording = Some(ManualRecordingSpec {
        targets: vec!["by-hand".into()],
        journals: vec!["notes".into()],
        channels: Some("separate".into()),
        ..ManualRecordingSpec::default()
    });
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
        override_by_pbx: Override::Auto,
    }
}

/// The same, with the direction as the PBX said it.
pub fn call_as(direction: Direction, caller: &str, callee: &str) -> CallFacts {
    CallFacts { direction: Some(direction), ..call(caller, callee) }
}

/// A call to `callee` that came through another identity.
pub fn call_through(caller: &str, callee: &str, through: &str) -> CallFacts {
    let mut facts = call(caller, callee);
    facts.callee.identities.push(through.into());
    facts
}

/// The same call with a wish that the PBX put into its signalling.
pub fn wishing(wish: Override, facts: CallFacts) -> CallFacts {
    CallFacts { override_by_pbx: wish, ..facts }
}

/// Run-time state in which the PBX wished for this through the API.
pub fn told(wish: Override) -> RunTime {
    RunTime { override_: wish, ..RunTime::default() }
}

/// Run-time state with an answer.
pub fn answered(mode: ConsentMode, outcome: ConsentOutcome) -> RunTime {
    let consent = Consent {
        mode,
        outcome,
        key: Some('1'),
        at_unix_us: 1_800_000_000_000_000,
        announcement: Some("welcome".parse().unwrap()),
        announcement_sha256: Some("04".repeat(32)),
        source: ConsentSource::ConsentCall,
    };
    RunTime { consent: Some(consent), ..RunTime::default() }
}

/// Run-time state in which users logged on (`true`) to groups, or off.
pub fn logged(policy: &Policy, changes: &[(&str, &str, bool)]) -> RunTime {
    let change = |(group, user, active): &(&str, &str, bool)| MembershipChange {
        group: (*group).to_owned(),
        user: Sensitive::from(*user),
        active: *active,
    };
    let changes: Vec<_> = changes.iter().map(change).collect();
    RunTime { memberships: policy.memberships(&changes), ..RunTime::default() }
}

/// What can become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Recorded,
    Asked,
    Not,
}

pub const RECORDED: Fate = Fate::Recorded;
pub const ASKED: Fate = Fate::Asked;
pub const NOT: Fate = Fate::Not;

pub fn fate(verdict: &Verdict) -> Fate {
    match verdict {
        Verdict::Record(_) => Fate::Recorded,
        Verdict::AskConsent(_) => Fate::Asked,
        Verdict::DoNotRecord(_) => Fate::Not,
    }
}

/// Checks the calls of a table, one by one.
pub fn check(resources: &TenantResources, table: &[(&str, CallFacts, Fate)]) {
    let policy = Policy::new(resources);
    for (what, facts, expected) in table {
        check_one(&policy, what, facts, &RunTime::default(), *expected);
    }
}

/// The same, each with its run-time state.
pub fn check_states(resources: &TenantResources, table: &[(&str, CallFacts, RunTime, Fate)]) {
    let policy = Policy::new(resources);
    for (what, facts, state, expected) in table {
        check_one(&policy, what, facts, state, *expected);
    }
}

pub fn check_one(policy: &Policy, what: &str, facts: &CallFacts, state: &RunTime, expected: Fate) {
    let decision = policy.decide(facts, state, noon()).into_decision();
    assert_eq!(fate(&decision.verdict), expected, "{what}: {decision:?}");
}
