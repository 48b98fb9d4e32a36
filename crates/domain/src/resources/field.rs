//! Where in a resource something is wrong, and what.

use std::fmt;

/// One step of a [`FieldPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A key that the format defines or that names a thing: `spec`, a group.
    Key(String),
    /// The position in a list, from 0.
    Index(usize),
    /// A key that is a person's name: it leads to the line, but is not shown.
    Person(String),
}

/// The way to a field, as the file spells it: `spec.scope.groups[1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `spec`, where most paths begin.
    pub fn spec() -> Self {
        Self::root().key("spec")
    }

    /// The field `key` below this one.
    pub fn key(&self, key: &str) -> Self {
        self.then(Segment::Key(key.to_owned()))
    }

    /// The entry `index` (from 0) of this list.
    pub fn index(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    /// The entry of the person called `name`; [`Display`](fmt::Display) does not show the name.
    pub fn person(&self, name: &str) -> Self {
        self.then(Segment::Person(name.to_owned()))
    }

    /// This path and one step more.
    pub fn then(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// The steps from the document down.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            match segment {
                Segment::Key(key) => write!(f, "{dot}{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Person(_) => write!(f, "{dot}‹user›")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct FieldError {
    /// The field.
    pub path: FieldPath,
    /// What is wrong and what would be right. Holds no number, person's name or secret.
    pub reason: String,
}

/// Collects everything that is wrong with a resource, so that one look shows all of it.
#[derive(Debug, Default)]
pub struct Findings(Vec<FieldError>);

impl Findings {
    /// Notes that the field at `path` is wrong because of `reason`.
    pub fn add(&mut self, path: FieldPath, reason: impl Into<String>) {
        self.0.push(FieldError { path, reason: reason.into() });
    }

    /// The value, or nothing and a note of the error.
    pub fn take<T, E: fmt::Display>(&mut self, path: FieldPath, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(path, error.to_string())).ok()
    }

    /// The value that `text` is the word for, or nothing and a note which `words` there are.
    pub(crate) fn choose<T: std::str::FromStr>(
        &mut self,
        path: FieldPath,
        text: &str,
        words: &str,
    ) -> Option<T> {
        text.parse().map_err(|_| self.add(path, format!("{text:?} is not known; use {words}"))).ok()
    }

    /// The parsed value of an optional field, or nothing and a note of the error.
    pub(crate) fn parse<T>(&mut self, path: FieldPath, text: Option<&str>) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        text.and_then(|text| self.take(path, text.parse()))
    }

    /// True if nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All notes.
    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.0
    }

    /// `value` if nothing was noted, else the notes.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}

/// Parses each text of a list; what is wrong is noted at its position.
pub(crate) fn parse_list<T>(texts: &[String], path: &FieldPath, findings: &mut Findings) -> Vec<T>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    let each = texts.iter().enumerate();
    each.filter_map(|(i, text)| findings.take(path.index(i), text.parse())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_in_the_file_and_hides_who_it_is_about() {
        let path = FieldPath::spec().key("users").person("erika").key("identities").index(2);
        assert_eq!(path.to_string(), "spec.users.‹user›.identities[2]");
    }
}
