//! What holds for every set of rules and every call.

use domain::{
    CallFacts, Direction, Recorded,
    resources::{NumberPatternSpec, RecordingRule, ScopeSpec, TenantResources},
};
use policy::decide;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::acme::{acme, call, list, noon, number, pattern, rule, selected, word};

const NUMBERS: [&str; 9] =
    ["22", "23", "24", "25", "500", "600", "+4922198765", "0176 2222222", "sip:erika@acme.example"];

fn scopes() -> impl Strategy<Value = ScopeSpec> {
    select(vec![
        word("all"),
        word("allUsers"),
        selected(&["desk"], &[], false),
        selected(&["desk"], &[], true),
        selected(&["sales"], &["erika"], false),
        selected(&[], &["karl", "max"], false),
    ])
}

fn entries() -> impl Strategy<Value = Vec<NumberPatternSpec>> {
    let entry =
        prop_oneof![select(&NUMBERS[..]).prop_map(number), Just(pattern("\\+49.*")), Just(pattern("2."))];
    vec(entry, 0..3)
}

prop_compose! {
    fn rules()(
        parts in vec((scopes(), -3_i64..3, any::<bool>(), 1_usize..8, entries(), any::<bool>()), 0..6)
    ) -> Vec<RecordingRule> {
        let one = |(i, (scope, order, enabled, directions, numbers, excepts)): (usize, _)| {
            rule(&format!("rule-{i}"), scope, |spec| {
                let chosen = Direction::ALL.iter().enumerate().filter(|(bit, _)| directions & (1 << bit) != 0);
                spec.order = order;
                spec.enabled = enabled;
                spec.directions = Some(chosen.map(|(_, d)| d.to_string()).collect());
                spec.numbers = numbers;
                spec.exception_lists = if excepts { vec!["list".into()] } else { vec![] };
            })
        };
        parts.into_iter().enumerate().map(one).collect()
    }
}

prop_compose! {
    fn calls()(
        caller in select(&NUMBERS[..]),
        callee in select(&NUMBERS[..]),
        direction in option::of(select(Direction::ALL)),
    ) -> CallFacts {
        CallFacts { direction, ..call(caller, callee) }
    }
}

fn recorded(resources: &TenantResources, facts: &CallFacts) -> Option<Recorded> {
    decide(resources, facts, noon()).recorded().cloned()
}

proptest! {
    #[test]
    fn a_disabled_rule_is_as_good_as_absent(rules in rules(), entries in entries(), facts in calls()) {
        let enabled = rules.iter().filter(|rule| rule.enabled).cloned().collect();
        let lists = vec![list("list", entries)];
        prop_assert_eq!(recorded(&acme(rules, lists.clone()), &facts), recorded(&acme(enabled, lists), &facts));
    }

    #[test]
    fn the_first_rule_that_would_match_alone_decides(rules in rules(), entries in entries(), facts in calls()) {
        let lists = vec![list("list", entries)];
        let all = acme(rules, lists.clone());
        let alone = all.rules.iter().find_map(|rule| recorded(&acme(vec![rule.clone()], lists.clone()), &facts));
        prop_assert_eq!(recorded(&all, &facts), alone);
    }

    #[test]
    fn there_is_one_line_for_each_rule_up_to_the_one_that_decides(rules in rules(), facts in calls()) {
        let resources = acme(rules, vec![]);
        let decision = decide(&resources, &facts, noon());
        let tried = match decision.recorded() {
            Some(recorded) => resources.rules.iter().position(|rule| rule.name == recorded.rule).unwrap() + 1,
            None => resources.rules.len(),
        };
        prop_assert_eq!(decision.trace.len(), tried);
        for (line, rule) in decision.trace.iter().zip(&resources.rules) {
            let begins = format!("{}: ", rule.name);
            prop_assert!(line.starts_with(&begins), "{}", line);
        }
    }

    #[test]
    fn one_exception_more_never_records_more(
        rules in rules(), entries in entries(), more in entries(), facts in calls()
    ) {
        let before = recorded(&acme(rules.clone(), vec![list("list", entries.clone())]), &facts);
        let after = recorded(&acme(rules, vec![list("list", [entries, more].concat())]), &facts);
        prop_assert!(before.is_some() || after.is_none());
    }

    #[test]
    fn one_rule_more_never_records_less(rules in rules(), more in rules(), facts in calls()) {
        let before = recorded(&acme(rules.clone(), vec![]), &facts);
        let after = recorded(&acme([rules, more].concat(), vec![]), &facts);
        prop_assert!(before.is_none() || after.is_some());
    }

    #[test]
    fn a_star_keeps_every_call_out(rules in rules(), mut facts in calls(), digits in "[0-9]{0,4}") {
        facts.callee.number = format!("{digits}*{digits}").into();
        prop_assert_eq!(recorded(&acme(rules, vec![]), &facts), None);
    }

    #[test]
    fn no_facts_make_it_panic(rules in rules(), caller in ".*", callee in ".*", identity in ".*") {
        let mut facts = call(&caller, &callee);
        facts.callee.identities.push(identity.as_str().into());
        decide(&acme(rules, vec![]), &facts, noon());
    }
}
