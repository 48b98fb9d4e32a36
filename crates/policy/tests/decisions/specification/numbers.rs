//! Stars, filters and exceptions (F-13, F-14, F-15).

use domain::{Class, Direction, resources::RecordingRuleSpec};
use policy::{RunTime, decide};

use super::OUTSIDE;
use crate::acme::{
    ASKED, NOT, RECORDED, acme, acme_with, asks, call, call_as, check, fate, list, noon, number, pattern,
    rule, with_outside_line, word,
};

#[test]
fn f13_numbers_with_a_star_are_never_recorded() {
    check(
        &acme(vec![rule("all", word("all"), |_| {})], vec![]),
        &[
            ("called", call("22", "*21*500#"), NOT),
            ("called, escaped", call("22", "sip:%2A21%23@pbx"), NOT),
            ("called, escaped in small letters", call("22", "%2a21"), NOT),
            ("calling", call("*22", "500"), NOT),
            ("without a star", call("22", "500"), RECORDED),
        ],
    );
}

#[test]
fn f14_a_number_filter_looks_at_the_outside_number() {
    let numbers = vec![number("0221 98765"), pattern("\\+33.*")];
    check(
        &acme(vec![rule("desk", word("all"), |spec| spec.numbers = numbers)], vec![]),
        &[
            ("in, from that number", call(OUTSIDE, "22"), RECORDED),
            ("out, to that number", call("22", "022198765"), RECORDED),
            ("out, by the pattern", call("22", "003312345678"), RECORDED),
            ("another number", call("+4922198766", "22"), NOT),
            ("no number", call("", "22"), NOT),
        ],
    );
}

fn with_lists(spec: &mut RecordingRuleSpec) {
    spec.exception_lists = vec!["council".into(), "private".into()];
}

#[test]
fn f15_exceptions_are_tested_inbound_by_the_caller_and_outbound_by_the_callee() {
    let lists = vec![
        list("council", vec![number("+4922198765"), number("25")]),
        list("private", vec![pattern("\\+49176.*"), pattern("0800[0-9]+")]),
    ];
    check(
        &acme(vec![rule("desk", word("all"), with_lists)], lists),
        &[
            ("in, caller on the first list", call(OUTSIDE, "22"), NOT),
            ("in, caller on the second list", call("0176 2222222", "22"), NOT),
            ("in, caller by an address", call("sip:+4922198765@carrier", "22"), NOT),
            ("out, callee on a list", call("22", "0221 98765"), NOT),
            ("out, by an expression for the number as it is dialled", call("22", "08001234567"), NOT),
            ("in, only the callee is on a list", call("+4930123456", "25"), RECORDED),
            ("out, only the caller is on a list", call("25", "+4930123456"), RECORDED),
            ("internal, the callee is on a list", call("22", "25"), NOT),
            ("internal, the caller is on a list", call("25", "22"), NOT),
            ("nobody is", call("+4930123456", "22"), RECORDED),
        ],
    );
}

#[test]
fn f15_a_number_behind_an_outside_line_is_the_same_number() {
    let lists =
        vec![list("council", vec![number("+4922198765")]), list("private", vec![number("07031 98765")])];
    check(
        &acme_with(with_outside_line, vec![rule("desk", word("all"), with_lists)], lists),
        &[
            ("dialled with a 0 before it", call("22", "0 0221 98765"), NOT),
            ("dialled without the area code", call("22", "0 98765"), NOT),
            ("reported with country code", call("22", "+4922198765"), NOT),
            ("another number", call("22", "0 0221 98766"), RECORDED),
            ("inbound nothing is before it", call("0221 98765", "22"), NOT),
            ("the PBX says out, the caller is not known", call_as(Direction::Out, "77", "0022198765"), NOT),
        ],
    );
}

#[test]
fn f15_a_list_counts_only_for_rules_that_select_it() {
    let first = rule("a", word("all"), |spec| spec.exception_lists = vec!["council".into()]);
    let second = rule("b", word("all"), asks("optIn", "consentCall"));
    let resources = acme(vec![first, second], vec![list("council", vec![number(OUTSIDE)])]);
    let decision = decide(&resources, &call(OUTSIDE, "22"), &RunTime::default(), noon());
    assert_eq!(fate(&decision.verdict), ASKED);
    let decision = decide(&resources, &call("+4930123456", "22"), &RunTime::default(), noon());
    assert_eq!(decision.recorded().unwrap().class, Class::Regulated);
}
