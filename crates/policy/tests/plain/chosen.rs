//! Chosen rules, word by word: the texts that administrators and lawyers read. `…` stands for
//! sentences that say the same as the first one's.

use domain::resources::{ManualRecordingSpec, RecordingRuleSpec, TenantResources};
use policy::plain::{Language, sentence};

use crate::firm;

type Change = Box<dyn Fn(&mut RecordingRuleSpec)>;

/// What the rule is, in a few words, and how it comes out of one that records all calls by legal
/// duty.
fn chosen() -> Vec<(String, Change)> {
    let mut rules = calls();
    rules.extend(conditions());
    rules.extend(consent());
    rules.extend(other());
    rules
}

fn change(title: &str, change: impl Fn(&mut RecordingRuleSpec) + 'static) -> (String, Change) {
    (title.to_owned(), Box::new(change))
}

fn calls() -> Vec<(String, Change)> {
    let scopes = [
        ("all", firm::word("all")),
        ("all users", firm::word("allUsers")),
        ("a group", firm::selected(&["desk"], &[], false)),
        ("a group with direct calls", firm::selected(&["desk"], &[], true)),
        ("a user", firm::selected(&[], &["erika"], false)),
        ("groups and users", firm::selected(&["desk", "sales"], &["erika", "karl"], true)),
    ];
    let mut rules = Vec::new();
    for (title, scope) in scopes {
        for directions in crate::combinations::DIRECTIONS {
            // Of groups without direct calls, those where they make the difference.
            if title == "a group" && !directions.contains(&"in") {
                continue;
            }
            let scope = scope.clone();
            rules.push(change(&format!("{title}: {}", directions.join(", ")), move |rule| {
                rule.scope = scope.clone();
                rule.directions = Some(firm::texts(directions));
            }));
        }
    }
    rules
}

fn conditions() -> Vec<(String, Change)> {
    vec![
        change("origin internal", |rule| rule.origin = Some("internal".into())),
        change("origin external", |rule| rule.origin = Some("external".into())),
        change("one number", |rule| rule.numbers = vec![firm::number("+4970311234")]),
        change("numbers and a pattern", |rule| {
            rule.numbers = vec![firm::number("+4970311234"), firm::number("25"), firm::pattern(r"\+4980.*")];
        }),
        change("an exception list", |rule| rule.exception_lists = firm::texts(&["never"])),
        change("everything at once", |rule| {
            rule.origin = Some("external".into());
            rule.numbers = vec![firm::pattern(r"\+41.*")];
            rule.exception_lists = firm::texts(&["never", "works-council", "help-lines"]);
        }),
    ]
}

fn consent() -> Vec<(String, Change)> {
    let mut rules = Vec::new();
    for mode in ["optIn", "optOut", "noChoice"] {
        for asked_by in ["consentCall", "recordedCall", "pbx"] {
            rules.push(change(&format!("{mode}, {asked_by}, inbound"), move |rule| {
                rule.directions = Some(firm::texts(&["in"]));
                firm::asking(rule, mode, asked_by);
                if asked_by == "pbx" {
                    rule.announcements.inbound = None;
                }
            }));
        }
    }
    let asked = |title: &str, directions: &'static [&'static str], mode: &'static str| {
        change(title, move |rule| {
            rule.directions = Some(firm::texts(directions));
            firm::asking(rule, mode, "consentCall");
        })
    };
    rules.extend([
        asked("optIn asks the called party", &["out"], "optIn"),
        asked("optOut asks the outside party", &["in", "out"], "optOut"),
        asked("noChoice informs the outside party or the caller", &["in", "out", "internal"], "noChoice"),
        change("optIn in the recorded call, every direction", |rule| {
            firm::asking(rule, "optIn", "recordedCall");
        }),
        change("optOut by the PBX with announcements, every direction", |rule| {
            firm::asking(rule, "optOut", "pbx");
        }),
        change("optIn with star, one second, both sides, outcome", |rule| {
            rule.directions = Some(firm::texts(&["in"]));
            firm::asking(rule, "optIn", "consentCall");
            rule.announcements.heard_by = Some("both".into());
            let consent = rule.consent.as_mut().unwrap();
            (consent.key, consent.seconds) = (Some("*".into()), Some(1));
            consent.announcements.granted = Some("thanks".into());
            consent.announcements.denied = Some("as-you-like".into());
        }),
        change("optOut with key 5, ten seconds, refusal announced", |rule| {
            rule.directions = Some(firm::texts(&["in"]));
            firm::asking(rule, "optOut", "consentCall");
            let consent = rule.consent.as_mut().unwrap();
            (consent.key, consent.seconds) = (Some("5".into()), Some(10));
            consent.announcements.denied = Some("as-you-like".into());
        }),
        change("optOut with hash, consent announced", |rule| {
            rule.directions = Some(firm::texts(&["in"]));
            firm::asking(rule, "optOut", "consentCall");
            let consent = rule.consent.as_mut().unwrap();
            consent.key = Some("#".into());
            consent.announcements.granted = Some("thanks".into());
        }),
    ]);
    rules
}

fn other() -> Vec<(String, Change)> {
    let heard = |title: &str, directions: &'static [&'static str], heard_by: &'static str| {
        change(title, move |rule| {
            rule.directions = Some(firm::texts(directions));
            rule.announcements = firm::announcements(rule);
            rule.announcements.heard_by = Some(heard_by.into());
        })
    };
    vec![
        heard("legal duty, the caller hears", &["in", "out"], "caller"),
        heard("legal duty, both hear", &["in", "out", "internal"], "both"),
        heard("legal duty, outbound announcement", &["out"], "caller"),
        heard("legal duty, internal announcement", &["internal"], "both"),
        change("separate, one target, one journal", |rule| {
            rule.channels = Some("separate".into());
            rule.targets = firm::texts(&["archive"]);
            rule.journals = firm::texts(&["main"]);
        }),
        change("caller alone, two targets, three journals", |rule| {
            rule.channels = Some("callerOnly".into());
            rule.targets = firm::texts(&["archive", "copy"]);
            rule.journals = firm::texts(&["main", "second", "third"]);
        }),
        change("callee alone, a target and no journal", |rule| {
            rule.channels = Some("calleeOnly".into());
            rule.targets = firm::texts(&["archive"]);
        }),
        change("manual recording", |rule| {
            rule.manual_recording = Some(ManualRecordingSpec {
                journals: firm::texts(&["notes"]),
                channels: Some("separate".into()),
                ..firm::manual()
            });
        }),
        change("disabled", |rule| rule.enabled = false),
    ]
}

/// All chosen rules, each with its sentences.
fn read(firm: &TenantResources, language: Language) -> String {
    let said = |change: &Change| {
        let mut spec = RecordingRuleSpec::default();
        change(&mut spec);
        sentence(&firm::rule(&spec), firm, language)
    };
    let (first, further): (Change, _) = (Box::new(|_| ()), chosen());
    let usual = said(&first);
    let ends: Vec<usize> = usual.match_indices(". ").map(|(at, _)| at + 1).collect();
    let [what, duty] = ends[..] else { panic!("three sentences are expected: {usual}") };
    let [what, duty, kept] = [&usual[..what], &usual[what + 1..duty], &usual[duty + 1..]];

    let mut text = format!("the usual one\n  {usual}\n");
    for (title, change) in &further {
        let mut said = said(change);
        for usual in [what, duty, kept] {
            said = said.replace(usual, "…");
        }
        text.push_str(&format!("\n{title}\n  {}\n", said.replace("… …", "…")));
    }
    text
}

#[test]
fn f04_chosen_rules_in_german() {
    insta::assert_snapshot!("german", read(&firm::firm(), Language::De));
}

#[test]
fn f04_chosen_rules_in_english() {
    insta::assert_snapshot!("english", read(&firm::firm(), Language::En));
}

#[test]
fn f04_chosen_rules_in_french() {
    insta::assert_snapshot!("french", read(&firm::firm(), Language::Fr));
}

#[test]
fn a_tenant_whose_keys_stop_nothing_is_not_told_to_dial_any() {
    let mut firm = firm::firm();
    firm.tenant.stop_code = None;
    let rule = firm::rule(&RecordingRuleSpec::default());
    let said = Language::ALL.map(|language| sentence(&rule, &firm, language));
    assert!(said[0].contains("eigene Benutzer können sie vorzeitig beenden"), "{}", said[0]);
    assert!(said[1].contains("can end it early, which"), "{}", said[1]);
    assert!(said[2].contains("avant la fin de l’appel, ce qui"), "{}", said[2]);
}
