//! Names within a sentence: in quotation marks, one after the other.

use crate::plain::language::{Words, arguments};

/// So many names are readable within a sentence; of more, the others are counted. Whom a rule
/// covers is listed in full elsewhere.
const SHOWN: usize = 8;

/// `name` in the quotation marks of the language.
pub(super) fn quoted(name: &str, words: &Words) -> String {
    words.say_with("quoted", &arguments([("name", printable(name).into())]))
}

/// `name` without what would move the cursor or break the line.
pub(super) fn printable(name: &str) -> String {
    name.replace(char::is_control, " ")
}

/// “a”, “b” and “c”; beyond eight, “… and 5 more”.
pub(super) fn list<N: AsRef<str>>(names: impl IntoIterator<Item = N>, words: &Words) -> String {
    shortened(names.into_iter().map(|name| quoted(name.as_ref(), words)).collect(), words)
}

/// Finished items, of which the first eight are named.
pub(super) fn shortened(mut items: Vec<String>, words: &Words) -> String {
    let more = items.len().saturating_sub(SHOWN);
    // To say "and 1 more" takes as long as to name it.
    if more < 2 {
        return all(items, words);
    }
    items.truncate(SHOWN);
    let args = [("names", comma(items, words).into()), ("count", more.into())];
    words.say_with("list-more", &arguments(args))
}

/// Finished items, all of them.
pub(super) fn all(mut items: Vec<String>, words: &Words) -> String {
    match items.pop() {
        None => String::new(),
        Some(only) if items.is_empty() => only,
        Some(last) => {
            let args = [("first", comma(items, words).into()), ("last", last.into())];
            words.say_with("list-and", &arguments(args))
        }
    }
}

fn comma(items: Vec<String>, words: &Words) -> String {
    let joined = items.into_iter().reduce(|first, next| {
        let args = [("first", first.into()), ("next", next.into())];
        words.say_with("list-comma", &arguments(args))
    });
    joined.unwrap_or_default()
}
