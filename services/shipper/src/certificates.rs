//! The certificates that a target gets along with the recordings, so that an archive can be
//! verified by itself.

use std::collections::BTreeSet;

use bytes::Bytes;
use domain::TenantId;
use targets::{Target, TargetError};

use crate::{small_file::put_numbered, staging::Staging};

/// The certificates that lie in a target. A key may get another one: of a CA.
pub type Brought = BTreeSet<Bytes>;

/// Puts those of the signer's certificates into `target`, which is one of `tenant`, that are not among
/// `brought`: the installation's and the tenant's own. Who else records here is nobody's business there.
///
/// # Errors
/// The target did not take one.
pub async fn bring(
    staging: &Staging,
    tenant: &TenantId,
    target: &dyn Target,
    brought: &mut Brought,
) -> Result<(), TargetError> {
    let certificates = match staging.certificates(tenant).await {
        Ok(certificates) => certificates,
        Err(error) => {
            // Recordings are worth more than the certificate beside them.
            tracing::warn!(%error, "the certificates in staging cannot be read");
            return Ok(());
        }
    };
    for pem in certificates {
        if !brought.contains(&pem) {
            // `callseal.pem`, and `callseal (2).pem` … after changes of the key.
            put_numbered(target, "callseal", "pem", &pem).await?;
            brought.insert(pem);
        }
    }
    Ok(())
}
