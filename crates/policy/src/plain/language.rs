//! The languages, and what is said in each.

use std::{fmt, str::FromStr, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// A language that rules are described in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// German.
    De,
    /// English.
    En,
    /// French.
    Fr,
}

/// A text that names no language of [`Language`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use de, en or fr")]
pub struct UnknownLanguage;

impl Language {
    /// All languages.
    pub const ALL: [Self; 3] = [Self::De, Self::En, Self::Fr];

    /// Its tag (BCP 47).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::De => include_str!("de.ftl"),
            Self::En => include_str!("en.ftl"),
            Self::Fr => include_str!("fr.ftl"),
        }
    }

    pub(super) fn words(self) -> &'static Words {
        static DE: LazyLock<Words> = LazyLock::new(|| Words::new(Language::De));
        static EN: LazyLock<Words> = LazyLock::new(|| Words::new(Language::En));
        static FR: LazyLock<Words> = LazyLock::new(|| Words::new(Language::Fr));
        match self {
            Self::De => &DE,
            Self::En => &EN,
            Self::Fr => &FR,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or(UnknownLanguage)
    }
}

/// What a message is filled with.
pub(super) fn arguments<'a, const N: usize>(values: [(&'static str, FluentValue<'a>); N]) -> FluentArgs<'a> {
    values.into_iter().collect()
}

/// The messages of one language.
pub(super) struct Words(FluentBundle<FluentResource>);

impl Words {
    fn new(language: Language) -> Self {
        let resource = FluentResource::try_new(language.source().to_owned());
        let resource = resource.map_err(|(_, errors)| errors).expect("the tests read every file");
        let tag = language.as_str().parse().expect("two letters are a language tag");
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // The marks around inserted values are for right-to-left scripts; here they would only
        // stand in the way of whoever copies the sentence.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).expect("the tests find no message twice");
        Self(bundle)
    }

    /// The message `id`, which needs no values.
    pub fn say(&self, id: &str) -> String {
        self.say_with(id, &FluentArgs::new())
    }

    /// The message `id`, filled with `args`.
    pub fn say_with(&self, id: &str, args: &FluentArgs<'_>) -> String {
        let message = self.0.get_message(id).and_then(|message| message.value());
        let pattern = message.unwrap_or_else(|| unreachable!("the tests ask every language for {id}"));
        let mut errors = Vec::new();
        let text = self.0.format_pattern(pattern, Some(args), &mut errors);
        debug_assert!(errors.is_empty(), "{id}: {errors:?}");
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(language: Language) -> BTreeSet<&'static str> {
        let begins = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let lines = language.source().lines().filter(begins);
        lines.map(|line| line.split_once(" =").expect("a message begins at each such line").0).collect()
    }

    #[test]
    fn every_language_has_every_message_once() {
        let english = ids(Language::En);
        assert!(english.len() > 30, "{english:?}");
        for language in Language::ALL {
            assert_eq!(ids(language), english, "{language}");
            let words = language.words();
            assert!(english.iter().all(|id| words.0.has_message(id)), "{language}");
        }
    }

    #[test]
    fn a_language_is_named_by_its_tag() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        assert_eq!("it".parse::<Language>().unwrap_err().to_string(), "use de, en or fr");
    }
}
