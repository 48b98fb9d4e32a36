//! What a rule does, in plain language: a few sentences made from the rule itself (F-04).
//!
//! ```text
//! which calls · on which basis, with whose consent · what is kept, and where · by hand
//! ```
//! The wording lives in `de.ftl`, `en.ftl` and `fr.ftl` (Fluent: plural, case and agreement belong
//! to the language); code only chooses. Sentences hold names of people, and numbers of number
//! filters: they are for the administrator's own screen, never for a log, an event or an error.

mod basis;
mod calls;
mod language;
mod members;
mod names;
mod storage;

use domain::resources::{RecordingRule, TenantResources};
pub use language::{Language, UnknownLanguage};
pub use members::{Member, Through, members};

use crate::plain::language::{Words, arguments};

/// What `rule` does, in two to five sentences. Holds names and numbers of people: not for logs.
pub fn sentence(rule: &RecordingRule, resources: &TenantResources, language: Language) -> String {
    let words = language.words();
    let mut sentences = Vec::new();
    if !rule.enabled {
        sentences.push(words.say("disabled"));
    }
    sentences.push(calls::sentence(rule, words));
    sentences.extend(basis::sentences(rule, &resources.tenant, words));
    sentences.push(storage::sentence(rule, words));
    sentences.extend(storage::manual_sentence(rule, words));
    sentences.join(" ")
}

/// The users whom [`members`] found, in a sentence. Holds names of people: not for logs.
pub fn covered(members: &[Member], language: Language) -> String {
    let words = language.words();
    if members.is_empty() {
        return words.say("covers-nobody");
    }
    let each = members.iter().map(|member| member_in_words(member, words)).collect();
    let args = [("count", members.len().into()), ("members", names::all(each, words).into())];
    words.say_with("covers", &arguments(args))
}

/// What is said of a tenant without any rule (F-18).
pub fn no_rules(language: Language) -> String {
    language.words().say("no-rules")
}

fn member_in_words(member: &Member, words: &Words) -> String {
    let groups = member.through.iter().filter_map(|through| match through {
        Through::Group(group) => Some(names::quoted(group, words)),
        Through::Itself => None,
    });
    let groups: Vec<_> = groups.collect();
    if groups.is_empty() {
        return names::printable(&member.user);
    }
    let message = if member.through.contains(&Through::Itself) { "member-also-itself" } else { "member-of" };
    let args =
        [("user", names::printable(&member.user).into()), ("groups", names::all(groups, words).into())];
    words.say_with(message, &arguments(args))
}
