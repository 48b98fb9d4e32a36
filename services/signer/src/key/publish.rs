//! The certificate of a key, laid out for everybody who verifies: `certificates/<key id>.pem` in staging
//! for the installation's, `certificates/<tenant>/<key id>.pem` for a tenant's own. The shipper brings the
//! former to every target, the latter to those of that tenant.

use bytes::Bytes;
use domain::TenantId;
use evidence::Certificate;
use object_store::path::Path as Key;

use crate::staging::Staging;

/// Puts the certificate where the shipper finds it, and logs its fingerprint (F-55).
///
/// # Errors
/// The certificate cannot be read, or staging not be written.
pub async fn certificate(pem: &str, owner: Option<&TenantId>, staging: &Staging) -> anyhow::Result<()> {
    let certificate = Certificate::from_pem(pem)?;
    let key_id = certificate.public_key().id();
    // As a warning, so that it stands in the log whatever the level.
    tracing::warn!(
        key = %key_id,
        fingerprint = %certificate.fingerprint(),
        subject = certificate.subject(),
        valid_until = %certificate.not_after(),
        "recordings are signed with this certificate"
    );
    let folder = owner.map(|tenant| format!("{tenant}/")).unwrap_or_default();
    let name = Key::from(format!("certificates/{folder}{key_id}.pem"));
    let content = Bytes::from(pem.to_owned());
    if staging.read(&name).await.ok().as_ref() != Some(&content) {
        // A CA may have issued another certificate for the same key: the latest one counts.
        staging.replace(&name, content).await?;
    }
    Ok(())
}
