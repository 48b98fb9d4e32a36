//! The messages of each language.

use std::sync::LazyLock;

use domain::resources::tenant::notifications::Language;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// The messages of one language.
pub struct Words(FluentBundle<FluentResource>);

impl Words {
    /// Those of `language`.
    pub fn of(language: Language) -> &'static Self {
        static DE: LazyLock<Words> = LazyLock::new(|| Words::new(Language::De));
        static EN: LazyLock<Words> = LazyLock::new(|| Words::new(Language::En));
        static FR: LazyLock<Words> = LazyLock::new(|| Words::new(Language::Fr));
        match language {
            Language::De => &DE,
            Language::En => &EN,
            Language::Fr => &FR,
        }
    }

    fn new(language: Language) -> Self {
        let resource = FluentResource::try_new(source(language).to_owned());
        let resource = resource.map_err(|(_, errors)| errors).expect("the tests read every file");
        let tag = language.as_str().parse().expect("two letters are a language tag");
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // The marks around inserted values are for right-to-left scripts; a command must be copied as is.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).expect("the tests find no message twice");
        Self(bundle)
    }

    /// The message `id`, filled with `values`.
    pub fn say<'a, const N: usize>(&self, id: &str, values: [(&'static str, FluentValue<'a>); N]) -> String {
        let arguments: FluentArgs<'a> = values.into_iter().collect();
        let message = self.0.get_message(id).and_then(|message| message.value());
        // A mail with a gap is better than none.
        let Some(pattern) = message else { return id.to_owned() };
        let mut errors = Vec::new();
        let text = self.0.format_pattern(pattern, Some(&arguments), &mut errors);
        debug_assert!(errors.is_empty(), "{id}: {errors:?}");
        text.into_owned()
    }
}

const fn source(language: Language) -> &'static str {
    match language {
        Language::De => include_str!("de.ftl"),
        Language::En => include_str!("en.ftl"),
        Language::Fr => include_str!("fr.ftl"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_message_exists_in_every_language_and_takes_the_same_values() {
        let said = |language| -> BTreeSet<(String, BTreeSet<String>)> {
            let mut messages: BTreeSet<(String, BTreeSet<String>)> = BTreeSet::new();
            let (mut id, mut values) = (String::new(), BTreeSet::new());
            for line in source(language).lines().chain(["end = "]) {
                if let Some((name, _)) =
                    line.split_once(" = ").filter(|_| line.starts_with(char::is_alphabetic))
                {
                    if !id.is_empty() {
                        messages.insert((std::mem::replace(&mut id, name.to_owned()), values.clone()));
                    }
                    id = name.to_owned();
                    values.clear();
                } else if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
                    messages.insert((std::mem::replace(&mut id, name.to_owned()), values.clone()));
                    values.clear();
                }
                values.extend(
                    line.split('$')
                        .skip(1)
                        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>()),
                );
            }
            messages
        };
        let english = said(Language::En);
        assert!(english.len() > 40, "{english:?}");
        assert_eq!(english, said(Language::De));
        assert_eq!(english, said(Language::Fr));
        for language in Language::ALL {
            for (id, _) in &english {
                assert!(Words::of(language).0.get_message(id).is_some(), "{id} in {language:?}");
            }
        }
    }
}
