//! Active membership (F-08).

use policy::{Policy, RunTime};

use super::OUTSIDE;
use crate::acme::{Fate, NOT, RECORDED, acme, call, check_one, logged, rule, selected};

fn policy() -> Policy {
    Policy::new(&acme(vec![rule("desk", selected(&["desk"], &[], true), |_| {})], vec![]))
}

/// What becomes of Erika's calls: by her, to her directly, and to her group.
fn erikas_calls(what: &str, state: &RunTime, expected: [Fate; 3]) {
    let calls = [call("22", OUTSIDE), call(OUTSIDE, "22"), call(OUTSIDE, "500")];
    for (facts, expected) in calls.iter().zip(expected) {
        check_one(&policy(), what, facts, state, expected);
    }
}

#[test]
fn f08_who_logs_off_is_not_recorded_and_who_logs_on_again_is() {
    let policy = policy();
    let state = |changes: &[(&str, &str, bool)]| logged(&policy, changes);
    erikas_calls("as the directory has it", &RunTime::default(), [RECORDED; 3]);
    erikas_calls("logged off", &state(&[("desk", "erika", false)]), [NOT, NOT, RECORDED]);
    erikas_calls("off by extension and number", &state(&[("500", "22", false)]), [NOT, NOT, RECORDED]);
    let both = [("desk", "erika", false), ("desk", "erika", true)];
    erikas_calls("off and on again", &state(&both), [RECORDED; 3]);
    erikas_calls("off from another group", &state(&[("sales", "erika", false)]), [RECORDED; 3]);
    erikas_calls("another user is off", &state(&[("desk", "max", false)]), [RECORDED; 3]);
    erikas_calls("nobody knows who", &state(&[("desk", "nobody", false)]), [RECORDED; 3]);
}

#[test]
fn f08_a_user_who_is_not_listed_becomes_a_member_by_logging_on() {
    let policy = policy();
    let (before, after) = (RunTime::default(), logged(&policy, &[("desk", "karl", true)]));
    for facts in [call("25", OUTSIDE), call(OUTSIDE, "25")] {
        check_one(&policy, "Karl is in no group", &facts, &before, NOT);
        check_one(&policy, "Karl is logged on to the desk", &facts, &after, RECORDED);
    }
}

#[test]
fn f08_a_user_who_is_selected_by_name_is_recorded_logged_on_or_off() {
    let policy =
        Policy::new(&acme(vec![rule("desk", selected(&["desk"], &["erika"], false), |_| {})], vec![]));
    let off = logged(&policy, &[("desk", "erika", false), ("desk", "max", false)]);
    check_one(&policy, "selected herself", &call("22", OUTSIDE), &off, RECORDED);
    check_one(&policy, "only a member", &call("23", OUTSIDE), &off, NOT);
}

#[test]
fn groups_and_users_are_found_by_name_and_by_number() {
    let policy = policy();
    assert_eq!(policy.group_name("500"), Some("desk"));
    assert_eq!(policy.group_name("desk"), Some("desk"));
    assert_eq!(policy.group_name("22"), None);
    assert_eq!(policy.user_names("sip:erika@acme.example"), ["erika"]);
    assert_eq!(policy.user_names("max"), ["max"]);
    assert!(policy.user_names("500").is_empty());
}

#[test]
fn memberships_show_no_names() {
    let state = logged(&policy(), &[("desk", "erika", false)]);
    assert_eq!(format!("{:?}", state.memberships), "Memberships(of 1 users)");
}
