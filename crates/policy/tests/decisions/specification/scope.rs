//! Whose calls, in which directions, begun by whom (F-03, F-06, F-07, F-09, F-10, F-11).

use domain::{CallFacts, Direction, resources::ScopeSpec};
use policy::{RunTime, decide};

use super::OUTSIDE;
use crate::acme::{
    Fate, NOT, RECORDED, acme, call, call_as, call_through, check, noon, rule, selected, word,
};

/// Checks each call of a table against one rule of the given scope.
fn scope_covers(scope: &ScopeSpec, table: &[(&str, CallFacts, Fate)]) {
    check(&acme(vec![rule("desk", scope.clone(), |_| {})], vec![]), table);
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
            ("internal", call("22", "23"), RECORDED),
        ],
    );
}

#[test]
fn f03_scope_all_users_leaves_out_group_calls() {
    scope_covers(
        &word("allUsers"),
        &[
            ("directly to a user", call(OUTSIDE, "22"), RECORDED),
            ("by a user", call("25", OUTSIDE), RECORDED),
            ("by a user to a group", call("25", "500"), RECORDED),
            ("to a group", call(OUTSIDE, "500"), NOT),
            ("to a user through a group", call_through(OUTSIDE, "22", "500"), NOT),
            ("to nobody known", call(OUTSIDE, "999"), NOT),
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
            ("to neither", call(OUTSIDE, "24"), NOT),
        ],
    );
}

#[test]
fn f06_inbound_the_target_is_a_selected_groups_or_users_number() {
    scope_covers(
        &selected(&["desk"], &["paula"], false),
        &[
            ("the group", call(OUTSIDE, "500"), RECORDED),
            ("the group, and a member answers", call_through(OUTSIDE, "22", "500"), RECORDED),
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
    scope_covers(
        &selected(&["desk"], &[], true),
        &[
            ("with it", call(OUTSIDE, "22"), RECORDED),
            ("with it, not a member", call(OUTSIDE, "24"), NOT),
            ("with it, but through another group", call_through(OUTSIDE, "22", "600"), NOT),
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
fn f10_internal_calls_and_other_directions_can_be_left_out() {
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
fn f10_the_origin_says_who_began_the_call() {
    let of = |origin: &str| {
        acme(vec![rule("desk", word("all"), |spec| spec.origin = Some(origin.into()))], vec![])
    };
    for (origin, outside, inside) in
        [("both", RECORDED, RECORDED), ("external", RECORDED, NOT), ("internal", NOT, RECORDED)]
    {
        check(
            &of(origin),
            &[
                ("somebody outside", call(OUTSIDE, "22"), outside),
                ("somebody outside, to a group", call(OUTSIDE, "500"), outside),
                ("a user, to the outside", call("22", OUTSIDE), inside),
                ("a user, to a user", call("22", "23"), inside),
                ("a phone that nobody knows, says the PBX", call_as(Direction::Out, "77", OUTSIDE), inside),
            ],
        );
    }
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
        assert_eq!(decide(&resources, &facts, &RunTime::default(), noon()).direction, expected);
    }
}

#[test]
fn f11_every_identity_and_spelling_of_a_user_counts() {
    scope_covers(
        &selected(&[], &["erika"], false),
        &[
            ("the mobile", call(OUTSIDE, "+49 176 1111111"), RECORDED),
            ("as dialled abroad", call(OUTSIDE, "004970311234 22"), RECORDED),
            ("as dialled in the country", call(OUTSIDE, "07031123422"), RECORDED),
            ("without the plus", call(OUTSIDE, "4970311234 22"), RECORDED),
            ("escaped, as SIP addresses may be", call(OUTSIDE, "sip:%2B4970311234%2D22@pbx"), RECORDED),
            ("the address", call("sip:erika@acme.example", OUTSIDE), RECORDED),
            ("the extension at whatever host", call("sip:22@10.0.0.7", OUTSIDE), RECORDED),
            ("a number that only begins like it", call(OUTSIDE, "222"), NOT),
        ],
    );
}

#[test]
fn f11_a_forwarded_call_counts_as_the_users_own() {
    scope_covers(
        &selected(&[], &["erika"], false),
        &[
            ("to the mobile in the directory", call(OUTSIDE, "+49 176 1111111"), RECORDED),
            ("to elsewhere, diverted by the user", call_through(OUTSIDE, "+491769999999", "22"), RECORDED),
            ("to elsewhere, diverted by another", call_through(OUTSIDE, "+491769999999", "25"), NOT),
        ],
    );
}
