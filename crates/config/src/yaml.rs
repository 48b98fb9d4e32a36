//! YAML as administrators write it, and what is wrong with it in their words.

use domain::resources::{FieldPath, Segment};
use serde::de::DeserializeOwned;
use serde_path_to_error::Track;
use serde_saphyr::{Error, Options, with_deserializer_from_str_with_options};

/// Why a text is not the YAML that was expected. Repeats no value of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {colon}{reason}", colon = if field.is_empty() { String::new() } else { format!("{field}: ") })]
pub struct YamlError {
    /// The line, from 1.
    pub line: u64,
    /// The field: `caller.number`; empty if it is about the text as a whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Reads a text of one YAML document.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let mut track = Track::new();
    let read = with_deserializer_from_str_with_options(text, options(), |yaml| {
        T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
    });
    read.map_err(|error| {
        let (path, reason) = explain(field_path(&track.path()), &error, false);
        YamlError { line: error.location().map_or(1, |at| at.line().max(1)), field: path.to_string(), reason }
    })
}

pub(crate) fn options() -> Options {
    // A snippet in an error would show numbers and secrets.
    serde_saphyr::options! { with_snippet: false }
}

/// The path that serde tracked.
pub(crate) fn field_path(path: &serde_path_to_error::Path) -> FieldPath {
    path.iter().fold(FieldPath::root(), |field, segment| match segment {
        serde_path_to_error::Segment::Seq { index } => field.index(*index),
        serde_path_to_error::Segment::Map { key } => field.key(key),
        _ => field,
    })
}

/// The error in an administrator's words. Values of the document are never repeated: they may be
/// numbers or secrets. Of a `secret` not even what the parser says is.
pub(crate) fn explain(path: FieldPath, error: &Error, secret: bool) -> (FieldPath, String) {
    let list = |words: &[&str]| words.join(", ");
    let reason = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let named = path.segments().last() == Some(&Segment::Key(field.clone()));
            let path = if named || secret { path } else { path.key(field) };
            let expected: Vec<&str> = expected.iter().copied().filter(|word| *word != "status").collect();
            return (path, format!("there is no such field; known are {}", list(&expected)));
        }
        Error::SerdeMissingField { field, .. } => return (path.key(field), "is missing".to_owned()),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("must be {expected}")
        }
        Error::SerdeInvalidLength { expected, .. } => format!("must be {expected}"),
        Error::SerdeUnknownVariant { expected, .. } => format!("must be one of {}", list(expected)),
        Error::Unexpected { expected: "sequence start", .. } => "must be a list: [a, b]".to_owned(),
        Error::Unexpected { expected: "mapping start", .. } => "must be fields: {a: …, b: …}".to_owned(),
        Error::Unexpected { expected: "string scalar" | "scalar", .. } => "must be a single value".to_owned(),
        Error::InvalidScalar { ty: "boolean" | "bool", .. } => "must be true or false".to_owned(),
        Error::InvalidScalar { ty: "i64" | "u16", .. } => {
            "must be a whole number, and not out of range".to_owned()
        }
        Error::InvalidScalar { .. } => "does not have the right form".to_owned(),
        Error::InvalidBooleanStrict { .. } => "must be true or false".to_owned(),
        Error::NullIntoString { .. } => "must not be empty".to_owned(),
        Error::DuplicateMappingKey { .. } => "this key stands here twice".to_owned(),
        Error::UnknownAnchor { .. } => "refers to an anchor (*name) that is not there".to_owned(),
        // What the parser says about syntax; it speaks of signs, not of values.
        Error::ExternalMessage { msg, .. } if !secret => format!("is not valid YAML: {msg}"),
        Error::AliasError { error, .. } => return explain(path, error, secret),
        Error::Eof { .. } => "ends too early".to_owned(),
        _ => "cannot be read as YAML of the expected form".to_owned(),
    };
    (path, reason)
}
