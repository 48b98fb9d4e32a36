//! Profile consent: nothing is kept before it (F-18, F-20 … F-24).

use domain::{
    AskedBy, Class, ConsentAsked,
    ConsentMode::{NoChoice, OptIn, OptOut},
    ConsentOutcome::{Denied, Granted, NoAnswer},
    Side, StopKeys, Verdict,
    resources::TenantResources,
};
use policy::{Policy, RunTime, decide};

use super::OUTSIDE;
use crate::acme::{
    ASKED, Fate, NOT, RECORDED, acme, answered, asks, call, check_one, check_states, noon, rule, word,
};

fn asking(mode: &str, asked_by: &str) -> TenantResources {
    acme(vec![rule("desk", word("all"), asks(mode, asked_by))], vec![])
}

fn fate_of(mode: &str, asked_by: &str, table: &[(&str, RunTime, Fate)]) {
    let policy = Policy::new(&asking(mode, asked_by));
    for (what, state, expected) in table {
        check_one(&policy, what, &call(OUTSIDE, "22"), state, *expected);
    }
}

#[test]
fn f20_opt_in_records_only_who_agreed() {
    for asked_by in ["consentCall", "recordedCall", "pbx"] {
        fate_of(
            "optIn",
            asked_by,
            &[
                ("not asked yet", RunTime::default(), ASKED),
                ("agreed", answered(OptIn, Granted), RECORDED),
                ("refused", answered(OptIn, Denied), NOT),
                ("no key in time (F-22)", answered(OptIn, NoAnswer), NOT),
            ],
        );
    }
}

#[test]
fn f20_opt_out_records_all_but_who_refused() {
    for asked_by in ["consentCall", "recordedCall", "pbx"] {
        fate_of(
            "optOut",
            asked_by,
            &[
                ("not asked yet", RunTime::default(), ASKED),
                ("agreed", answered(OptOut, Granted), RECORDED),
                ("refused", answered(OptOut, Denied), NOT),
                ("no key in time (F-22)", answered(OptOut, NoAnswer), RECORDED),
            ],
        );
    }
}

#[test]
fn f22_with_no_choice_the_announcement_has_to_be_heard_and_nothing_else() {
    for asked_by in ["consentCall", "recordedCall"] {
        fate_of(
            "noChoice",
            asked_by,
            &[
                ("not heard yet", RunTime::default(), ASKED),
                ("heard", answered(NoChoice, NoAnswer), RECORDED),
            ],
        );
    }
    fate_of("noChoice", "pbx", &[("the PBX sees to it", RunTime::default(), RECORDED)]);
}

#[test]
fn an_answer_to_another_question_permits_no_more_than_both() {
    fate_of("optIn", "pbx", &[("silence to an opt-out", answered(OptOut, NoAnswer), NOT)]);
    fate_of("optOut", "pbx", &[("silence to an opt-in", answered(OptIn, NoAnswer), NOT)]);
    fate_of("noChoice", "pbx", &[("who refused an opt-in", answered(OptIn, Denied), NOT)]);
    fate_of("optOut", "pbx", &[("who agreed to an opt-in", answered(OptIn, Granted), RECORDED)]);
}

#[test]
fn f18_legal_duty_asks_nobody() {
    let resources = acme(vec![rule("desk", word("all"), |_| {})], vec![]);
    check_states(
        &resources,
        &[
            ("not asked", call(OUTSIDE, "22"), RunTime::default(), RECORDED),
            ("refused", call(OUTSIDE, "22"), answered(OptIn, Denied), RECORDED),
        ],
    );
}

fn asked(resources: &TenantResources, facts: &domain::CallFacts) -> ConsentAsked {
    match decide(resources, facts, &RunTime::default(), noon()).verdict {
        Verdict::AskConsent(asked) => *asked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_outside_party_is_asked_by_the_announcement_of_the_direction() {
    let resources = asking("optIn", "recordedCall");
    for (what, facts, side, announcement, stops) in [
        ("in", call(OUTSIDE, "22"), Side::Caller, "welcome", vec![Side::Callee]),
        ("out", call("22", OUTSIDE), Side::Callee, "calling", vec![Side::Caller]),
        ("internal", call("22", "23"), Side::Caller, "welcome", vec![Side::Callee]),
    ] {
        let asked = asked(&resources, &facts);
        assert_eq!((asked.asked_side, asked.asked_by), (side, AskedBy::RecordedCall), "{what}");
        let played = asked.announcement.unwrap();
        assert_eq!(played.name.as_str(), announcement, "{what}");
        let seconds = if announcement == "welcome" { 4 } else { 3 };
        assert_eq!(played.duration_ms, seconds * 1_000, "{what}");
        assert_eq!(played.sha256, format!("{seconds:02}").repeat(32), "{what}");
        let stop_keys = StopKeys { code: "*1".into(), sides: stops, in_band: false };
        assert_eq!(asked.recorded.stop_keys, Some(stop_keys), "{what}");
    }
}

#[test]
fn f21_key_and_time_are_those_of_the_rule() {
    let defaults = asked(&asking("optIn", "consentCall"), &call(OUTSIDE, "22"));
    assert_eq!((defaults.mode, defaults.key, defaults.window_ms), (OptIn, None, 5_000));
    let rules = vec![rule("desk", word("all"), |spec| {
        asks("optOut", "consentCall")(spec);
        let consent = spec.consent.as_mut().unwrap();
        (consent.key, consent.seconds) = (Some("5".into()), Some(9));
    })];
    let own = asked(&acme(rules, vec![]), &call(OUTSIDE, "22"));
    assert_eq!((own.mode, own.key, own.window_ms), (OptOut, Some('5'), 9_000));
    assert_eq!((own.recorded.class, own.recorded.consent), (Class::Consent, None));
}

#[test]
fn f24_a_recording_with_consent_carries_the_proof() {
    let state = answered(OptIn, Granted);
    let decision = decide(&asking("optIn", "consentCall"), &call(OUTSIDE, "22"), &state, noon());
    let recorded = decision.recorded().unwrap();
    assert_eq!(recorded.class, Class::Consent);
    assert_eq!(recorded.consent, state.consent);
}

#[test]
fn who_asks_why_there_is_no_recording_gets_an_answer() {
    let reason = |outcome| {
        let state = answered(OptIn, outcome);
        match decide(&asking("optIn", "consentCall"), &call(OUTSIDE, "22"), &state, noon()).verdict {
            Verdict::DoNotRecord(not) => not.reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason(Denied), "consent was denied (rule desk)");
    assert_eq!(reason(NoAnswer), "no answer was given in time, so there is no consent (rule desk)");
}
