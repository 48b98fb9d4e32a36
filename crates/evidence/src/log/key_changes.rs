//! Whether a change of key that a log tells of was signed by those whom it concerns.
//!
//! The log says by a `key` entry that another key signs from there on. That the owners of the keys wanted
//! it, a [`KeyChangeStatement`] shows that both keys signed, or, where the old one was lost, the new one.

use std::fmt;

use domain::TenantId;

use super::{KeyChange, KeyEntry, LogFiles, LogKey, LogProblem};
use crate::{
    KeyChangeError, KeyChangeStatement, KeyId, Sha256Hash, Signature, key_change::statement_path,
    verify::Keyring,
};

/// Why a change of key is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChangeDoubt {
    /// The entry names no statement.
    NoStatement,
    /// The statement or a signature is not there, or cannot be read.
    Missing(String),
    /// The statement is another one than the entry names.
    OtherStatement(String),
    /// The statement is none, or was not signed.
    Bad(String, KeyChangeError),
    /// The statement says something else than the entry.
    Differs(&'static str),
    /// There is no trusted certificate of a key that should have signed.
    NoCertificate(KeyId),
}

impl fmt::Display for KeyChangeDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStatement => f.write_str("it names no key change statement"),
            Self::Missing(path) => write!(f, "{path} is missing or cannot be read"),
            Self::OtherStatement(path) => write!(f, "{path} is not the statement that the entry names"),
            Self::Bad(path, error) => write!(f, "{path}: {error}"),
            Self::Differs(what) => write!(f, "the key change statement names another {what} than the entry"),
            Self::NoCertificate(key) => {
                write!(f, "there is no trusted certificate of the key {key}, which should have signed it")
            }
        }
    }
}

/// What is wrong with the change of key that entry `index` of the log of `tenant` tells; nothing, if it
/// tells of the log's first key.
pub fn key_change_problem(
    files: &dyn LogFiles,
    trusted: &Keyring,
    tenant: &TenantId,
    (index, entry): (u64, &KeyEntry),
) -> Option<LogProblem> {
    let why = match entry.change {
        KeyChange::First => return None,
        KeyChange::Rotated => judge(files, trusted, tenant, entry, entry.previous),
        KeyChange::Replaced => judge(files, trusted, tenant, entry, None),
    };
    why.err().map(|why| LogProblem::KeyChange { index, key: entry.key_id, why })
}

/// `old`: the key that has to have agreed.
fn judge(
    files: &dyn LogFiles,
    trusted: &Keyring,
    tenant: &TenantId,
    entry: &KeyEntry,
    old: Option<KeyId>,
) -> Result<(), KeyChangeDoubt> {
    let hash = entry.statement.ok_or(KeyChangeDoubt::NoStatement)?;
    let path = format!("{}.txt", statement_path(&hash));
    let read = |path: &str| {
        let bytes = files.read(path).ok().flatten();
        bytes.ok_or_else(|| KeyChangeDoubt::Missing(path.to_owned()))
    };
    let bytes = read(&path)?;
    if Sha256Hash::of(&bytes) != hash {
        return Err(KeyChangeDoubt::OtherStatement(path));
    }
    let bad = |error| KeyChangeDoubt::Bad(path.clone(), error);
    let text = String::from_utf8(bytes).map_err(|_| bad(KeyChangeError::Format))?;
    let statement = KeyChangeStatement::parse(&text).map_err(bad)?;
    let log_key = LogKey::parse(&entry.log_key).ok().map(|key| key.public);
    for (same, what) in [
        (statement.tenant.as_ref().is_none_or(|named| named == tenant), "tenant"),
        (Some(statement.old) == entry.previous, "old key"),
        (statement.new == entry.key_id, "new key"),
        (statement.new_certificate == entry.certificate, "certificate"),
        (Some(&statement.new_log_key) == log_key.as_ref(), "log key"),
        (statement.reason == entry.reason, "reason"),
    ] {
        if !same {
            return Err(KeyChangeDoubt::Differs(what));
        }
    }
    let signed = |key: KeyId, by: &str, error| {
        let certificate = trusted.of_key(key).ok_or(KeyChangeDoubt::NoCertificate(key))?;
        let signature = read(&path.replace(".txt", by))?;
        let signature = Signature::parse(&signature).map_err(|_| KeyChangeDoubt::Bad(path.clone(), error))?;
        Ok((certificate.public_key(), signature))
    };
    let new = signed(statement.new, ".new.sig", KeyChangeError::NewSignature)?;
    let old = old.map(|old| signed(old, ".old.sig", KeyChangeError::OldSignature)).transpose()?;
    let old = old.as_ref().map(|(key, signature)| (*key, signature));
    statement.verify(old, (new.0, &new.1)).map_err(bad)
}
