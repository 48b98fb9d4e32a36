//! Where in a YAML document a field stands.

use std::fmt;

use domain::resources::{FieldPath, Segment};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub line: u64,
    pub column: u64,
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A document without its values: nothing but keys and places.
#[derive(Debug)]
pub(crate) struct Located {
    position: Position,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Map(Vec<(String, Position, Located)>),
    List(Vec<Located>),
    Value,
}

impl Located {
    /// The place of the field at `path`, or of the deepest thing above it that is there.
    pub fn find(&self, path: &FieldPath) -> Position {
        let mut node = self;
        let mut position = self.position;
        for segment in path.segments() {
            match (segment, &node.below) {
                (Segment::Key(wanted) | Segment::Person(wanted), Below::Map(entries)) => {
                    let Some((_, at, below)) = entries.iter().find(|(key, ..)| key == wanted) else { break };
                    (position, node) = (*at, below);
                }
                (Segment::Index(index), Below::List(entries)) => {
                    let Some(below) = entries.get(*index) else { break };
                    (position, node) = (below.position, below);
                }
                _ => break,
            }
        }
        position
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: below, referenced, .. } = Spanned::<Below>::deserialize(deserializer)?;
        Ok(Self { position: referenced.into(), below })
    }
}

impl<'de> Deserialize<'de> for Below {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Below;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Below, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, below)) = map.next_entry::<Spanned<String>, Located>()? {
                    entries.push((key.value, key.referenced.into(), below));
                }
                Ok(Below::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Below, A::Error> {
                let mut entries = Vec::new();
                while let Some(below) = list.next_element()? {
                    entries.push(below);
                }
                Ok(Below::List(entries))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_i128<E: Error>(self, _: i128) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_u128<E: Error>(self, _: u128) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_unit<E: Error>(self) -> Result<Below, E> {
                Ok(Below::Value)
            }

            fn visit_none<E: Error>(self) -> Result<Below, E> {
                Ok(Below::Value)
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_path_and_missing_ones_by_what_is_above() {
        let yaml = "spec:\n  sip:\n    domains: [a, b]\n  users:\n    erika:\n      identities:\n        - \"22\"\n        - +49\n";
        let located: Located = serde_saphyr::from_str(yaml).unwrap();
        let spec = FieldPath::spec();
        let at = |path: &FieldPath| located.find(path).line;
        assert_eq!(at(&spec), 1);
        assert_eq!(at(&spec.key("sip")), 2);
        assert_eq!(located.find(&spec.key("sip").key("domains").index(1)), Position { line: 3, column: 18 });
        assert_eq!(at(&spec.key("users").person("erika").key("identities").index(1)), 8);
        assert_eq!(at(&spec.key("sip").key("sources").index(3)), 2);
    }
}
