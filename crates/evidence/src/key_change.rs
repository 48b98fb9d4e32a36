//! The key change statement: from when on another key signs, said by the old key and the new one.
//!
//! It lies in the log's folder at [`statement_path`]`.txt` with the signatures `.old.sig` and `.new.sig` (base64,
//! [`Signature::to_file`](crate::Signature::to_file)). Where the old key was lost, only the new one
//! signs, and the log says *replaced*: whoever verifies has to know of it by another way.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::TenantId;
use jiff::Timestamp;

use crate::{KeyId, PublicKey, Sha256Hash, Signature, log::LogPublicKey};

const HEADING: &str = "Callseal key change";
/// Stands for the tenant where the key is the installation's.
const INSTALLATION: &str = "-";
/// Longest reason, characters.
const REASON_CHARACTERS: usize = 200;

/// Why a text is not a key change statement, or proves no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// Other lines than the eight.
    #[error(
        "not a key change statement: expected its heading and the lines Tenant, Old, New, NewCertificate, NewLogKey, At and Reason"
    )]
    Format,
    /// The reason is empty, too long or more than one line.
    #[error("a change of key needs a reason in one line of at most {REASON_CHARACTERS} characters")]
    Reason,
    /// Old and new are the same.
    #[error("the key change statement names the same key as old and as new")]
    Same,
    /// The signature that is said to be the old key's is not.
    #[error("the key change statement was not signed by the old key")]
    OldSignature,
    /// The signature that is said to be the new key's is not.
    #[error("the key change statement was not signed by the new key")]
    NewSignature,
}

/// Where a statement with this hash lies in the folder of a log, without the endings `.txt`, `.old.sig`
/// and `.new.sig`. A log's entry names the hash, so the file is found by it.
pub fn statement_path(statement: &Sha256Hash) -> String {
    let hash = statement.to_string();
    format!("keys/change-{}", hash.get(..16).unwrap_or(&hash))
}

/// A change of the key that signs recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChangeStatement {
    /// Whose recordings; `None`: all of the installation but those of tenants with a key of their own.
    pub tenant: Option<TenantId>,
    /// The RSA key that signed until now.
    pub old: KeyId,
    /// The RSA key that signs from now on.
    pub new: KeyId,
    /// Fingerprint of the new key's certificate.
    pub new_certificate: Sha256Hash,
    /// The key that signs checkpoints from now on.
    pub new_log_key: LogPublicKey,
    /// When this was written, to the second.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl KeyChangeStatement {
    /// The exact text that is signed.
    ///
    /// # Errors
    /// The reason is none, or both keys are the same.
    pub fn to_text(&self) -> Result<String, KeyChangeError> {
        let Self { tenant, old, new, new_certificate, new_log_key, at, reason } = self;
        let characters = reason.chars().count();
        if reason.trim() != reason
            || !(1..=REASON_CHARACTERS).contains(&characters)
            || reason.chars().any(char::is_control)
        {
            return Err(KeyChangeError::Reason);
        }
        if old == new {
            return Err(KeyChangeError::Same);
        }
        let tenant = tenant.as_ref().map_or(INSTALLATION, TenantId::as_str);
        let log_key = BASE64_STANDARD.encode(new_log_key.to_typed_bytes());
        Ok(format!(
            "{HEADING}\nTenant: {tenant}\nOld: {old}\nNew: {new}\nNewCertificate: {new_certificate}\n\
             NewLogKey: {log_key}\nAt: {at:.0}\nReason: {reason}\n"
        ))
    }

    /// Reads [`to_text`](Self::to_text) and nothing else.
    ///
    /// # Errors
    /// [`KeyChangeError::Format`], or what `to_text` refuses.
    pub fn parse(text: &str) -> Result<Self, KeyChangeError> {
        let mut lines = text.split('\n');
        let [
            Some(HEADING),
            Some(tenant),
            Some(old),
            Some(new),
            Some(certificate),
            Some(log_key),
            Some(at),
            Some(reason),
            Some(""),
            None,
        ] = std::array::from_fn(|_| lines.next())
        else {
            return Err(KeyChangeError::Format);
        };
        let value = |line: &'_ str, key: &str| -> Result<String, KeyChangeError> {
            line.strip_prefix(key).map(str::to_owned).ok_or(KeyChangeError::Format)
        };
        let format = KeyChangeError::Format;
        let tenant = match value(tenant, "Tenant: ")?.as_str() {
            INSTALLATION => None,
            name => Some(name.parse().map_err(|_| format)?),
        };
        let log_key = BASE64_STANDARD.decode(value(log_key, "NewLogKey: ")?).map_err(|_| format)?;
        let statement = Self {
            tenant,
            old: value(old, "Old: ")?.parse().map_err(|_| format)?,
            new: value(new, "New: ")?.parse().map_err(|_| format)?,
            new_certificate: value(certificate, "NewCertificate: ")?.parse().map_err(|_| format)?,
            new_log_key: LogPublicKey::from_typed_bytes(&log_key).map_err(|_| format)?,
            at: value(at, "At: ")?.parse().map_err(|_| format)?,
            reason: value(reason, "Reason: ")?,
        };
        if statement.to_text()? == text { Ok(statement) } else { Err(format) }
    }

    /// Whether both keys signed this text: the old one unless it was lost (`None`), and the new one.
    ///
    /// # Errors
    /// A signature is not one of that key over this text, or a key is another one than named.
    pub fn verify(
        &self,
        old: Option<(&PublicKey, &Signature)>,
        new: (&PublicKey, &Signature),
    ) -> Result<(), KeyChangeError> {
        let text = self.to_text()?;
        let signed = |id: KeyId, (key, signature): (&PublicKey, &Signature)| {
            key.id() == id && key.verify(text.as_bytes(), signature).is_ok()
        };
        if old.is_some_and(|old| !signed(self.old, old)) {
            return Err(KeyChangeError::OldSignature);
        }
        if !signed(self.new, new) {
            return Err(KeyChangeError::NewSignature);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> KeyChangeStatement {
        KeyChangeStatement {
            tenant: Some("acme".parse().unwrap()),
            old: KeyId::of_spki_der(b"old"),
            new: KeyId::of_spki_der(b"new"),
            new_certificate: Sha256Hash::of(b"certificate"),
            new_log_key: LogPublicKey::Ed25519([7; 32]),
            at: "2026-11-22T09:15:30Z".parse().unwrap(),
            reason: "every two years, as our policy says".to_owned(),
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_nothing_else_is() {
        for tenant in [statement().tenant, None] {
            let statement = KeyChangeStatement { tenant, ..statement() };
            let text = statement.to_text().unwrap();
            assert_eq!(KeyChangeStatement::parse(&text), Ok(statement));
            for other in [
                text.replace('\n', "\r\n"),
                text.trim_end().to_owned(),
                format!("{text}\n"),
                text.replace("At: 2026-11-22T09:15:30Z", "At: 2026-11-22T10:15:30+01:00"),
                text.replace("Old: ", "Old:  "),
                text.replace("Reason: every", "Reason:  every"),
            ] {
                assert!(KeyChangeStatement::parse(&other).is_err(), "{other}");
            }
        }
    }

    #[test]
    fn a_change_needs_a_reason_in_one_line_and_another_key() {
        for reason in ["", " ", "two\nlines", &"x".repeat(201)] {
            let without = KeyChangeStatement { reason: reason.to_owned(), ..statement() };
            assert_eq!(without.to_text(), Err(KeyChangeError::Reason));
        }
        let same = KeyChangeStatement { new: statement().old, ..statement() };
        assert_eq!(same.to_text(), Err(KeyChangeError::Same));
    }
}
