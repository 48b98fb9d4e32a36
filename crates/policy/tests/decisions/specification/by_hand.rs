//! Recording by hand, stopping, going on (F-17, F-18, F-32).

use domain::{
    CallFacts, Channels, Class,
    ConsentMode::OptIn,
    ConsentOutcome::{Denied, Granted},
    Override, Recorded,
    resources::{RecordingRule, RecordingRuleSpec},
};
use policy::{ManualRefused, Policy, ResumeRefused, RunTime, StopRefused, may_resume};

use super::OUTSIDE;
use crate::acme::{
    acme, answered, asks, by_hand, call, list, logged, noon, number, rule, selected, told, wishing, word,
};

/// A rule that records only internal calls, so that outside ones are free for the hand.
fn internal_only(spec: &mut RecordingRuleSpec) {
    spec.directions = Some(vec!["internal".into()]);
    by_hand(spec);
}

fn policy(rules: Vec<RecordingRule>) -> Policy {
    Policy::new(&acme(rules, vec![list("council", vec![number("+4930123456")])]))
}

fn desk() -> Policy {
    policy(vec![rule("desk", selected(&["desk"], &["karl"], false), internal_only)])
}

fn start(policy: &Policy, facts: &CallFacts, user: &str, state: &RunTime) -> Result<Recorded, ManualRefused> {
    policy.manual_recording(facts, user, state, noon())
}

#[test]
fn f17_a_rule_permits_its_members_and_nobody_else() {
    let policy = desk();
    let off = logged(&policy, &[("desk", "erika", false)]);
    let on = logged(&policy, &[("desk", "paula", true)]);
    let always = RunTime::default();
    for (what, facts, user, state, expected) in [
        ("a member, called", call(OUTSIDE, "22"), "erika", &always, Ok(())),
        ("a member, calling", call("22", OUTSIDE), "erika", &always, Ok(())),
        ("by extension", call(OUTSIDE, "22"), "22", &always, Ok(())),
        ("a selected user", call(OUTSIDE, "25"), "karl", &always, Ok(())),
        ("who of the group answered need not be known", call(OUTSIDE, "500"), "max", &always, Ok(())),
        ("a user of no such rule", call(OUTSIDE, "24"), "paula", &always, Err(ManualRefused::NotPermitted)),
        ("who logged on", call(OUTSIDE, "24"), "paula", &on, Ok(())),
        ("who logged off", call(OUTSIDE, "22"), "erika", &off, Err(ManualRefused::NotPermitted)),
        ("a member in another's call", call(OUTSIDE, "22"), "max", &always, Err(ManualRefused::NotAParty)),
        ("a stranger", call(OUTSIDE, "22"), "otto", &always, Err(ManualRefused::UnknownUser)),
        ("the outside party", call(OUTSIDE, "22"), OUTSIDE, &always, Err(ManualRefused::UnknownUser)),
    ] {
        assert_eq!(start(&policy, &facts, user, state).map(drop), expected, "{what}");
    }
}

#[test]
fn f17_manual_recordings_are_a_class_of_their_own_with_own_targets() {
    let recorded = start(&desk(), &call(OUTSIDE, "22"), "erika", &RunTime::default()).unwrap();
    assert_eq!((recorded.class, recorded.channels), (Class::Manual, Channels::Separate));
    assert_eq!(recorded.rule.as_str(), "desk");
    assert_eq!(recorded.targets, ["by-hand".parse().unwrap()]);
    assert_eq!(recorded.journals, ["notes".parse().unwrap()]);
    assert!(recorded.stop_keys.is_some());
}

#[test]
fn f17_the_first_enabled_rule_that_permits_it_orders() {
    let rules = vec![
        rule("off", word("all"), |spec| {
            internal_only(spec);
            spec.enabled = false;
        }),
        rule("plain", word("all"), |spec| (spec.order, spec.directions) = (1, Some(vec!["internal".into()]))),
        rule("users", word("allUsers"), |spec| {
            internal_only(spec);
            spec.order = 2;
        }),
    ];
    let recorded = start(&policy(rules), &call(OUTSIDE, "22"), "erika", &RunTime::default()).unwrap();
    assert_eq!(recorded.rule.as_str(), "users");
}

#[test]
fn f18_what_the_law_records_nobody_records_by_hand() {
    let duty = policy(vec![rule("desk", word("all"), by_hand)]);
    let facts = call(OUTSIDE, "22");
    let refused = ManualRefused::RecordedByDuty("desk".parse().unwrap());
    assert_eq!(start(&duty, &facts, "erika", &RunTime::default()).unwrap_err(), refused);
    let manual = wishing(Override::Manual, facts);
    assert!(start(&duty, &manual, "erika", &RunTime::default()).is_ok(), "the PBX asked for manual");
}

#[test]
fn f16_deny_and_f13_stars_and_f15_exceptions_hold_for_the_hand_too() {
    let excepting = policy(vec![rule("desk", word("all"), |spec| {
        internal_only(spec);
        spec.exception_lists = vec!["council".into()];
    })]);
    let start = |facts: CallFacts, state: &RunTime| start(&excepting, &facts, "erika", state).map(drop);
    let always = RunTime::default();
    assert_eq!(start(call(OUTSIDE, "22"), &always), Ok(()));
    assert_eq!(start(wishing(Override::Deny, call(OUTSIDE, "22")), &always), Err(ManualRefused::Denied));
    assert_eq!(start(call(OUTSIDE, "22"), &told(Override::Deny)), Err(ManualRefused::Denied));
    assert_eq!(start(call("22", "*21"), &always), Err(ManualRefused::FeatureCode));
    let council = ManualRefused::Excepted("council".parse().unwrap());
    assert_eq!(start(call("+4930123456", "22"), &always), Err(council));
}

#[test]
fn who_refused_is_not_recorded_by_hand_either() {
    let asking = policy(vec![rule("desk", word("all"), |spec| {
        asks("optIn", "consentCall")(spec);
        by_hand(spec);
    })]);
    let facts = call(OUTSIDE, "22");
    let start = |policy: &Policy, state: &RunTime| start(policy, &facts, "erika", state);
    let open = ManualRefused::ConsentOpen("desk".parse().unwrap());
    assert_eq!(start(&asking, &RunTime::default()).unwrap_err(), open);
    assert_eq!(start(&asking, &answered(OptIn, Denied)).unwrap_err(), ManualRefused::NoConsent);
    assert_eq!(start(&desk(), &answered(OptIn, Denied)).unwrap_err(), ManualRefused::NoConsent);
    let granted = answered(OptIn, Granted);
    assert_eq!(start(&asking, &granted).unwrap().consent, granted.consent, "the proof goes along");
}

#[test]
fn f32_every_user_of_the_call_may_stop_it_and_nobody_else() {
    let policy = policy(vec![rule("desk", word("all"), |_| {})]);
    let stop = |facts: CallFacts, user: &str| policy.may_stop(&facts, user, &RunTime::default());
    assert_eq!(stop(call(OUTSIDE, "22"), "erika"), Ok(()));
    assert_eq!(stop(call("25", OUTSIDE), "25"), Ok(()));
    assert_eq!(stop(call(OUTSIDE, "500"), "max"), Ok(()));
    assert_eq!(stop(call(OUTSIDE, "22"), "max"), Err(StopRefused::NotAParty));
    assert_eq!(stop(call(OUTSIDE, "22"), OUTSIDE), Err(StopRefused::UnknownUser));
}

#[test]
fn f18_a_recording_by_legal_duty_never_goes_on_after_a_stop() {
    assert_eq!(may_resume(Class::Regulated), Err(ResumeRefused::LegalDuty));
    assert_eq!(may_resume(Class::Consent), Ok(()));
    assert_eq!(may_resume(Class::Manual), Ok(()));
}

#[test]
fn refusals_name_no_person_and_no_number() {
    let error = start(&desk(), &call(OUTSIDE, "22"), "otto", &RunTime::default()).unwrap_err();
    assert_eq!(error.to_string(), "the user is not in any Directory of the tenant");
}
