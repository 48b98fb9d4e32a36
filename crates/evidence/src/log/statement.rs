//! The log key statement: the RSA key says which key signs the log, so that the fingerprint of the RSA
//! certificate stays the one root of trust.

use jiff::Timestamp;

use super::{LogKey, LogKeyError};
use crate::KeyId;

const HEADING: &str = "Callseal log key";

/// Why a text is not a log key statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Other lines than the five.
    #[error("not a log key statement: expected its heading and the lines Origin, LogKey, From and SignedBy")]
    Format,
    /// The key is none.
    #[error("the log key statement holds no usable key")]
    Key(#[from] LogKeyError),
    /// The key has another name than the log.
    #[error("the log key statement names a key of another log")]
    OtherLog,
}

/// Which key signs the checkpoints of a log. It lies at `keys/<key hash>.txt`, the RSA signature over
/// its exact bytes beside it at `keys/<key hash>.txt.SHA256withRSA.sig`
/// ([`Signature::to_file`](crate::Signature::to_file)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeyStatement {
    /// The key; its name is the origin of the log.
    pub key: LogKey,
    /// Since when, to the second.
    pub from: Timestamp,
    /// The RSA key that says so.
    pub signed_by: KeyId,
}

impl LogKeyStatement {
    /// The exact text that is signed.
    pub fn to_text(&self) -> String {
        let Self { key, from, signed_by } = self;
        let (origin, vkey) = (&key.name, key.vkey());
        format!("{HEADING}\nOrigin: {origin}\nLogKey: {vkey}\nFrom: {from:.0}\nSignedBy: {signed_by}\n")
    }

    /// Reads [`to_text`](Self::to_text) and nothing else.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let mut lines = text.split('\n');
        let [Some(HEADING), Some(origin), Some(vkey), Some(from), Some(signed_by), Some(""), None] =
            std::array::from_fn(|_| lines.next())
        else {
            return Err(StatementError::Format);
        };
        let value = |line: &str, key: &str| -> Result<String, StatementError> {
            line.strip_prefix(key).map(str::to_owned).ok_or(StatementError::Format)
        };
        let key = LogKey::parse(&value(vkey, "LogKey: ")?)?;
        if key.name != value(origin, "Origin: ")? {
            return Err(StatementError::OtherLog);
        }
        let from = value(from, "From: ")?.parse().map_err(|_| StatementError::Format)?;
        let signed_by = value(signed_by, "SignedBy: ")?.parse().map_err(|_| StatementError::Format)?;
        let statement = Self { key, from, signed_by };
        if statement.to_text() == text { Ok(statement) } else { Err(StatementError::Format) }
    }

    /// Where it lies below `log/<tenant>/`.
    pub fn path(&self) -> String {
        format!("keys/{:08x}.txt", self.key.key_hash())
    }

    /// Where its signature lies below `log/<tenant>/`.
    pub fn signature_path(&self) -> String {
        format!("{}.SHA256withRSA.sig", self.path())
    }
}
