//! Read as a specification: each feature by its number, each with both outcomes.

use domain::{
    CallFacts, Class, Direction, Verdict,
    resources::{ConsentSpec, RecordingRule, ScopeSpec, TenantResources, User},
};
use policy::{Policy, decide};

use crate::acme::{acme, call, call_as, list, noon, number, pattern, rule, selected, word};

const RECORDED: bool = true;
const NOT: bool = false;
const OUTSIDE: &str = "+4922198765";

/// Checks each call of a table against one rule of the given scope.
fn scope_covers(scope: &ScopeSpec, table: &[(&str, CallFacts, bool)]) {
    check(&acme(vec![rule("desk", scope.clone(), |_| {})], vec![]), table);
}

fn check(resources: &TenantResources, table: &[(&str, CallFacts, bool)]) {
    let policy = Policy::new(resources);
    for (what, facts, expected) in table {
        let decision = policy.decide(facts, noon());
        assert_eq!(decision.recorded().is_some(), *expected, "{what}: {decision:?}");
    }
}

#[test]
fn f03_scope_all_covers_every_call() {
    scope_covers(
        &word("all"),
        &[
            ("from outside to a user", call(OUTSIDE, "22"), RECORDED),
            ("from outside to a group", call(OUTSIDE, "500"), RECORDED),
            ("to a service that nobody knows", call(OUTSIDE, "999"), RECORDED),
            ("outbound", call("22", OUTSIDE), RECORDED),
        ],
    );
}

#[test]
fn f03_scope_all_users_leaves_out_group_calls() {
    let mut through_group = call(OUTSIDE, "22");
    through_group.callee.identities.push("500".into());
    scope_covers(
        &word("allUsers"),
        &[
            ("directly to a user", call(OUTSIDE, "22"), RECORDED),
            ("by a user", call("25", OUTSIDE), RECORDED),
            ("to a group", call(OUTSIDE, "500"), NOT),
            ("to a user through a group", through_group, NOT),
            ("to nobody known", call(OUTSIDE, "999"), NOT),
            ("by a user to a group", call("25", "500"), RECORDED),
        ],
    );
}

#[test]
fn f03_a_rule_takes_several_groups_and_users() {
    scope_covers(
        &selected(&["desk", "sales"], &["karl"], false),
        &[
            ("to the first group", call(OUTSIDE, "500"), RECORDED),
            ("to the second group", call(OUTSIDE, "600"), RECORDED),
            ("to the user", call(OUTSIDE, "25"), RECORDED),
        ],
    );
}

#[test]
fn f06_inbound_the_target_is_a_selected_groups_or_users_number() {
    scope_covers(
        &selected(&["desk"], &["paula"], false),
        &[
            ("the group", call(OUTSIDE, "500"), RECORDED),
            ("the user", call(OUTSIDE, "24"), RECORDED),
            ("another group", call(OUTSIDE, "600"), NOT),
            ("another user", call(OUTSIDE, "25"), NOT),
        ],
    );
}

#[test]
fn f07_outbound_the_caller_is_a_selected_user_or_a_member() {
    scope_covers(
        &selected(&["desk"], &["karl"], false),
        &[
            ("a member", call("23", OUTSIDE), RECORDED),
            ("the user", call("25", OUTSIDE), RECORDED),
            ("neither", call("24", OUTSIDE), NOT),
            ("in the name of the group, by nobody known", call_as(Direction::Out, "500", OUTSIDE), NOT),
        ],
    );
}

#[test]
fn f09_direct_calls_to_members_are_an_option() {
    scope_covers(&selected(&["desk"], &[], false), &[("without it", call(OUTSIDE, "22"), NOT)]);
    let mut through_sales = call(OUTSIDE, "22");
    through_sales.callee.identities.push("600".into());
    scope_covers(
        &selected(&["desk"], &[], true),
        &[
            ("with it", call(OUTSIDE, "22"), RECORDED),
            ("with it, not a member", call(OUTSIDE, "24"), NOT),
            ("with it, but through another group", through_sales, NOT),
        ],
    );
}

#[test]
fn f10_an_internal_call_is_covered_if_either_side_is() {
    scope_covers(
        &selected(&[], &["erika"], false),
        &[
            ("the caller is", call("22", "25"), RECORDED),
            ("the callee is", call("25", "22"), RECORDED),
            ("the PBX calls it inbound, the caller is", call_as(Direction::In, "22", "25"), RECORDED),
            ("neither is", call("24", "25"), NOT),
        ],
    );
}

#[test]
fn f10_directions_can_be_left_out() {
    let only = |directions: &[&str]| {
        let texts = Some(directions.iter().map(ToString::to_string).collect());
        acme(vec![rule("desk", word("all"), |spec| spec.directions = texts)], vec![])
    };
    check(
        &only(&["in", "out"]),
        &[
            ("internal", call("22", "25"), NOT),
            ("in", call(OUTSIDE, "25"), RECORDED),
            ("out", call("22", OUTSIDE), RECORDED),
            ("internal, though the PBX says in", call_as(Direction::In, "22", "25"), RECORDED),
        ],
    );
    check(
        &only(&["internal"]),
        &[("internal", call("22", "25"), RECORDED), ("in", call(OUTSIDE, "25"), NOT)],
    );
}

#[test]
fn the_direction_is_found_in_the_directory_if_the_pbx_does_not_say() {
    let resources = acme(vec![], vec![]);
    for (facts, expected) in [
        (call("22", "25"), Direction::Internal),
        (call("22", "500"), Direction::Internal),
        (call("22", OUTSIDE), Direction::Out),
        (call(OUTSIDE, "22"), Direction::In),
        (call(OUTSIDE, "999"), Direction::In),
        (call_as(Direction::Out, OUTSIDE, "22"), Direction::Out),
    ] {
        assert_eq!(decide(&resources, &facts, noon()).direction, expected);
    }
}

#[test]
fn f11_every_identity_and_spelling_of_a_user_counts() {
    let mut forwarded = call(OUTSIDE, "+49 176 1111111");
    scope_covers(
        &selected(&[], &["erika"], false),
        &[
            ("the mobile", forwarded.clone(), RECORDED),
            ("as dialled abroad", call(OUTSIDE, "004970311234 22"), RECORDED),
            ("as dialled in the country", call(OUTSIDE, "07031123422"), RECORDED),
            ("the address", call("sip:erika@acme.example", OUTSIDE), RECORDED),
            ("the extension at whatever host", call("sip:22@10.0.0.7", OUTSIDE), RECORDED),
            ("a number that only begins like it", call(OUTSIDE, "222"), NOT),
        ],
    );
    forwarded.callee.number = "+491769999999".into();
    forwarded.callee.identities.push("22".into());
    scope_covers(&selected(&[], &["erika"], false), &[("diverted to elsewhere", forwarded, RECORDED)]);
}

#[test]
fn f13_numbers_with_a_star_are_never_recorded() {
    scope_covers(
        &word("all"),
        &[
            ("called", call("22", "*21*500#"), NOT),
            ("calling", call("*22", "500"), NOT),
            ("without a star", call("22", "500"), RECORDED),
        ],
    );
}

#[test]
fn f14_a_number_filter_looks_at_the_outside_number() {
    let numbers = vec![number("0221 98765"), pattern("\\+33.*")];
    let resources = acme(vec![rule("desk", word("all"), |spec| spec.numbers = numbers)], vec![]);
    check(
        &resources,
        &[
            ("in, from that number", call(OUTSIDE, "22"), RECORDED),
            ("out, to that number", call("22", "022198765"), RECORDED),
            ("out, by the pattern", call("22", "003312345678"), RECORDED),
            ("another number", call("+4922198766", "22"), NOT),
            ("no number", call("", "22"), NOT),
        ],
    );
}

#[test]
fn f15_exceptions_are_tested_inbound_by_the_caller_and_outbound_by_the_callee() {
    let lists = vec![
        list("council", vec![number("+4922198765"), number("25")]),
        list("private", vec![pattern("\\+49176.*")]),
    ];
    let all = |spec: &mut domain::resources::RecordingRuleSpec| {
        spec.exception_lists = vec!["council".into(), "private".into()];
    };
    check(
        &acme(vec![rule("desk", word("all"), all)], lists),
        &[
            ("in, caller on the first list", call(OUTSIDE, "22"), NOT),
            ("in, caller on the second list", call("0176 2222222", "22"), NOT),
            ("out, callee on a list", call("22", "0221 98765"), NOT),
            ("in, only the callee is on a list", call("+4930123456", "25"), RECORDED),
            ("out, only the caller is on a list", call("25", "+4930123456"), RECORDED),
            ("internal, the callee is on a list", call("22", "25"), NOT),
            ("internal, the caller is on a list", call("25", "22"), NOT),
            ("nobody is", call("+4930123456", "22"), RECORDED),
        ],
    );
}

#[test]
fn f15_a_list_counts_only_for_rules_that_select_it() {
    let first = rule("a", word("all"), |spec| spec.exception_lists = vec!["council".into()]);
    let second = rule("b", word("all"), |spec| {
        spec.profile = "consent".into();
        let asked_by = Some("pbx".into());
        spec.consent = Some(ConsentSpec { mode: "noChoice".into(), asked_by, ..ConsentSpec::default() });
    });
    let resources = acme(vec![first, second], vec![list("council", vec![number(OUTSIDE)])]);
    let decision = decide(&resources, &call(OUTSIDE, "22"), noon());
    assert_eq!(decision.recorded().unwrap().rule.as_str(), "b");
    assert_eq!(decision.recorded().unwrap().class, Class::Consent);
}

#[test]
fn f18_no_rule_no_recording() {
    let decision = decide(&acme(vec![], vec![]), &call(OUTSIDE, "22"), noon());
    let Verdict::DoNotRecord(not) = decision.verdict else { panic!("is recorded") };
    assert_eq!(not.reason, "there is no rule");
}

fn ordered(name: &str, order: i64, scope: ScopeSpec) -> RecordingRule {
    rule(name, scope, |spec| spec.order = order)
}

#[test]
fn f05_the_first_rule_that_matches_decides_and_each_earlier_one_says_why_it_did_not() {
    let off = rule("off", word("all"), |spec| (spec.order, spec.enabled) = (1, false));
    let outbound = rule("outbound", word("all"), |spec| {
        (spec.order, spec.directions) = (2, Some(vec!["out".into(), "internal".into()]));
    });
    let excepted = rule("excepted", word("all"), |spec| {
        (spec.order, spec.exception_lists) = (4, vec!["council".into()]);
    });
    let filtered =
        rule("filtered", word("all"), |spec| (spec.order, spec.numbers) = (5, vec![number("110")]));
    let sales = ordered("sales", 3, selected(&["sales"], &["karl"], false));
    let rules = vec![
        ordered("last", 7, word("all")),
        ordered("desk", 6, selected(&["desk"], &[], false)),
        off,
        outbound,
        sales,
        excepted,
        filtered,
    ];
    let resources = acme(rules, vec![list("council", vec![number(OUTSIDE)])]);
    let decision = decide(&resources, &call(OUTSIDE, "500"), noon());
    assert_eq!(decision.recorded().unwrap().rule.as_str(), "desk");
    assert_eq!(
        decision.trace,
        [
            "off: passed over, it is disabled",
            "outbound: passed over, direction: in is not one of out, internal",
            "sales: passed over, scope: neither side is one of the selected groups and users",
            "excepted: passed over, exceptionLists: the outside number is on the list council",
            "filtered: passed over, numbers: the outside number is not one of them",
            "desk: matches",
        ]
    );
}

#[test]
fn a_trace_names_no_number_and_no_person() {
    let rules = vec![
        rule("a", selected(&["desk"], &["erika"], true), |spec| spec.numbers = vec![number(OUTSIDE)]),
        rule("b", word("allUsers"), |spec| spec.exception_lists = vec!["council".into()]),
    ];
    let policy = Policy::new(&acme(rules, vec![list("council", vec![pattern("\\+49221.*")])]));
    let mut facts = call(OUTSIDE, "24");
    facts.caller.name = "Mustermann".into();
    let decision = policy.decide(&facts, noon());
    let shown = format!("{decision:?} {policy:?} {facts:?}").to_lowercase();
    for secret in ["98765", "49221", "mustermann", "erika", "7031"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_decision_among_ten_thousand_users_and_a_hundred_rules_takes_less_than_a_millisecond() {
    let rules = (0..100).map(|i| ordered(&format!("rule-{i}"), i, selected(&["sales"], &["karl"], true)));
    let mut resources = acme(rules.collect(), vec![]);
    for i in 0..10_000 {
        let user = User { identities: vec![format!("{}", 10_000 + i), format!("+49703199{i:05}")] };
        resources.directory.users.insert(format!("user-{i}"), user);
    }
    let policy = Policy::new(&resources);
    let begun = std::time::Instant::now();
    for i in 0..1_000 {
        let decision = policy.decide(&call(OUTSIDE, &format!("{}", 10_000 + i)), noon());
        assert_eq!(decision.trace.len(), 100);
    }
    assert!(begun.elapsed().as_millis() < 1_000, "{:?} for a thousand", begun.elapsed());
}
