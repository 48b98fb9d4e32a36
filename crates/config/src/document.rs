//! One YAML document: cut out of its file, read, and said what is wrong with it.

use std::{fmt, ops::Range};

use domain::resources::{FieldPath, Header, Kind, Metadata, RawResource, Segment};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_path_to_error::Track;
use serde_saphyr::{Error, with_deserializer_from_str_with_options};

use crate::{
    located::{Located, Position},
    yaml,
};

/// A document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// What could be read of the header, even if the rest is broken.
    pub header: Header,
    /// The content, if kind and content could be read.
    pub content: Option<RawResource>,
    /// What prevents it from being read.
    pub errors: Vec<DocumentError>,
    /// Where it begins in the file, lines from 0.
    first_line: u64,
    located: Option<Located>,
}

/// What is wrong with a document.
#[derive(Debug)]
pub(crate) struct DocumentError {
    pub position: Position,
    pub path: FieldPath,
    pub reason: String,
}

/// The documents of a file; those without content are left out.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    cut(text).filter(|(_, text)| !is_blank(text)).map(|(line, text)| Document::read(line, text)).collect()
}

/// The documents of a file, mark and blank lines included, each with its lines (from 1).
pub(crate) fn ranges(text: &str) -> impl Iterator<Item = (Range<u64>, &str)> {
    cut(text).map(|(line, text)| (line + 1..line + 1 + text.lines().count() as u64, text))
}

/// Cuts a file at its document marks, so that a broken document leaves the others alone. A line
/// that begins with `---` or `...` ends a document wherever it stands, even within a block scalar
/// (YAML 1.2.2, production 206).
fn cut(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let is_mark = |line: &str| {
        let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
    };
    let mut starts = vec![(0_u64, 0_usize)];
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if is_mark(line) && offset > 0 {
            starts.push((number as u64, offset));
        }
        offset += line.len();
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(_, start)| *start).chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|((line, start), end)| (line, &text[start..end]))
}

fn is_blank(document: &str) -> bool {
    document.lines().all(|line| {
        let line = line.strip_prefix("---").or_else(|| line.strip_prefix("...")).unwrap_or(line).trim();
        line.is_empty() || line.starts_with(['#', '%'])
    })
}

impl Document {
    fn read(first_line: u64, text: &str) -> Self {
        let mut document =
            Self { header: Header::default(), content: None, errors: vec![], first_line, located: None };
        let header = with_deserializer_from_str_with_options(text, yaml::options(), |yaml| {
            HeaderSeed(&mut document.header).deserialize(yaml)
        });
        if let Err(error) = header {
            document.errors.push(document.error(FieldPath::root(), &error, None));
            return document;
        }
        document.located = serde_saphyr::from_str_with_options(text, yaml::options()).ok();
        if let Some(kind) = document.read_kind() {
            document.read_content(kind, text);
        }
        document
    }

    /// Kind and version, if both are ours.
    fn read_kind(&mut self) -> Option<Kind> {
        let kind = match self.header.kind.as_deref().map(str::parse::<Kind>) {
            Some(Ok(kind)) => kind,
            Some(Err(error)) => return self.fail("kind", error.to_string()),
            None => return self.fail("kind", "is missing".to_owned()),
        };
        let version = self.header.api_version.as_deref().unwrap_or_default();
        if kind.allows_api_version(version) {
            return Some(kind);
        }
        self.fail("apiVersion", format!("must be {}", domain::resources::API_VERSION))
    }

    fn fail<T>(&mut self, field: &str, reason: String) -> Option<T> {
        let path = FieldPath::root().key(field);
        self.errors.push(DocumentError { position: self.find(&path), path, reason });
        None
    }

    fn read_content(&mut self, kind: Kind, text: &str) {
        let mut track = Track::new();
        let content = with_deserializer_from_str_with_options(text, yaml::options(), |yaml| {
            RawResource::from_document(kind, serde_path_to_error::Deserializer::new(yaml, &mut track))
        });
        match content {
            Ok(content) => self.content = Some(content),
            Err(error) => {
                let path = hide_users(kind, yaml::field_path(&track.path()));
                self.errors.push(self.error(path, &error, Some(kind)));
            }
        }
    }

    /// The place of a field in the file.
    pub fn find(&self, path: &FieldPath) -> Position {
        let start = Position { line: 1, column: 1 };
        self.in_file(self.located.as_ref().map_or(start, |located| located.find(path)))
    }

    fn in_file(&self, position: Position) -> Position {
        Position { line: position.line + self.first_line, ..position }
    }

    fn error(&self, path: FieldPath, error: &Error, kind: Option<Kind>) -> DocumentError {
        let (path, reason) = yaml::explain(path, error, kind == Some(Kind::Secret));
        // Of what is missing the parser knows no place; it belongs below what is found of its path.
        let missing = matches!(error, Error::SerdeMissingField { .. });
        let known = error.location().filter(|location| location.line() > 0 && !missing);
        let position = known.map_or_else(|| self.find(&path), |location| self.in_file(location.into()));
        DocumentError { position, path, reason }
    }
}

/// Marks the keys of `spec.users` as what they are: people's names.
fn hide_users(kind: Kind, path: FieldPath) -> FieldPath {
    match path.segments() {
        [Segment::Key(spec), Segment::Key(users), Segment::Key(name), rest @ ..]
            if kind == Kind::Directory && spec == "spec" && users == "users" =>
        {
            let user = FieldPath::spec().key("users").person(name);
            rest.iter().cloned().fold(user, |path, segment| path.then(segment))
        }
        _ => path,
    }
}

/// Fills a header as far as the document can be read: the syntax error in line 14 must not hide
/// that the document is the rule "desk".
struct HeaderSeed<'a>(&'a mut Header);

impl<'de> DeserializeSeed<'de> for HeaderSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource with apiVersion, kind, metadata and spec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => self.0.api_version = map.next_value()?,
                "kind" => self.0.kind = map.next_value()?,
                "metadata" => self.0.metadata = map.next_value::<Option<Metadata>>()?.unwrap_or_default(),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_at_its_marks_and_lines_keep_their_numbers() {
        let text = "# only a comment\n---\na: 1\n--- # two\nb: |\n  x\n...\n---\n\n";
        let documents: Vec<_> = cut(text).filter(|(_, text)| !is_blank(text)).map(|(line, _)| line).collect();
        assert_eq!(documents, [1, 3]);
    }

    #[test]
    fn a_header_above_a_syntax_error_is_still_read() {
        let text = "apiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {name: desk}\nspec:\n  a: [1\n  b: 2\n";
        let document = &documents(text)[0];
        assert_eq!(document.header.kind.as_deref(), Some("RecordingRule"));
        assert_eq!(document.header.metadata.name.as_deref(), Some("desk"));
        assert_eq!(document.errors.len(), 1);
        assert!(document.content.is_none());
    }

    fn error(text: &str) -> String {
        let document = documents(text).into_iter().next().unwrap();
        let error = document.errors.first().expect("is wrong");
        format!("{}: {}: {}", error.position.line, error.path, error.reason)
    }

    #[test]
    fn wrong_fields_are_named_with_line_and_what_would_be_right() {
        let rule = "apiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {name: desk}\nspec:\n  scope: all\n  profile: consent\n";
        let texts = [
            error(&format!("{rule}  order: ten\n")),
            error(&format!("{rule}  enabled: perhaps\n")),
            error(&format!("{rule}  numbers:\n    - +4970311234\n")),
            error(&format!("{rule}  numbers:\n    - {{patern: x}}\n")),
            error(&format!("{rule}  target: [x]\n")),
            error(&format!("{rule}  targets: archive\n")),
            error(&format!("{rule}  order: 1\n  order: 2\n")),
            error(&rule.replace("  profile: consent\n", "")),
            error(&rule.replace("scope: all", "scope: {group: [a]}")),
            error(&rule.replace("v1alpha1", "v1")),
            error(&rule.replace("RecordingRule", "Rule")),
            error(&rule.replace("scope: all", "scope: all: b")),
            error(&rule.replace("spec:", "status: {}\nspecs:")),
        ];
        assert_eq!(
            texts,
            [
                "7: spec.order: must be a whole number, and not out of range",
                "7: spec.enabled: must be true or false",
                "8: spec.numbers[0]: must be a number in quotes, {number: …} or {pattern: …}",
                "8: spec.numbers[0].patern: there is no such field; known are number, pattern, comment",
                "7: spec.target: there is no such field; known are order, enabled, profile, consent, announcements, scope, directions, origin, numbers, exceptionLists, channels, targets, journals, manualRecording, retention",
                "7: spec.targets: must be a list: [a, b]",
                "8: : this key stands here twice",
                "4: spec.profile: is missing",
                "5: spec.scope.group: there is no such field; known are groups, users, directCallsToMembers",
                "1: apiVersion: must be callseal.io/v1alpha1",
                "2: kind: \"Rule\" is not a kind of resource; use Tenant, Secret, Directory, ExceptionList, Announcement, StorageTarget, JournalTarget, RecordingRule",
                "5: : is not valid YAML: mapping values are not allowed in this context",
                "5: specs: there is no such field; known are apiVersion, kind, metadata, spec",
            ]
        );
    }
}
