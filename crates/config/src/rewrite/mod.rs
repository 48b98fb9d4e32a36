//! Plain values of Secrets in a file's text, sealed where they stand (F-81); all else is kept byte for
//! byte: comments, order, quotes, other documents.
//!
//! A program that edits what people write must not guess. Only the places are touched that the parser
//! names, and the result is read again: it is given back only if it holds the same values, all of them
//! sealed.

mod document;
mod spans;

use domain::{ResourceName, TenantId};
use vault::{Vault, VaultError};

use crate::document::ranges;

/// A Secret in a file.
#[derive(Debug, Clone)]
pub struct SecretAt {
    /// Where it stands, from 1.
    pub line: u64,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: ResourceName,
}

/// A text with sealed values.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// What to write in the place of the old one.
    pub text: String,
    /// How many values were sealed.
    pub sealed: usize,
}

/// Seals every plain value of `secrets` with `vault`. With `old`, values that are sealed with that key
/// are sealed anew, too.
///
/// # Errors
/// A Secret is written in a way that only a person can change, or a value is no text. Nothing of the text
/// is changed then.
pub fn seal_values(
    text: &str,
    secrets: &[SecretAt],
    vault: &Vault,
    old: Option<&Vault>,
) -> Result<Rewritten, RewriteError> {
    let (mark, rest) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let mut rewritten = Rewritten { text: mark.to_owned(), sealed: 0 };
    for (lines, document) in ranges(rest) {
        match secrets.iter().find(|secret| lines.contains(&secret.line)) {
            Some(secret) => {
                let (document, sealed) = document::seal(document, secret, vault, old)?;
                rewritten.text.push_str(&document);
                rewritten.sealed += sealed;
            }
            None => rewritten.text.push_str(document),
        }
    }
    Ok(rewritten)
}

/// Why a text was not rewritten. Holds no value.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// Only a person can change it.
    #[error(
        "the Secret {name} in line {line} is not written plainly enough to be rewritten: give it one \
         stringData of its own, with each value beside its key, and try again"
    )]
    Unclear {
        /// Which Secret.
        name: ResourceName,
        /// Where it stands.
        line: u64,
    },
    /// What should be text in base64 is not.
    #[error(
        "the Secret {name} in line {line} has a value that cannot be sealed: data.{key} is not text in base64"
    )]
    NotText {
        /// Which Secret.
        name: ResourceName,
        /// Where it stands.
        line: u64,
        /// Which value.
        key: String,
    },
    /// The old key does not open what is sealed.
    #[error("the Secret {name} in line {line} has a value that the old key does not open: sealedData.{key}")]
    Closed {
        /// Which Secret.
        name: ResourceName,
        /// Where it stands.
        line: u64,
        /// Which value.
        key: String,
        /// Why.
        source: VaultError,
    },
}
