//! The members whom a rule covers can be listed.

use domain::resources::{RecordingRuleSpec, ScopeSpec};
use policy::{
    Member, members,
    plain::{Language, covered, no_rules},
};

use crate::firm;

fn covered_by(scope: ScopeSpec) -> Vec<Member> {
    members(&firm::rule(&RecordingRuleSpec { scope, ..RecordingRuleSpec::default() }), &firm::firm())
}

fn listed(scope: ScopeSpec) -> String {
    covered(&covered_by(scope), Language::En)
}

#[test]
fn f04_the_members_whom_a_rule_covers_can_be_listed_with_what_brings_them_in() {
    let all = "The rule covers 4 users: erika, karl, max and paula.";
    assert_eq!(listed(firm::word("all")), all);
    assert_eq!(listed(firm::word("allUsers")), all);
    assert_eq!(
        listed(firm::selected(&["desk"], &[], false)),
        "The rule covers 2 users: erika (through “desk”) and max (through “desk”)."
    );
    assert_eq!(listed(firm::selected(&[], &["karl"], false)), "The rule covers 1 user: karl.");
    assert_eq!(
        listed(firm::selected(&["desk", "sales"], &["erika", "karl"], true)),
        "The rule covers 4 users: erika (by name and through “desk”), karl, \
         max (through “desk” and “sales”) and paula (through “sales”)."
    );
}

#[test]
fn a_user_or_group_that_is_not_in_the_directory_covers_nobody() {
    let scope = firm::selected(&["nobody"], &["nobody"], true);
    assert_eq!(covered_by(scope.clone()), []);
    assert_eq!(listed(scope), "The rule covers no user.");
}

#[test]
fn the_list_is_said_in_every_language() {
    let members = covered_by(firm::selected(&["desk"], &["erika"], false));
    assert_eq!(
        covered(&members, Language::De),
        "Die Regel erfasst 2 Benutzer: erika (namentlich und über „desk“) und max (über „desk“)."
    );
    assert_eq!(
        covered(&members, Language::Fr).replace(['\u{202f}', '\u{a0}'], " "),
        "La règle concerne 2 utilisateurs : erika (nommément et par « desk ») et max (par « desk »)."
    );
    let texts = Language::ALL.map(no_rules);
    assert_eq!(texts[0], "Es gibt keine Regel: Kein Anruf wird aufgezeichnet.");
    assert_eq!(texts[1], "There is no rule: no call is recorded.");
    assert_eq!(texts[2], "Il n’y a aucune règle\u{a0}: aucun appel n’est enregistré.");
}

#[test]
fn debug_shows_no_names() {
    let members = covered_by(firm::selected(&["desk"], &[], false));
    assert!(!format!("{members:?}").contains("erika"), "{members:?}");
}
