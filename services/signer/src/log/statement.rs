//! The log key statement: the RSA key says which key signs this log's checkpoints.
//!
//! The text is put first, the signature beside it afterwards. Crash in between: the text that lies
//! there is signed; PKCS#1 v1.5 makes the same signature again.

use evidence::log::{LogFiles, LogKey, LogKeyStatement};
use jiff::Timestamp;
use keys::KeySet;

use super::{LogError, blocking, folder::LogFolder};

/// Publishes statement and signature for this key, unless both are there.
///
/// # Errors
/// The RSA key does not sign, staging cannot be written, or another text stands there: whoever can
/// write to staging must not get a signature for it.
pub async fn publish(folder: &LogFolder, keys: &KeySet, key: &LogKey) -> Result<(), LogError> {
    let new = LogKeyStatement { key: key.clone(), from: Timestamp::now(), signed_by: keys.signing.key_id() };
    let (path, signature_path) = (new.path(), new.signature_path());
    let files = folder.clone();
    let there = blocking(move || Ok::<_, std::io::Error>((files.read(&path)?, files.read(&signature_path)?)));
    let text = match there.await?.map_err(super::folder::FolderError::from)? {
        (Some(_), Some(_)) => return Ok(()),
        (Some(text), None) => {
            let stands = std::str::from_utf8(&text).ok().and_then(|text| LogKeyStatement::parse(text).ok());
            let is_ours =
                stands.is_some_and(|there| there == LogKeyStatement { from: there.from, ..new.clone() });
            if !is_ours {
                return Err(LogError::ForeignStatement);
            }
            text
        }
        (None, _) => {
            let text = new.to_text().into_bytes();
            folder.put_once(&new.path(), text.clone(), "a log key statement").await?;
            text
        }
    };
    let (signing, message) = (keys.signing.clone(), text);
    let signature = blocking(move || signing.sign(&message)).await??;
    folder
        .put_once(&new.signature_path(), signature.to_file(), "the signature of a log key statement")
        .await?;
    Ok(())
}
