//! The certificates that a target gets along with the recordings, so that an archive can be
//! verified by itself.

use std::collections::BTreeSet;

use targets::{Target, TargetError};

use crate::{small_file::put_numbered, staging::Staging};

/// The ids of keys whose certificate lies in a target.
pub type Brought = BTreeSet<String>;

/// Puts those of the signer's certificates into `target` that are not among `brought`.
///
/// # Errors
/// The target did not take one.
pub async fn bring(staging: &Staging, target: &dyn Target, brought: &mut Brought) -> Result<(), TargetError> {
    let certificates = match staging.certificates().await {
        Ok(certificates) => certificates,
        Err(error) => {
            // Recordings are worth more than the certificate beside them.
            tracing::warn!(%error, "the certificates in staging cannot be read");
            return Ok(());
        }
    };
    for (key_id, pem) in certificates {
        if !brought.contains(&key_id) {
            // `callseal.pem`, and `callseal (2).pem` … after changes of the key.
            put_numbered(target, "callseal", "pem", &pem).await?;
            brought.insert(key_id);
        }
    }
    Ok(())
}
