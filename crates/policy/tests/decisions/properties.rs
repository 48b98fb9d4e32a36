//! What holds for every set of rules, every call and every run-time state.

use domain::{
    CallFacts, Class, Consent, ConsentMode, ConsentOutcome, Direction, Override, Recorded, Sensitive,
    Verdict,
    resources::{NumberPatternSpec, RecordingRule, ScopeSpec, TenantResources},
};
use policy::{MembershipChange, Policy, RunTime, decide};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::acme::{acme, answered, asks, by_hand, call, list, noon, number, pattern, rule, selected, word};

const NUMBERS: [&str; 10] =
    ["22", "23", "24", "25", "500", "600", "+4922198765", "0176 2222222", "sip:erika@acme.example", "*21"];

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

/// `None`: legal duty; else how consent is asked for.
fn profiles() -> impl Strategy<Value = Option<(&'static str, &'static str)>> {
    let asking =
        (select(&["optIn", "optOut", "noChoice"][..]), select(&["consentCall", "recordedCall", "pbx"][..]));
    option::weighted(0.4, asking)
}

prop_compose! {
    fn rules()(
        parts in vec(
            (
                (scopes(), -3_i64..3, any::<bool>(), 1_usize..8, entries(), any::<bool>()),
                (profiles(), select(&["both", "internal", "external"][..]), any::<bool>()),
            ),
            0..6,
        )
    ) -> Vec<RecordingRule> {
        let one = |(i, ((scope, order, enabled, directions, numbers, excepts), (profile, origin, hand))): (usize, _)| {
            rule(&format!("rule-{i}"), scope, |spec| {
                let chosen = Direction::ALL.iter().enumerate().filter(|(bit, _)| directions & (1 << bit) != 0);
                let chosen: Vec<_> = chosen.map(|(_, direction)| *direction).collect();
                if let Some((mode, asked_by)) = profile {
                    asks(mode, asked_by)(spec);
                    // An announcement that is never heard would be refused.
                    let heard = &mut spec.announcements;
                    if chosen == [Direction::Out] {
                        heard.inbound = None;
                    }
                    if !chosen.contains(&Direction::Out) {
                        heard.outbound = None;
                    }
                }
                if hand {
                    by_hand(spec);
                }
                spec.order = order;
                spec.enabled = enabled;
                spec.origin = Some(str::to_owned(origin));
                spec.directions = Some(chosen.iter().map(ToString::to_string).collect());
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
        wish in prop_oneof![4 => Just(Override::Auto), 1 => select(Override::ALL)],
    ) -> CallFacts {
        CallFacts { direction, override_by_pbx: wish, ..call(caller, callee) }
    }
}

fn changes() -> impl Strategy<Value = Vec<MembershipChange>> {
    let change =
        (select(&["desk", "sales"][..]), select(&["erika", "max", "paula", "karl"][..]), any::<bool>());
    vec(
        change.prop_map(|(group, user, active)| MembershipChange {
            group: group.to_owned(),
            user: Sensitive::from(user),
            active,
        }),
        0..4,
    )
}

fn answers() -> impl Strategy<Value = Option<Consent>> {
    let answer = (select(ConsentMode::ALL), select(ConsentOutcome::ALL));
    option::of(answer.prop_map(|(mode, outcome)| answered(mode, outcome).consent.unwrap()))
}

prop_compose! {
    /// A state for any policy of the company: its people are the same.
    fn states()(
        changes in changes(),
        override_ in prop_oneof![4 => Just(Override::Auto), 1 => select(Override::ALL)],
        consent in answers(),
    ) -> RunTime {
        let memberships = Policy::new(&acme(vec![], vec![])).memberships(&changes);
        RunTime { memberships, override_, consent }
    }
}

fn verdict(resources: &TenantResources, facts: &CallFacts, state: &RunTime) -> Verdict {
    decide(resources, facts, state, noon()).verdict
}

fn recorded(resources: &TenantResources, facts: &CallFacts, state: &RunTime) -> Option<Recorded> {
    decide(resources, facts, state, noon()).recorded().cloned()
}

/// Recorded, or recorded if consent comes.
fn wants_to_record(resources: &TenantResources, facts: &CallFacts, state: &RunTime) -> bool {
    !matches!(verdict(resources, facts, state), Verdict::DoNotRecord(_))
}

/// Neither facts nor state wish for anything.
fn without_wish(facts: CallFacts, state: RunTime) -> (CallFacts, RunTime) {
    let facts = CallFacts { override_by_pbx: Override::Auto, ..facts };
    (facts, RunTime { override_: Override::Auto, ..state })
}

proptest! {
    #[test]
    fn a_disabled_rule_is_as_good_as_absent(
        rules in rules(), entries in entries(), facts in calls(), state in states()
    ) {
        let enabled: Vec<_> = rules.iter().filter(|rule| rule.enabled).cloned().collect();
        let all_off = enabled.is_empty() && !rules.is_empty();
        let lists = vec![list("list", entries)];
        let with = verdict(&acme(rules, lists.clone()), &facts, &state);
        let without = verdict(&acme(enabled, lists), &facts, &state);
        // Only the sentence differs: there are rules, but none is switched on.
        prop_assert!(with == without || (all_off && matches!(with, Verdict::DoNotRecord(_))));
    }

    #[test]
    fn the_first_rule_that_would_match_alone_decides(
        rules in rules(), entries in entries(), facts in calls(), state in states()
    ) {
        let (facts, state) = without_wish(facts, state);
        let lists = vec![list("list", entries)];
        let all = acme(rules, lists.clone());
        let policy = Policy::new(&all);
        let decided = policy.decide(&facts, &state, noon());
        let matches = |rule: &RecordingRule| {
            let alone = Policy::new(&acme(vec![rule.clone()], lists.clone()));
            alone.decide(&facts, &state, noon()).rule().is_some()
        };
        let alone = all.rules.iter().find(|rule| matches(rule));
        prop_assert_eq!(decided.rule(), alone.map(|rule| &rule.name));
    }

    #[test]
    fn the_order_in_which_rules_are_written_changes_nothing(
        rules in rules(), entries in entries(), facts in calls(), state in states()
    ) {
        let lists = vec![list("list", entries)];
        let backwards = rules.iter().rev().cloned().collect();
        let one = verdict(&acme(rules, lists.clone()), &facts, &state);
        prop_assert_eq!(one, verdict(&acme(backwards, lists), &facts, &state));
    }

    #[test]
    fn there_is_one_line_for_each_rule_up_to_the_one_that_decides(rules in rules(), facts in calls()) {
        let (facts, state) = without_wish(facts, RunTime::default());
        let resources = acme(rules, vec![]);
        let policy = Policy::new(&resources);
        let decided = policy.decide(&facts, &state, noon());
        let tried = match decided.rule() {
            Some(name) => resources.rules.iter().position(|rule| rule.name == *name).unwrap() + 1,
            None => resources.rules.len(),
        };
        let lines: Vec<_> = decided.trace_lines().collect();
        if !lines.iter().any(|line| line.contains("star")) {
            prop_assert!(lines.len() >= tried && lines.len() <= tried + 1, "{:?}", lines);
            for (line, rule) in lines.iter().zip(&resources.rules).take(tried) {
                let begins = format!("{}: ", rule.name);
                prop_assert!(line.starts_with(&begins), "{}", line);
            }
        }
    }

    #[test]
    fn one_exception_more_never_records_more(
        rules in rules(), entries in entries(), more in entries(), facts in calls(), state in states()
    ) {
        let before = Policy::new(&acme(rules.clone(), vec![list("list", entries.clone())]));
        let after = Policy::new(&acme(rules, vec![list("list", [entries, more].concat())]));
        // The call may fall to a later rule, whose terms are other ones; it never gets its first.
        let has_rule = |policy: &Policy| policy.decide(&facts, &state, noon()).rule().is_some();
        prop_assert!(has_rule(&before) || !has_rule(&after));
    }

    #[test]
    fn one_rule_more_never_leaves_a_call_without_a_rule(
        rules in rules(), more in rules(), facts in calls(), state in states()
    ) {
        let (before, after) = (acme(rules.clone(), vec![]), acme([rules, more].concat(), vec![]));
        let (before, after) = (Policy::new(&before), Policy::new(&after));
        let has_rule = |policy: &Policy| policy.decide(&facts, &state, noon()).rule().is_some();
        prop_assert!(!has_rule(&before) || has_rule(&after));
    }

    #[test]
    fn a_star_keeps_every_call_out_that_is_not_forced(
        rules in rules(), facts in calls(), state in states(), digits in "[0-9]{0,4}"
    ) {
        let (mut facts, state) = without_wish(facts, state);
        facts.callee.number = format!("{digits}*{digits}").into();
        prop_assert!(!wants_to_record(&acme(rules, vec![]), &facts, &state));
    }

    #[test]
    fn deny_and_manual_never_record(
        rules in rules(), facts in calls(), state in states(),
        wish in select(&[Override::Deny, Override::Manual][..]), through_api in any::<bool>(),
    ) {
        let (mut facts, mut state) = without_wish(facts, state);
        if through_api { state.override_ = wish } else { facts.override_by_pbx = wish }
        prop_assert!(!wants_to_record(&acme(rules, vec![]), &facts, &state));
    }

    #[test]
    fn force_never_records_less(rules in rules(), entries in entries(), facts in calls(), state in states()) {
        let (facts, state) = without_wish(facts, state);
        let resources = acme(rules, vec![list("list", entries)]);
        let forced = RunTime { override_: Override::Force, ..state.clone() };
        let before = verdict(&resources, &facts, &state);
        if !matches!(before, Verdict::DoNotRecord(_)) {
            prop_assert_eq!(before, verdict(&resources, &facts, &forced));
        }
    }

    #[test]
    fn logging_off_never_finds_a_rule_that_was_not_there_before(
        rules in rules(), facts in calls(), before in changes(),
        group in select(&["desk", "sales"][..]), user in select(&["erika", "max", "paula", "karl"][..]),
    ) {
        let policy = Policy::new(&acme(rules, vec![]));
        let off = MembershipChange { group: group.into(), user: user.into(), active: false };
        let after = [before.clone(), vec![off]].concat();
        let has_rule = |changes: &[MembershipChange]| {
            let state = RunTime { memberships: policy.memberships(changes), ..RunTime::default() };
            policy.decide(&facts, &state, noon()).rule().is_some()
        };
        prop_assert!(has_rule(&before) || !has_rule(&after));
    }

    #[test]
    fn nothing_of_class_consent_is_recorded_without_a_consent_that_permits(
        rules in rules(), entries in entries(), facts in calls(), state in states()
    ) {
        let resources = acme(rules, vec![list("list", entries)]);
        if let Some(recorded) = recorded(&resources, &facts, &state).filter(|r| r.class == Class::Consent) {
            let rule = resources.rules.iter().find(|rule| rule.name == recorded.rule).unwrap();
            let terms = rule.consent.as_ref().unwrap();
            let pbx_announces = terms.mode == ConsentMode::NoChoice && terms.asked_by == domain::AskedBy::Pbx;
            match &recorded.consent {
                Some(consent) => prop_assert!(consent.permits() && terms.mode.permits(consent.outcome)),
                None => prop_assert!(pbx_announces),
            }
            prop_assert!(recorded.consent.is_some() || state.consent.is_none());
        }
    }

    #[test]
    fn nobody_records_by_hand_what_is_denied_refused_or_recorded_by_duty(
        rules in rules(), entries in entries(), facts in calls(), state in states(),
        user in select(&["erika", "max", "paula", "karl", "+4922198765"][..]),
    ) {
        let resources = acme(rules, vec![list("list", entries)]);
        let policy = Policy::new(&resources);
        if let Ok(manual) = policy.manual_recording(&facts, user, &state, noon()) {
            prop_assert_eq!(manual.class, Class::Manual);
            let wish = if state.override_ == Override::Auto { facts.override_by_pbx } else { state.override_ };
            prop_assert!(wish != Override::Deny);
            prop_assert!(state.consent.as_ref().is_none_or(Consent::permits));
            let by_itself = recorded(&resources, &facts, &state);
            prop_assert!(by_itself.is_none_or(|recorded| recorded.class != Class::Regulated));
        }
    }

    #[test]
    fn no_facts_make_it_panic(
        rules in rules(), caller in ".*", callee in ".*", identity in "(sip:)?[%0-9a-z@;*+. ]{0,12}", state in states()
    ) {
        let mut facts = call(&caller, &callee);
        facts.callee.identities.push(identity.as_str().into());
        decide(&acme(rules, vec![]), &facts, &state, noon());
    }
}
