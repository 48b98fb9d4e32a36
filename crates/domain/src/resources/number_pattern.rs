//! A number, or a regular expression over numbers.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{FieldPath, field::Findings};

/// A number, or a regular expression over numbers (linear time, matched against the whole number).
#[derive(Clone)]
pub enum NumberPattern {
    /// Exactly this number.
    Exact(String),
    /// Every number that the whole expression matches.
    Regex(Regex),
}

// An entry of an exception list often is somebody's private number.
impl fmt::Debug for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact(_) => "Exact(‹sensitive›)",
            Self::Regex(_) => "Regex(‹sensitive›)",
        })
    }
}

/// The raw form: `{number: "+49…"}`, `{pattern: "\\+49176.*"}`, each with a `comment` where wanted,
/// or a number alone, in quotes.
#[derive(Clone, Default)]
pub struct NumberPatternSpec {
    /// Exactly this number.
    pub number: Option<String>,
    /// A regular expression over the whole number.
    pub pattern: Option<String>,
    /// For people.
    pub comment: Option<String>,
}

impl fmt::Debug for NumberPatternSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberPatternSpec(‹sensitive›)")
    }
}

/// A compiled expression may take this much memory, bytes.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

impl NumberPatternSpec {
    /// The validated entry; what is wrong with the one at `path` is noted.
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<NumberPattern> {
        match (&self.number, &self.pattern) {
            (Some(number), None) if number.trim().is_empty() => {
                findings.add(path.key("number"), "must not be empty");
                None
            }
            (Some(number), None) => Some(NumberPattern::Exact(number.trim().to_owned())),
            (None, Some(pattern)) => {
                findings.take(path.key("pattern"), compile(pattern)).map(NumberPattern::Regex)
            }
            _ => {
                findings.add(path.clone(), "must have either number or pattern");
                None
            }
        }
    }

    /// The validated entries of a list; what is wrong is noted at its position below `path`.
    pub(crate) fn validate_all(
        specs: &[Self],
        path: &FieldPath,
        findings: &mut Findings,
    ) -> Vec<NumberPattern> {
        specs.iter().enumerate().filter_map(|(i, spec)| spec.validate(&path.index(i), findings)).collect()
    }
}

/// Compiles an expression that has to match the whole number: `\+49176` alone is no prefix search.
/// The error says what is wrong and where; the text of [`regex::Error`] would repeat the expression,
/// which may hold a number.
fn compile(pattern: &str) -> Result<Regex, String> {
    // On its own first: `12)|(34` would be an expression within the brackets that are put around it.
    regex_syntax::parse(pattern).map_err(|error| explain(&error))?;
    let built = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(REGEX_SIZE_LIMIT).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("is too large: compiled it takes more than {limit} bytes")
        }
        _ => "is not a regular expression".to_owned(),
    })
}

fn explain(error: &regex_syntax::Error) -> String {
    let (at, what) = match error {
        regex_syntax::Error::Parse(error) => (error.span().start.column, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span().start.column, error.kind().to_string()),
        _ => return "is not a regular expression".to_owned(),
    };
    format!("is not a regular expression: {what}, at character {at}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, remote = "NumberPatternSpec")]
struct Fields {
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    comment: Option<String>,
}

impl<'de> Deserialize<'de> for NumberPatternSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrFields;

        impl<'de> Visitor<'de> for TextOrFields {
            type Value = NumberPatternSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes, {number: …} or {pattern: …}")
            }

            fn visit_str<E: Error>(self, number: &str) -> Result<NumberPatternSpec, E> {
                Ok(NumberPatternSpec { number: Some(number.to_owned()), ..NumberPatternSpec::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NumberPatternSpec, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map))
            }
        }

        // Without quotes YAML reads `+49…` as an integer and drops the `+`: that is refused here.
        deserializer.deserialize_any(TextOrFields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(spec: NumberPatternSpec) -> Result<NumberPattern, String> {
        let mut findings = Findings::default();
        let pattern = spec.validate(&FieldPath::spec().key("entries").index(0), &mut findings);
        findings.finish(pattern).map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn an_expression_has_to_match_the_whole_number() {
        let spec = NumberPatternSpec { pattern: Some("12|34".into()), ..Default::default() };
        let Ok(NumberPattern::Regex(regex)) = validate(spec) else { panic!("is an expression") };
        assert!(regex.is_match("12") && regex.is_match("34"));
        assert!(!regex.is_match("123") && !regex.is_match("034"));
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said_without_repeating_it() {
        for (pattern, reason) in [
            ("\\+49176(", "is not a regular expression: unclosed group, at character 8"),
            ("4917612)|(34", "is not a regular expression: unopened group, at character 8"),
            (
                "49[6-1]",
                "is not a regular expression: invalid character class range, the start must be <= the end, at character 4",
            ),
            ("+49176", "is not a regular expression: repetition operator missing expression, at character 1"),
            (
                "(?!49)176",
                "is not a regular expression: look-around, including look-ahead and look-behind, is not supported, at character 1",
            ),
            ("(4)\\1", "is not a regular expression: backreferences are not supported, at character 4"),
            ("\\p{Numbr}", "is not a regular expression: Unicode property not found, at character 1"),
            ("([0-9]{500}){500}", "is too large: compiled it takes more than 1048576 bytes"),
        ] {
            let error = validate(NumberPatternSpec { pattern: Some(pattern.into()), ..Default::default() });
            assert_eq!(error.unwrap_err(), format!("spec.entries[0].pattern: {reason}"), "{pattern}");
        }
    }

    #[test]
    fn number_and_pattern_exclude_each_other() {
        let both = NumberPatternSpec { number: Some("1".into()), pattern: Some("1".into()), comment: None };
        assert!(validate(both).is_err());
        assert!(validate(NumberPatternSpec::default()).is_err());
    }
}
