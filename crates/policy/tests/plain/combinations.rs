//! Every combination of what changes the wording, by what must hold of every sentence.

use std::collections::HashMap;

use domain::resources::{RecordingRuleSpec, ScopeSpec};
use policy::plain::{Language, sentence};

use crate::firm;

pub const DIRECTIONS: [&[&str]; 7] = [
    &["in"],
    &["out"],
    &["internal"],
    &["in", "out"],
    &["in", "internal"],
    &["out", "internal"],
    &["in", "out", "internal"],
];

const MODES: [&str; 3] = ["optIn", "optOut", "noChoice"];
const ASKED_BY: [&str; 3] = ["consentCall", "recordedCall", "pbx"];
const CHANNELS: [&str; 4] = ["stereo", "separate", "callerOnly", "calleeOnly"];

fn scopes() -> [ScopeSpec; 6] {
    [
        firm::word("all"),
        firm::word("allUsers"),
        firm::selected(&["desk"], &[], false),
        firm::selected(&["desk"], &[], true),
        firm::selected(&[], &["erika"], false),
        firm::selected(&["desk", "sales"], &["erika", "karl"], true),
    ]
}

/// Whose calls, which ones: 6 scopes (two of them with direct calls) × 7 directions × 3 origins ×
/// filter × exceptions.
fn calls() -> Vec<RecordingRuleSpec> {
    let mut rules = Vec::new();
    for scope in scopes() {
        for directions in DIRECTIONS {
            // Without calls that come in, direct calls to members make no difference.
            if directions == ["out"] && matches!(&scope, ScopeSpec::Selected(s) if s.direct_calls_to_members)
            {
                continue;
            }
            for origin in ["both", "internal", "external"] {
                for (filter, exceptions) in [(false, false), (false, true), (true, false), (true, true)] {
                    rules.push(RecordingRuleSpec {
                        scope: scope.clone(),
                        directions: Some(firm::texts(directions)),
                        origin: Some(origin.into()),
                        numbers: filter.then(|| firm::number("+4970311234")).into_iter().collect(),
                        exception_lists: exceptions.then(|| "never".into()).into_iter().collect(),
                        ..RecordingRuleSpec::default()
                    });
                }
            }
        }
    }
    rules
}

/// On which basis and how kept: legal duty, or 3 modes × 3 ways to ask; × 4 channels × manual.
fn variants_of(rule: &RecordingRuleSpec) -> Vec<RecordingRuleSpec> {
    let mut bases = vec![rule.clone()];
    for mode in MODES {
        for asked_by in ASKED_BY {
            let mut asking = rule.clone();
            firm::asking(&mut asking, mode, asked_by);
            bases.push(asking);
        }
    }
    let mut variants = Vec::new();
    for basis in bases {
        for channels in CHANNELS {
            for manual in [false, true] {
                variants.push(RecordingRuleSpec {
                    channels: Some(channels.into()),
                    manual_recording: manual.then(firm::manual),
                    ..basis.clone()
                });
            }
        }
    }
    variants
}

/// What is wrong with a text as a text.
fn flaw(text: &str) -> Option<&'static str> {
    let narrow = |c: char| matches!(c, '\u{202f}' | '\u{a0}');
    let before = |marks: [char; 2]| {
        let chars: Vec<char> = text.chars().collect();
        chars.windows(2).any(|pair| pair[0].is_whitespace() && !narrow(pair[0]) && marks.contains(&pair[1]))
    };
    let flaws = [
        (text.contains(['{', '}', '$']), "an unresolved variable"),
        (text.contains("  "), "two spaces"),
        (text.contains('\n'), "a line break"),
        (text.trim() != text, "space around it"),
        (!text.ends_with('.'), "no full stop at its end"),
        (text.contains(".."), "two full stops"),
        (before(['.', ',']), "a space before a full stop or comma"),
        (text.contains(",,") || text.contains(", ,"), "two commas"),
        (!text.starts_with(char::is_uppercase), "no capital at its beginning"),
        (text.matches('(').count() != text.matches(')').count(), "parentheses that do not match"),
    ];
    flaws.into_iter().find(|(wrong, _)| *wrong).map(|(_, what)| what)
}

fn every_combination_reads_well_and_differs(language: Language) {
    let firm = firm::firm();
    let mut seen: HashMap<String, RecordingRuleSpec> = HashMap::new();
    for calls in calls() {
        for spec in variants_of(&calls) {
            let text = sentence(&firm::rule(&spec), &firm, language);
            assert_eq!(flaw(&text), None, "{text}");
            if let Some(other) = seen.insert(text.clone(), spec.clone()) {
                panic!("one text for two rules, {other:?} and {spec:?}: {text}");
            }
        }
    }
    assert_eq!(seen.len(), (6 * 7 - 2) * 3 * 4 * 10 * 4 * 2);
}

#[test]
fn f04_every_combination_reads_well_and_differs_in_german() {
    every_combination_reads_well_and_differs(Language::De);
}

#[test]
fn f04_every_combination_reads_well_and_differs_in_english() {
    every_combination_reads_well_and_differs(Language::En);
}

#[test]
fn f04_every_combination_reads_well_and_differs_in_french() {
    every_combination_reads_well_and_differs(Language::Fr);
}

#[test]
fn every_detail_of_asking_and_storing_changes_the_sentence() {
    let firm = firm::firm();
    let mut base = RecordingRuleSpec::default();
    firm::asking(&mut base, "optIn", "consentCall");
    let mut rules = vec![base.clone()];
    let mut add = |change: &dyn Fn(&mut RecordingRuleSpec)| {
        let mut changed = base.clone();
        change(&mut changed);
        rules.push(changed);
    };
    for key in ["5", "6", "*", "#"] {
        add(&|rule| rule.consent.as_mut().unwrap().key = Some(key.into()));
    }
    for seconds in [1, 10] {
        add(&|rule| rule.consent.as_mut().unwrap().seconds = Some(seconds));
    }
    add(&|rule| rule.consent.as_mut().unwrap().announcements.granted = Some("yes".into()));
    add(&|rule| rule.consent.as_mut().unwrap().announcements.denied = Some("no".into()));
    add(&|rule| {
        let outcome = &mut rule.consent.as_mut().unwrap().announcements;
        (outcome.granted, outcome.denied) = (Some("yes".into()), Some("no".into()));
    });
    add(&|rule| rule.announcements.inbound = Some("other".into()));
    add(&|rule| rule.announcements.outbound = Some("other".into()));
    add(&|rule| rule.announcements.heard_by = Some("both".into()));
    add(&|rule| rule.enabled = false);
    for targets in [&["archive"][..], &["archive", "copy"], &["archive", "copy", "third"]] {
        add(&|rule| rule.targets = firm::texts(targets));
        add(&|rule| rule.journals = firm::texts(targets));
        add(&|rule| rule.exception_lists = firm::texts(targets));
    }
    add(&|rule| rule.numbers = vec![firm::number("1")]);
    add(&|rule| rule.numbers = vec![firm::pattern("1")]);
    add(&|rule| rule.numbers = vec![firm::number("1"), firm::number("2")]);
    for channels in [None, Some("separate".to_owned())] {
        add(&|rule| {
            rule.manual_recording =
                Some(domain::resources::ManualRecordingSpec { channels: channels.clone(), ..firm::manual() })
        });
    }
    for language in Language::ALL {
        let mut seen = HashMap::new();
        for spec in &rules {
            let text = sentence(&firm::rule(spec), &firm, language);
            assert_eq!(flaw(&text), None, "{text}");
            if let Some(other) = seen.insert(text.clone(), spec) {
                panic!("one text for two rules, {other:?} and {spec:?}: {text}");
            }
        }
    }
}

#[test]
fn long_lists_are_cut_within_the_sentence() {
    let firm = firm::firm();
    let users: Vec<String> = (10..30).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let text = |count: usize, language| {
        let scope = firm::selected(&[], &users[..count], false);
        sentence(&firm::rule(&RecordingRuleSpec { scope, ..RecordingRuleSpec::default() }), &firm, language)
    };
    assert!(text(9, Language::En).contains("“user17” and “user18”,"));
    assert!(text(10, Language::En).contains("“user17” and 2 more,"));
    assert!(text(20, Language::De).contains("„user17“ und 12 weitere"));
    assert!(text(20, Language::Fr).contains("«\u{202f}user17\u{202f}» et 12 autres"));
}

#[test]
fn a_name_cannot_break_the_line_nor_write_a_message() {
    let firm = firm::firm();
    let scope = firm::selected(&[], &["er\u{1b}[2Jika\n{ $calls }"], false);
    let rule = firm::rule(&RecordingRuleSpec { scope, ..RecordingRuleSpec::default() });
    let text = sentence(&rule, &firm, Language::En);
    assert!(text.contains("“er [2Jika { $calls }”"), "{text}");
}
