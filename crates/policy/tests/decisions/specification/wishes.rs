//! What the PBX wishes for one call (F-16).

use domain::{ConsentMode::OptIn, ConsentOutcome::Granted, Override, Verdict};
use policy::{RunTime, decide};

use super::OUTSIDE;
use crate::acme::{
    ASKED, NOT, RECORDED, acme, acme_with, answered, asks, call, check, check_states, list, noon, number,
    rule, selected, told, wishing, word,
};

#[test]
fn f16_auto_leaves_it_to_the_rules_and_deny_never_records() {
    let resources = acme(vec![rule("all", word("all"), |_| {})], vec![]);
    let facts = || call(OUTSIDE, "22");
    check(
        &resources,
        &[
            ("auto", wishing(Override::Auto, facts()), RECORDED),
            ("deny", wishing(Override::Deny, facts()), NOT),
        ],
    );
    check(&acme(vec![], vec![]), &[("auto without a rule", facts(), NOT)]);
}

#[test]
fn f16_manual_records_nothing_by_itself() {
    let resources = acme(vec![rule("all", word("all"), |_| {})], vec![]);
    let facts = wishing(Override::Manual, call(OUTSIDE, "22"));
    check(&resources, &[("manual", facts.clone(), NOT)]);
    let Verdict::DoNotRecord(not) = decide(&resources, &facts, &RunTime::default(), noon()).verdict else {
        panic!("is recorded")
    };
    assert!(not.reason.contains("a user may start a recording"), "{}", not.reason);
}

#[test]
fn f16_what_the_api_says_goes_before_signalling_unless_it_is_auto() {
    let resources = acme(vec![rule("all", word("all"), |_| {})], vec![]);
    let facts = |wish| wishing(wish, call(OUTSIDE, "22"));
    check_states(
        &resources,
        &[
            ("API deny over signalled force", facts(Override::Force), told(Override::Deny), NOT),
            ("API force over signalled deny", facts(Override::Deny), told(Override::Force), RECORDED),
            ("API auto leaves signalled deny", facts(Override::Deny), told(Override::Auto), NOT),
        ],
    );
}

#[test]
fn f16_force_passes_over_conditions_exceptions_and_stars() {
    let narrow = rule("desk", selected(&["desk"], &[], false), |spec| {
        spec.directions = Some(vec!["in".into()]);
        spec.exception_lists = vec!["council".into()];
    });
    let resources = acme(vec![narrow], vec![list("council", vec![number(OUTSIDE)])]);
    let force = |facts| wishing(Override::Force, facts);
    check(
        &resources,
        &[
            ("an excepted number", call(OUTSIDE, "500"), NOT),
            ("forced: an excepted number", force(call(OUTSIDE, "500")), RECORDED),
            ("another direction", call("22", "+4930123456"), NOT),
            ("forced: another direction", force(call("22", "+4930123456")), RECORDED),
            ("a star", call("22", "*21"), NOT),
            ("forced: a star", force(call("22", "*21")), RECORDED),
            ("forced, but no rule has the call in its scope", force(call(OUTSIDE, "25")), NOT),
        ],
    );
}

#[test]
fn f16_forced_calls_go_to_the_first_match_else_to_the_tenants_rule_else_by_scope() {
    let rules = || {
        vec![
            rule("off", word("all"), |spec| (spec.order, spec.enabled) = (0, false)),
            rule("in-only", word("all"), |spec| (spec.order, spec.directions) = (1, Some(vec!["in".into()]))),
            rule("sales", selected(&["sales"], &[], false), |spec| spec.order = 2),
        ]
    };
    let naming = |name: &str| {
        let name = Some(name.to_owned());
        acme_with(|tenant| tenant.forced_calls_rule = name, rules(), vec![])
    };
    for (what, resources, facts, expected) in [
        ("a rule matches", naming("sales"), call(OUTSIDE, "22"), "in-only"),
        ("none does, the tenant names one", naming("sales"), call("22", OUTSIDE), "sales"),
        ("the named one is disabled", naming("off"), call("22", OUTSIDE), "in-only"),
        ("none is named", acme(rules(), vec![]), call("22", OUTSIDE), "in-only"),
    ] {
        let facts = wishing(Override::Force, facts);
        let decision = decide(&resources, &facts, &RunTime::default(), noon());
        assert_eq!(decision.recorded().unwrap().rule.as_str(), expected, "{what}");
    }
}

#[test]
fn f16_force_never_goes_before_consent() {
    let resources = acme(vec![rule("all", word("all"), asks("optIn", "consentCall"))], vec![]);
    let facts = || wishing(Override::Force, call(OUTSIDE, "22"));
    check_states(
        &resources,
        &[
            ("no answer yet", facts(), RunTime::default(), ASKED),
            ("granted", facts(), answered(OptIn, Granted), RECORDED),
            ("denied", facts(), answered(OptIn, domain::ConsentOutcome::Denied), NOT),
        ],
    );
}
