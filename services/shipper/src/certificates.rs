//! The certificates that a target gets along with the recordings, so that an archive can be
//! verified by itself.

use targets::{Content, Target, TargetError};

use crate::staging::Staging;

/// Name of the certificate in a target's folder. A second one, after a rotation of the key, stands
/// beside it as `callseal (2).pem`.
const NAME: &str = "callseal.pem";

/// Puts those of the signer's certificates into `target` that are not among `known`, the ids of
/// keys whose certificate lies there.
///
/// # Errors
/// The target did not take one.
pub async fn bring(
    staging: &Staging,
    target: &dyn Target,
    known: &mut Vec<String>,
) -> Result<(), TargetError> {
    let certificates = match staging.certificates().await {
        Ok(certificates) => certificates,
        Err(error) => {
            // Recordings are worth more than the certificate beside them.
            tracing::warn!(%error, "the certificates in staging cannot be read");
            return Ok(());
        }
    };
    for (key_id, pem) in certificates {
        if !known.contains(&key_id) {
            target.put("", NAME, &Content::from_bytes(pem)).await?;
            known.push(key_id);
        }
    }
    Ok(())
}
