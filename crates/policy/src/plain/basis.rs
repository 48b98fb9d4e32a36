//! On which basis, and with whose consent: profile, consent, announcements.

use domain::{
    AskedBy, ConsentMode, Direction,
    resources::{ConsentTerms, HeardBy, RecordingRule, Tenant},
};
use fluent_bundle::FluentArgs;

use crate::plain::{
    language::{Words, arguments},
    names,
};

/// The sentences about the basis: what it is, then what else is heard.
pub(super) fn sentences(rule: &RecordingRule, tenant: &Tenant, words: &Words) -> Vec<String> {
    let Some(terms) = &rule.consent else {
        let stop_code = tenant.stop_code.as_deref().unwrap_or("none");
        let duty = words.say_with("legal-duty", &arguments([("stop-code", stop_code.into())]));
        return [Some(duty), heard(rule, words)].into_iter().flatten().collect();
    };
    let message = match terms.mode {
        ConsentMode::OptIn => "consent-opt-in",
        ConsentMode::OptOut => "consent-opt-out",
        ConsentMode::NoChoice => "consent-no-choice",
    };
    let mut sentences = vec![words.say_with(message, &asking(rule, terms, words))];
    let announced = rule.announcements.inbound.is_some() || rule.announcements.outbound.is_some();
    if announced && rule.announcements.heard_by == HeardBy::Both {
        sentences.push(words.say("heard-by-both"));
    }
    sentences.extend(outcome(terms, words));
    sentences
}

/// Announcements that are no question.
fn heard(rule: &RecordingRule, words: &Words) -> Option<String> {
    let mut args = announced(rule, words);
    if args.get("announced") == Some(&"none".into()) {
        return None;
    }
    let (inbound, internal) =
        (rule.directions.contains(&Direction::In), rule.directions.contains(&Direction::Internal));
    let incoming = match (inbound, internal) {
        (true, true) => "in-internal",
        (false, true) => "internal",
        _ => "in",
    };
    args.set("incoming", incoming);
    args.set("heard-by", rule.announcements.heard_by.as_str());
    Some(words.say_with("heard", &args))
}

/// The rule's announcements: `announced` says which there are.
fn announced(rule: &RecordingRule, words: &Words) -> FluentArgs<'static> {
    let quoted = |direction| {
        let name = rule.announcements.of(direction);
        name.map(|name| names::quoted(name.as_str(), words))
    };
    let (inbound, outbound) = (quoted(Direction::In), quoted(Direction::Out));
    let announced = match (&inbound, &outbound) {
        (Some(_), Some(_)) => "in-out",
        (Some(_), None) => "in",
        (None, Some(_)) => "out",
        (None, None) => "none",
    };
    arguments([
        ("announced", announced.into()),
        ("inbound", inbound.unwrap_or_default().into()),
        ("outbound", outbound.unwrap_or_default().into()),
    ])
}

/// How consent is asked for.
fn asking(rule: &RecordingRule, terms: &ConsentTerms, words: &Words) -> FluentArgs<'static> {
    let mut args = announced(rule, words);
    // Asked twice by the same announcement is asked by one.
    if rule.announcements.inbound == rule.announcements.outbound && rule.announcements.inbound.is_some() {
        args.set("announced", "in");
    }
    args.set(
        "asked-by",
        match terms.asked_by {
            AskedBy::ConsentCall => "consent-call",
            AskedBy::RecordedCall => "recorded-call",
            AskedBy::Pbx => "pbx",
        },
    );
    args.set("asked", asked(rule));
    let key = match terms.key {
        None => "any",
        Some('*') => "star",
        Some('#') => "hash",
        Some(_) => "digit",
    };
    args.set("key", key);
    args.set("digit", terms.key.map(String::from).unwrap_or_default());
    args.set("seconds", terms.window.as_secs());
    args
}

/// Who is asked: the outside party, which is the caller of an inbound call and the callee of an
/// outbound one; internally the caller.
fn asked(rule: &RecordingRule) -> &'static str {
    let covers = |direction| rule.directions.contains(&direction);
    match (covers(Direction::In), covers(Direction::Out), covers(Direction::Internal)) {
        (_, false, _) => "caller",
        (false, true, false) => "callee",
        (true, true, false) => "outside",
        (_, true, true) => "outside-or-caller",
    }
}

fn outcome(terms: &ConsentTerms, words: &Words) -> Option<String> {
    let quoted =
        |name: &Option<domain::ResourceName>| name.as_ref().map(|name| names::quoted(name.as_str(), words));
    let (granted, denied) = (quoted(&terms.granted), quoted(&terms.denied));
    let message = match (&granted, &denied) {
        (Some(_), Some(_)) => "outcome-both",
        (Some(_), None) => "outcome-granted",
        (None, Some(_)) => "outcome-denied",
        (None, None) => return None,
    };
    let args =
        [("granted", granted.unwrap_or_default().into()), ("denied", denied.unwrap_or_default().into())];
    Some(words.say_with(message, &arguments(args)))
}
