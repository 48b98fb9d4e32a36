//! The signing key: opened from the HSM, its certificate laid out for everybody who verifies.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use evidence::Certificate;
use keys::{
    SigningKey,
    pkcs11::{Pin, Pkcs11Key, Pkcs11Options},
    softhsm,
};
use object_store::path::Path as Key;

use crate::{Options, staging::Staging};

/// Opens the key that the options name. Never makes one.
///
/// # Errors
/// The library, the token, the PIN or the key is not there; the text says which and what to do.
pub async fn open(options: &Options) -> anyhow::Result<Arc<dyn SigningKey>> {
    let module = match &options.pkcs11_module {
        Some(module) => module.clone(),
        None => softhsm::find_module().context("no PKCS#11 library was found: give --pkcs11-module")?,
    };
    let pin_file =
        options.pkcs11_pin_file.clone().context("the HSM's PIN is needed: give --pkcs11-pin-file")?;
    let options = Pkcs11Options {
        module,
        token_label: options.pkcs11_token.clone(),
        pin: Pin::File(pin_file),
        key_label: options.pkcs11_key.clone(),
    };
    let key = tokio::task::spawn_blocking(move || Pkcs11Key::open(&options)).await??;
    Ok(Arc::new(key))
}

/// Puts the certificate where the shipper finds it, and logs its fingerprint (F-55).
///
/// # Errors
/// The certificate cannot be read, or staging not be written.
pub async fn publish(key: &Arc<dyn SigningKey>, staging: &Staging) -> anyhow::Result<()> {
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
