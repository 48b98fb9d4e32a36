//! Decisions a second on one core: 200 rules, 10,000 users (`cargo bench -p policy`).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::{
    CallFacts, Override, Party, Sensitive,
    resources::{
        DirectorySpec, ExceptionListSpec, GroupSpec, NumberPatternSpec, NumberingSpec, RecordingRuleSpec,
        ScopeSpec, SelectedSpec, TenantResources, TenantSpec, UserSpec,
    },
};
use policy::{MembershipChange, Policy, RunTime};

const RULES: usize = 200;
const USERS: usize = 10_000;
const GROUPS: usize = 400;

/// Every rule takes two groups and a user, leaves out what is on two lists, and is for certain
/// numbers or directions; the last one takes the group 399.
fn resources() -> TenantResources {
    let mut directory = DirectorySpec::default();
    for user in 0..USERS {
        let identities =
            vec![user_number(user), format!("+497031{user:06}"), format!("user{user}@acme.example")];
        directory.users.insert(format!("user-{user}"), UserSpec { identities });
    }
    for group in 0..GROUPS {
        // 25 users each; every group beyond the 200th shares its members with another one.
        let members = (0..50).map(|i| format!("user-{}", (group * 25 + i) % USERS)).collect();
        let numbers = vec![group_number(group)];
        directory.groups.insert(format!("group-{group}"), GroupSpec { numbers, members });
    }
    let tenant = TenantSpec {
        country: Some("DE".into()),
        numbers: NumberingSpec {
            area_code: Some("7031".into()),
            extension_digits: Some(5),
            ..NumberingSpec::default()
        },
        ..TenantSpec::default()
    };
    let mut resources = TenantResources::empty(tenant.validate("acme".parse().unwrap()).unwrap());
    resources.directory = directory.validate().unwrap();
    for name in ["council", "private"] {
        let number = |i: usize| NumberPatternSpec {
            number: Some(format!("+4989{name_len}{i:05}", name_len = name.len())),
            ..NumberPatternSpec::default()
        };
        let mut entries: Vec<_> = (0..500).map(number).collect();
        let pattern = Some("\\+49800[0-9]+|\\+49(176|177)9999.*".to_owned());
        entries.push(NumberPatternSpec { pattern, ..NumberPatternSpec::default() });
        let list = ExceptionListSpec { entries }.validate(name.parse().unwrap()).unwrap();
        resources.exception_lists.insert(list.name.clone(), list);
    }
    resources.rules = (0..RULES).map(rule).collect();
    resources
}

fn rule(i: usize) -> domain::resources::RecordingRule {
    let spec = RecordingRuleSpec {
        order: i64::try_from(i).unwrap(),
        scope: ScopeSpec::Selected(SelectedSpec {
            groups: vec![format!("group-{}", 2 * i), format!("group-{}", 2 * i + 1)],
            users: vec![format!("user-{}", USERS - 1 - i)],
            direct_calls_to_members: i.is_multiple_of(2),
        }),
        directions: (i.is_multiple_of(3)).then(|| vec!["in".into(), "out".into()]),
        origin: (i.is_multiple_of(5)).then(|| "external".into()),
        exception_lists: vec!["council".into(), "private".into()],
        targets: vec!["archive".into()],
        ..RecordingRuleSpec::default()
    };
    spec.validate(format!("rule-{i:03}").parse().unwrap()).unwrap()
}

fn user_number(user: usize) -> String {
    format!("{}", 10_000 + user)
}

fn group_number(group: usize) -> String {
    format!("{}", 30_000 + group)
}

/// A call as SIPREC brings it: a number and two more identities on our side.
fn call(caller: &str, callee: &str) -> CallFacts {
    let party = |number: &str| Party {
        number: number.into(),
        name: "Customer".into(),
        identities: vec![
            Sensitive::from(format!("{number}@pbx.acme.example")),
            Sensitive::from(format!("sip:{number}@10.0.0.7")),
        ],
    };
    CallFacts {
        tenant: "acme".parse().unwrap(),
        call_id: "1@pbx".into(),
        direction: None,
        caller: party(caller),
        callee: party(callee),
        override_by_pbx: Override::Auto,
    }
}

fn decisions(criterion: &mut Criterion) {
    let policy = Policy::new(&resources());
    let time = jiff::Timestamp::UNIX_EPOCH;
    let changes: Vec<_> = (0..1_000)
        .map(|i| MembershipChange {
            group: format!("group-{}", i % GROUPS),
            user: format!("user-{}", i * 7 % USERS).into(),
            active: i.is_multiple_of(2),
        })
        .collect();
    let state = RunTime { memberships: policy.memberships(&changes), ..RunTime::default() };
    let outside = "+4922198765";
    let first = call(outside, &group_number(0));
    let last = call("0221 98765", &group_number(GROUPS - 1));
    let none = call(outside, "99999");
    let mixed: Vec<CallFacts> = (0..1_000)
        .map(|i| match i % 4 {
            0 => call(outside, &group_number(i % GROUPS)),
            1 => call(&user_number(i * 9 % USERS), &format!("0176 {i:07}")),
            2 => call(&user_number(i * 3 % USERS), &user_number(i * 11 % USERS)),
            _ => call(&format!("+498008{i:05}"), &format!("+497031{:06}", i * 5 % USERS)),
        })
        .collect();
    for (facts, rule) in [(&first, Some("rule-000")), (&last, Some("rule-199")), (&none, None)] {
        let decided = policy.decide(facts, &state, time);
        assert_eq!(decided.rule().map(|name| name.as_str()), rule, "the cases are what they claim to be");
    }

    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(1));
    for (case, facts) in
        [("first rule matches", &first), ("last rule matches", &last), ("no rule matches", &none)]
    {
        group.bench_function(case, |b| b.iter(|| black_box(policy.decide(black_box(facts), &state, time))));
    }
    group.bench_function("no rule matches, with all its lines", |b| {
        b.iter(|| black_box(policy.decide(black_box(&none), &state, time).into_decision()));
    });
    let mut next = mixed.iter().cycle();
    group.bench_function("mixed", |b| {
        b.iter(|| {
            let facts = next.next().expect("it never ends");
            black_box(policy.decide(black_box(facts), &state, time))
        });
    });
    group.finish();
    let resources = resources();
    criterion
        .bench_function("compile a policy", |b| b.iter(|| black_box(Policy::new(black_box(&resources)))));
}

criterion_group!(benches, decisions);
criterion_main!(benches);
