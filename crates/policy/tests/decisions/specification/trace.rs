//! Why: each rule passed over, and the first condition that failed (F-05, F-59).

use domain::{ConsentMode::OptIn, ConsentOutcome::Granted, Override};
use policy::{Policy, RunTime, decide};

use super::OUTSIDE;
use crate::acme::{
    acme, answered, asks, call, list, noon, number, pattern, rule, selected, told, wishing, word,
};

#[test]
fn f05_each_rule_before_the_first_match_says_by_which_field_it_did_not() {
    let rules = vec![
        rule("1-off", word("all"), |spec| spec.enabled = false),
        rule("2-outbound", word("all"), |spec| spec.directions = Some(vec!["out".into(), "internal".into()])),
        rule("3-begun-inside", word("all"), |spec| spec.origin = Some("internal".into())),
        rule("4-sales", selected(&["sales"], &["karl"], false), |_| {}),
        rule("5-users", word("allUsers"), |_| {}),
        rule("6-filtered", word("all"), |spec| spec.numbers = vec![number("110")]),
        rule("7-excepted", word("all"), |spec| spec.exception_lists = vec!["council".into()]),
        rule("8-desk", selected(&["desk"], &[], false), |_| {}),
        rule("9-last", word("all"), |_| {}),
    ];
    let resources = acme(rules, vec![list("council", vec![number(OUTSIDE)])]);
    let decision = decide(&resources, &call(OUTSIDE, "500"), &RunTime::default(), noon());
    assert_eq!(decision.recorded().unwrap().rule.as_str(), "8-desk");
    assert_eq!(
        decision.trace,
        [
            "1-off: passed over, enabled: it is disabled",
            "2-outbound: passed over, directions: in is not one of out, internal",
            "3-begun-inside: passed over, origin: the call was begun by somebody outside",
            "4-sales: passed over, scope: neither side is one of the selected groups and users",
            "5-users: passed over, scope: neither from a user nor to one directly",
            "6-filtered: passed over, numbers: the outside number is not one of them",
            "7-excepted: passed over, exceptionLists: the outside number is on the list council",
            "8-desk: matches",
        ]
    );
}

#[test]
fn wishes_and_consent_have_their_lines() {
    let off = || rule("a-off", word("all"), |spec| spec.enabled = false);
    let inbound = || rule("in-only", word("all"), |spec| spec.directions = Some(vec!["in".into()]));
    let asking = || rule("asking", word("all"), asks("optIn", "consentCall"));
    let announced = || rule("announced", word("all"), asks("noChoice", "pbx"));
    let trace = |rules, facts, state: RunTime| decide(&acme(rules, vec![]), &facts, &state, noon()).trace;
    let out = || call("22", OUTSIDE);
    let none = RunTime::default;
    assert_eq!(trace(vec![asking()], out(), told(Override::Deny)), ["override: deny, said through the API"]);
    assert_eq!(
        trace(vec![off(), inbound()], wishing(Override::Force, call("22", "*21")), none()),
        [
            "override: force, said in the call's signalling",
            "a number holds a star, but the recording is forced",
            "a-off: passed over, enabled: it is disabled",
            "in-only: passed over, directions: out is not one of in",
            "in-only: is forced, as the first rule in whose scope the call is",
        ]
    );
    assert_eq!(trace(vec![asking()], out(), none()), ["asking: matches", "consent: there is no answer yet"]);
    assert_eq!(
        trace(vec![asking()], out(), answered(OptIn, Granted)),
        ["asking: matches", "consent: the stored answer is granted"]
    );
    assert_eq!(
        trace(vec![announced()], out(), none()),
        ["announced: matches", "consent: no choice, and the PBX plays the announcement"]
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
    let state = crate::acme::logged(&policy, &[("desk", "erika", false)]);
    let decided = policy.decide(&facts, &state, noon());
    let shown = format!("{decided:?} {:?}", decided.trace_lines().collect::<Vec<_>>());
    let shown = format!(
        "{shown} {:?} {policy:?} {facts:?} {state:?}",
        policy.decide(&facts, &state, noon()).into_decision()
    );
    for secret in ["98765", "49221", "mustermann", "erika", "paula", "703112"] {
        assert!(!shown.to_lowercase().contains(secret), "{secret} in {shown}");
    }
}
