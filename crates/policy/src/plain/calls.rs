//! Which calls: directions, scope, origin, number filter, exceptions.

use std::collections::BTreeSet;

use domain::{
    Direction,
    resources::{NumberPattern, Origin, RecordingRule, Scope},
};
use fluent_bundle::FluentArgs;

use crate::plain::{
    language::{Words, arguments},
    names,
};

/// The first sentence.
pub(super) fn sentence(rule: &RecordingRule, words: &Words) -> String {
    let args = [("calls", calls(rule, words).into()), ("conditions", conditions(rule, words).into())];
    words.say_with("records", &arguments(args))
}

fn calls(rule: &RecordingRule, words: &Words) -> String {
    let directions = directions(&rule.directions);
    match &rule.scope {
        Scope::All => words.say_with("calls-all", &arguments([("directions", directions.into())])),
        Scope::AllUsers => words.say_with("calls-all-users", &arguments([("directions", directions.into())])),
        Scope::Selected { groups, users, direct_calls_to_members } => {
            let to_groups = if *direct_calls_to_members { "to-groups-and-members" } else { "to-groups" };
            let args = [
                ("directions", directions.into()),
                ("to", either((to_groups, groups), ("to-users", users), words).into()),
                ("by", either(("by-members", groups), ("by-users", users), words).into()),
            ];
            words.say_with("calls-selected", &arguments(args))
        }
    }
}

/// `in`, `in-out`, `in-out-internal` …
fn directions(directions: &BTreeSet<Direction>) -> String {
    directions.iter().map(|direction| direction.as_str()).collect::<Vec<_>>().join("-")
}

type Named<'a> = (&'static str, &'a BTreeSet<String>);

/// "to the group … or to the user …": one of both may be empty.
fn either(groups: Named<'_>, users: Named<'_>, words: &Words) -> String {
    let named = [groups, users].into_iter().filter(|(_, names)| !names.is_empty());
    let phrases = named.map(|(message, names)| words.say_with(message, &counted(names, words)));
    let joined = phrases.reduce(|first, last| {
        words.say_with("either", &arguments([("first", first.into()), ("last", last.into())]))
    });
    joined.unwrap_or_default()
}

fn counted<'a, N: AsRef<str>>(
    names: impl IntoIterator<Item = N, IntoIter: ExactSizeIterator>,
    words: &Words,
) -> FluentArgs<'a> {
    let names = names.into_iter();
    arguments([("count", names.len().into()), ("names", names::list(names, words).into())])
}

fn conditions(rule: &RecordingRule, words: &Words) -> String {
    let origin = match rule.origin {
        Origin::Both => None,
        Origin::Internal => Some(words.say("origin-internal")),
        Origin::External => Some(words.say("origin-external")),
    };
    let only = match (origin, number_filter(&rule.numbers, words)) {
        (Some(first), Some(last)) => {
            let args = [("first", first.into()), ("last", last.into())];
            Some(words.say_with("both-conditions", &arguments(args)))
        }
        (origin, numbers) => origin.or(numbers),
    };
    let lists = &rule.exception_lists;
    let except = (!lists.is_empty())
        .then(|| words.say_with("exceptions", &counted(lists.iter().map(|name| name.as_str()), words)));
    match (only, except) {
        (None, None) => String::new(),
        (Some(only), None) => words.say_with("conditions-only", &arguments([("only", only.into())])),
        (None, Some(except)) => words.say_with("conditions-except", &arguments([("except", except.into())])),
        (Some(only), Some(except)) => {
            let args = [("only", only.into()), ("except", except.into())];
            words.say_with("conditions-only-except", &arguments(args))
        }
    }
}

fn number_filter(numbers: &[NumberPattern], words: &Words) -> Option<String> {
    let entries = numbers.iter().map(|entry| match entry {
        NumberPattern::Exact(number) => names::printable(number),
        NumberPattern::Regex(regex) => {
            let pattern = names::quoted(as_written(regex.as_str()), words);
            words.say_with("number-pattern", &arguments([("pattern", pattern.into())]))
        }
    });
    let entries: Vec<_> = entries.collect();
    let said = |entries| {
        let args = [("entries", names::shortened(entries, words).into())];
        words.say_with("number-filter", &arguments(args))
    };
    (!entries.is_empty()).then(|| said(entries))
}

/// The expression as it stands in the rule: validation anchored it to the whole number.
fn as_written(expression: &str) -> &str {
    let inner = expression.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
    inner.unwrap_or(expression)
}
