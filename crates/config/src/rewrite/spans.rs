//! Where in a document the values of a Secret stand, byte for byte.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use crate::yaml;

/// A field with values, by key.
pub(super) struct Field {
    pub name: String,
    /// The name's place.
    pub at: Range<usize>,
    pub entries: Vec<Entry>,
}

/// A key and its value.
pub(super) struct Entry {
    pub key: String,
    pub key_at: Range<usize>,
    pub value: String,
    /// What has to be replaced to replace the value; with the sign of a block scalar.
    pub value_at: Range<usize>,
}

/// The fields `stringData`, `data` and `sealedData` of a document, in its order; `None` if something
/// stands for a value that is not the value itself.
pub(super) fn fields(document: &str) -> Option<Vec<Field>> {
    let Top(fields) = serde_saphyr::from_str_with_options(document, yaml::options()).ok()?;
    fields
        .into_iter()
        .map(|(name, entries)| {
            let entries = entries.unwrap_or_default().0.into_iter();
            let entries = entries.map(|(key, value)| entry(document, key, value));
            Some(Field {
                at: range(name.referenced)?,
                name: name.value,
                entries: entries.collect::<Option<_>>()?,
            })
        })
        .collect()
}

fn entry(document: &str, key: Spanned<String>, value: Spanned<String>) -> Option<Entry> {
    // An alias (*name) is not where the value stands.
    if value.referenced != value.defined {
        return None;
    }
    let key_at = range(key.referenced)?;
    let mut value_at = range(value.referenced)?;
    let text = document.get(value_at.clone())?;
    let between = document.get(key_at.end..value_at.start)?;
    // Of a block scalar the parser names the lines alone; its sign stands behind the colon.
    if let Some((head, _)) = between.split_once('\n')
        && let Some(sign) = head.find(['|', '>'])
    {
        value_at = key_at.end + sign..value_at.start + text.trim_end().len();
        // A comment behind the sign would be lost, and a quoted text in its place ends the line.
        if head[sign..].contains('#') {
            return None;
        }
    }
    Some(Entry { key: key.value, key_at, value: value.value, value_at })
}

fn range(location: Location) -> Option<Range<usize>> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    Some(start..start + usize::try_from(span.byte_len()?).ok()?)
}

#[derive(Default)]
struct Entries(Vec<(Spanned<String>, Spanned<String>)>);

struct Top(Vec<(Spanned<String>, Option<Entries>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Top;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Secret")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<Spanned<String>>()? {
                    if ["stringData", "data", crate::sealed::FIELD].contains(&name.value.as_str()) {
                        let entries = map.next_value::<Option<Entries>>()?;
                        fields.push((name, entries));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Top(fields))
            }
        }

        deserializer.deserialize_map(Map)
    }
}
