//! Order, names and what a rule orders (F-01, F-02, F-05, F-18).

use domain::{Channels, Class, Direction, Side, StopKeys, Verdict, resources::RecordingRule};
use policy::{RunTime, decide};

use super::OUTSIDE;
use crate::acme::{NOT, RECORDED, acme, acme_with, call, call_as, check, noon, rule, word};

fn named(name: &str, order: i64, enabled: bool) -> RecordingRule {
    rule(name, word("all"), |spec| (spec.order, spec.enabled) = (order, enabled))
}

#[test]
fn f05_the_first_rule_that_matches_decides_alone() {
    for (what, rules, expected) in [
        ("by order", vec![named("a", 2, true), named("b", 1, true)], "b"),
        ("a disabled one is passed over", vec![named("a", 2, true), named("b", 1, false)], "a"),
        ("of equal order, by name", vec![named("b", 1, true), named("a", 1, true)], "a"),
    ] {
        let decision = decide(&acme(rules, vec![]), &call(OUTSIDE, "22"), &RunTime::default(), noon());
        assert_eq!(decision.recorded().unwrap().rule.as_str(), expected, "{what}");
    }
}

#[test]
fn f18_no_rule_no_recording() {
    let reason = |rules| {
        let decision = decide(&acme(rules, vec![]), &call(OUTSIDE, "22"), &RunTime::default(), noon());
        match decision.verdict {
            Verdict::DoNotRecord(not) => not.reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason(vec![]), "there is no rule");
    assert_eq!(reason(vec![named("a", 1, false)]), "no rule matches");
}

#[test]
fn f01_a_disabled_rule_records_nothing() {
    check(&acme(vec![named("a", 1, true)], vec![]), &[("enabled", call(OUTSIDE, "22"), RECORDED)]);
    check(&acme(vec![named("a", 1, false)], vec![]), &[("disabled", call(OUTSIDE, "22"), NOT)]);
}

#[test]
fn f02_a_decision_carries_what_its_rule_orders() {
    let rules = vec![rule("desk", word("all"), |spec| {
        spec.channels = Some("callerOnly".into());
        spec.targets = vec!["archive".into(), "copy".into()];
    })];
    let decision = decide(&acme(rules, vec![]), &call(OUTSIDE, "22"), &RunTime::default(), noon());
    let recorded = decision.recorded().unwrap();
    assert_eq!((recorded.class, recorded.channels), (Class::Regulated, Channels::CallerOnly));
    let names = |names: &[domain::ResourceName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&recorded.targets), ["archive", "copy"]);
    assert_eq!(names(&recorded.journals), ["main"]);
    assert_eq!(recorded.consent, None);
}

#[test]
fn f32_only_who_surely_is_the_tenants_own_can_stop_by_keys() {
    let rules = || vec![named("all", 0, true)];
    let stop_keys = |resources, facts| {
        decide(&resources, &facts, &RunTime::default(), noon()).recorded().unwrap().stop_keys.clone()
    };
    for (what, facts, sides) in [
        ("inbound the callee", call(OUTSIDE, "22"), vec![Side::Callee]),
        ("inbound the group", call(OUTSIDE, "500"), vec![Side::Callee]),
        ("outbound the caller", call("22", OUTSIDE), vec![Side::Caller]),
        (
            "internal as the PBX says both",
            call_as(Direction::Internal, "22", "23"),
            vec![Side::Caller, Side::Callee],
        ),
        ("a caller who shows one of our numbers may be anybody", call("22", "23"), vec![Side::Callee]),
        ("and is outside if the PBX says so", call_as(Direction::In, "22", "23"), vec![Side::Callee]),
        ("inbound, transferred to the outside", call_as(Direction::In, OUTSIDE, OUTSIDE), vec![]),
        ("outbound, transferred to the outside", call_as(Direction::Out, OUTSIDE, OUTSIDE), vec![]),
        (
            "internal, transferred to the outside",
            call_as(Direction::Internal, "22", OUTSIDE),
            vec![Side::Caller],
        ),
        ("two strangers", call(OUTSIDE, OUTSIDE), vec![]),
    ] {
        let expected = StopKeys { code: "*1".into(), sides, in_band: false };
        assert_eq!(stop_keys(acme(rules(), vec![]), facts), Some(expected), "{what}");
    }
    let off = acme_with(|tenant| tenant.stop_code = Some(String::new()), rules(), vec![]);
    assert_eq!(stop_keys(off, call(OUTSIDE, "22")), None);
    let other = |tenant: &mut domain::resources::TenantSpec| {
        (tenant.stop_code, tenant.in_band_keys) = (Some("##9".into()), true);
    };
    let keys = stop_keys(acme_with(other, rules(), vec![]), call(OUTSIDE, "22")).unwrap();
    assert_eq!((keys.code.as_str(), keys.in_band), ("##9", true));
}
