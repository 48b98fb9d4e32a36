//! Which key: by its label, or by its id.

use std::{convert::Infallible, fmt, str::FromStr};

/// What stands before an id where a text names a key.
const ID: &str = "id:";

/// The name of an RSA key where keys lie: its label (PKCS#11 `CKA_LABEL`; the name of a key in a cloud
/// key service), or `id:` and hexadecimal digits (PKCS#11 `CKA_ID`). The log key beside it has the label
/// of the RSA key with `-log` behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// By label.
    Label(String),
    /// By id: the bytes of `CKA_ID`.
    Id(Vec<u8>),
}

impl KeyName {
    /// The key with that label, whatever the label looks like.
    pub fn label(label: impl Into<String>) -> Self {
        Self::Label(label.into())
    }

    /// The label of the log key beside the RSA key with this label.
    pub fn of_log_key(label: &str) -> String {
        format!("{label}-log")
    }
}

impl FromStr for KeyName {
    type Err = Infallible;

    /// `id:0a1b` is an id; all else, also an `id:` without hexadecimal digits behind it, is a label.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let id = text.strip_prefix(ID).and_then(|digits| hex::decode(digits).ok());
        Ok(match id {
            Some(id) if !id.is_empty() => Self::Id(id),
            _ => Self::Label(text.to_owned()),
        })
    }
}

impl From<&str> for KeyName {
    fn from(text: &str) -> Self {
        let Ok(name) = text.parse();
        name
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => f.write_str(label),
            Self::Id(id) => write!(f, "{ID}{}", hex::encode(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_or_an_id_and_is_written_as_it_was_read() {
        for (text, expected) in [
            ("callseal", KeyName::label("callseal")),
            ("id:0a1b", KeyName::Id(vec![10, 27])),
            ("id:", KeyName::label("id:")),
            ("id:xyz", KeyName::label("id:xyz")),
            ("Key 2026", KeyName::label("Key 2026")),
        ] {
            assert_eq!(KeyName::from(text), expected);
            assert_eq!(expected.to_string(), text);
        }
    }
}
