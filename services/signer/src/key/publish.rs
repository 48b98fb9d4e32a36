//! The certificate of a key, laid out for everybody who verifies.

use std::sync::Arc;

use bytes::Bytes;
use evidence::Certificate;
use keys::SigningKey;
use object_store::path::Path as Key;

use crate::staging::Staging;

/// Puts the certificate where the shipper finds it, and logs its fingerprint (F-55).
///
/// # Errors
/// The certificate cannot be read, or staging not be written.
pub async fn certificate(key: &Arc<dyn SigningKey>, staging: &Staging) -> anyhow::Result<()> {
    let certificate = Certificate::from_pem(key.certificate_pem())?;
    // As a warning, so that it stands in the log whatever the level.
    tracing::warn!(
        key = %key.key_id(),
        fingerprint = %certificate.fingerprint(),
        subject = certificate.subject(),
        valid_until = %certificate.not_after(),
        "recordings are signed with this certificate"
    );
    let name = Key::from(format!("certificates/{}.pem", key.key_id()));
    let content = Bytes::from(key.certificate_pem().to_owned());
    if staging.read(&name).await.ok().as_ref() != Some(&content) {
        // A CA may have issued another certificate for the same key: the latest one counts.
        staging.replace(&name, content).await?;
    }
    Ok(())
}
