//! One Secret, sealed where it stands.

use std::{collections::BTreeMap, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{Sensitive, resources::RawResource};
use vault::Vault;

use super::{
    RewriteError, SecretAt,
    spans::{Entry, Field, fields},
};
use crate::{
    document::documents,
    sealed::{self, FIELD},
};

/// What is put in the place of bytes of the document.
type Edit = (Range<usize>, String);

/// What a key has to hold afterwards.
enum Wanted {
    Value(Sensitive<String>),
    /// What was sealed before is as it was.
    AsIs(String),
}

/// The document with all plain values sealed, and how many were.
pub(super) fn seal(
    document: &str,
    secret: &SecretAt,
    vault: &Vault,
    old: Option<&Vault>,
) -> Result<(String, usize), RewriteError> {
    let unclear = || RewriteError::Unclear { name: secret.name.clone(), line: secret.line };
    let fields = fields(document).ok_or_else(unclear)?;
    let mut work = Work { document, secret, vault, edits: Vec::new(), wanted: BTreeMap::new(), sealed: 0 };
    let (sealed, plain): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| field.name == FIELD);
    let plain: Vec<&Field> = plain.into_iter().filter(|field| !field.entries.is_empty()).collect();
    if let Some(field) = sealed.first() {
        let stays =
            |entry: &&Entry| !plain.iter().any(|plain| plain.entries.iter().any(|e| e.key == entry.key));
        for entry in field.entries.iter().filter(stays) {
            work.keep(entry, old)?;
        }
    }
    if let Some(first) = plain.first() {
        let sealed = sealed.first().copied();
        let to = match sealed.filter(|field| !field.entries.is_empty()) {
            Some(field) => field,
            None => {
                sealed.map_or(Some(()), |empty| work.remove(empty)).ok_or_else(unclear)?;
                work.edits.push((first.at.clone(), FIELD.to_owned()));
                for entry in &first.entries {
                    work.put(first, entry, entry.value_at.clone())?;
                }
                first
            }
        };
        for field in plain.iter().copied().filter(|field| !std::ptr::eq(*field, to)) {
            for entry in &field.entries {
                // Twice in plain text: which one counts is not said by us.
                let there = to.entries.iter().find(|there| there.key == entry.key);
                match there {
                    Some(_) if to.name != FIELD => return Err(unclear()),
                    Some(there) => work.put(field, entry, there.value_at.clone())?,
                    None => work.append(field, entry, to)?,
                }
            }
            work.remove(field).ok_or_else(unclear)?;
        }
    }
    work.finish().ok_or_else(unclear)
}

struct Work<'a> {
    document: &'a str,
    secret: &'a SecretAt,
    vault: &'a Vault,
    edits: Vec<Edit>,
    wanted: BTreeMap<String, Wanted>,
    sealed: usize,
}

impl Work<'_> {
    /// Leaves what is sealed as it is, or seals it anew if the `old` key opens it.
    fn keep(&mut self, entry: &Entry, old: Option<&Vault>) -> Result<(), RewriteError> {
        let wanted = match old {
            None => Wanted::AsIs(entry.value.clone()),
            Some(old) => {
                let SecretAt { line, tenant, name } = self.secret;
                let opened = sealed::open(old, tenant, name, &entry.key, &entry.value.clone().into());
                let value = opened.map_err(|source| RewriteError::Closed {
                    name: name.clone(),
                    line: *line,
                    key: entry.key.clone(),
                    source,
                })?;
                let text = self.quoted(&entry.key, &value);
                self.edits.push((entry.value_at.clone(), text));
                Wanted::Value(value)
            }
        };
        self.wanted.insert(entry.key.clone(), wanted);
        Ok(())
    }

    /// The value of `entry`, sealed, in the place of what is there.
    fn put(&mut self, field: &Field, entry: &Entry, at: Range<usize>) -> Result<(), RewriteError> {
        let text = self.take(field, entry)?;
        self.edits.push((at, text));
        Ok(())
    }

    /// The entry behind the last one of the field `to`, in the manner of that field.
    fn append(&mut self, field: &Field, entry: &Entry, to: &Field) -> Result<(), RewriteError> {
        let text = self.take(field, entry)?;
        let key = &self.document[entry.key_at.clone()];
        let (Some(first), Some(last)) = (to.entries.first(), to.entries.last()) else { return Ok(()) };
        let before = self.line_start(first.key_at.start);
        let indent = &self.document[before..first.key_at.start];
        if indent.trim().is_empty() {
            let end = if self.document.contains("\r\n") { "\r\n" } else { "\n" };
            let at = self.line_end(last.value_at.end);
            self.edits.push((at..at, format!("{end}{indent}{key}: {text}")));
        } else {
            let at = last.value_at.end;
            self.edits.push((at..at, format!(", {key}: {text}")));
        }
        Ok(())
    }

    /// The lines of a field taken out; `None` if something else stands in them.
    fn remove(&mut self, field: &Field) -> Option<()> {
        let start = self.line_start(field.at.start);
        let last = field.entries.last().map_or(field.at.end, |entry| entry.value_at.end);
        let end = self.line_end(last);
        let whole = self.document.get(start..field.at.start)?.trim().is_empty();
        // Comments would go with them; the sign may also be part of a value.
        let mut rest = self.document.get(start..end)?.to_owned();
        for entry in field.entries.iter().rev() {
            rest.replace_range(entry.value_at.start - start..entry.value_at.end - start, "");
        }
        if !whole || rest.contains('#') {
            return None;
        }
        let with_its_end = self.document[end..].find('\n').map_or(end, |at| end + at + 1);
        self.edits.push((start..with_its_end, String::new()));
        Some(())
    }

    fn take(&mut self, field: &Field, entry: &Entry) -> Result<String, RewriteError> {
        let value = match field.name.as_str() {
            "data" => Sensitive::new(self.decoded(entry)?),
            _ => Sensitive::new(entry.value.clone()),
        };
        let text = self.quoted(&entry.key, &value);
        self.wanted.insert(entry.key.clone(), Wanted::Value(value));
        Ok(text)
    }

    fn quoted(&mut self, key: &str, value: &Sensitive<String>) -> String {
        self.sealed += 1;
        format!("\"{}\"", sealed::seal(self.vault, &self.secret.tenant, &self.secret.name, key, value))
    }

    fn decoded(&self, entry: &Entry) -> Result<String, RewriteError> {
        let text: String = entry.value.split_whitespace().collect();
        let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.ok_or_else(|| RewriteError::NotText {
            name: self.secret.name.clone(),
            line: self.secret.line,
            key: entry.key.clone(),
        })
    }

    fn line_start(&self, at: usize) -> usize {
        self.document[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Before whatever ends the line.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.document[at..];
        let line = rest.split_inclusive('\n').next().unwrap_or_default();
        at + line.trim_end_matches(['\r', '\n']).len()
    }

    /// The edited document, if it reads as it should.
    fn finish(mut self) -> Option<(String, usize)> {
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = self.document.to_owned();
        let mut begun = text.len();
        for (range, new) in self.edits.iter().rev() {
            if range.end > begun {
                return None;
            }
            begun = range.start;
            text.replace_range(range.clone(), new);
        }
        let (before, after) = (documents(self.document), documents(&text));
        let ([before], [after]) = (before.as_slice(), after.as_slice()) else { return None };
        let header = |document: &crate::document::Document| format!("{:?}", document.header);
        let Some(RawResource::Secret(spec)) = &after.content else { return None };
        let SecretAt { tenant, name, .. } = self.secret;
        let right = spec.sealed_data.iter().all(|(key, text)| match self.wanted.get(key) {
            Some(Wanted::Value(value)) => {
                sealed::open(self.vault, tenant, name, key, text).is_ok_and(|opened| opened == *value)
            }
            Some(Wanted::AsIs(before)) => before == text.expose(),
            None => false,
        });
        let whole = !spec.has_plain_values() && spec.sealed_data.len() == self.wanted.len();
        (right && whole && header(before) == header(after)).then_some((text, self.sealed))
    }
}
