//! Values of Secrets that only the key of the installation opens (F-81).
//!
//! A sealed value is bound to its place: tenant, Secret and key. Copied to another it stays closed, so
//! that nobody who may write the configuration, and not read it, gets a password sent to a server of
//! theirs under another name.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{
    ResourceName, Sensitive, TenantId,
    resources::{FieldError, FieldPath, SecretSpec},
};
use vault::{Vault, VaultError};

use crate::source::Source;

/// The field with sealed values.
pub const FIELD: &str = "sealedData";

/// The text for [`FIELD`] that opens as `value` at this key of this Secret alone: base64.
pub fn seal(
    vault: &Vault,
    tenant: &TenantId,
    secret: &ResourceName,
    key: &str,
    value: &Sensitive<String>,
) -> String {
    STANDARD.encode(vault.seal_for(&place(tenant, secret, key), value.expose()))
}

/// What [`seal`] has sealed at this place.
///
/// # Errors
/// The text is damaged, or was sealed with another key or for another place.
pub fn open(
    vault: &Vault,
    tenant: &TenantId,
    secret: &ResourceName,
    key: &str,
    sealed: &Sensitive<String>,
) -> Result<Sensitive<String>, VaultError> {
    let text: String = sealed.expose().split_whitespace().collect();
    let sealed = STANDARD.decode(text).map_err(|_| VaultError::OtherPlace)?;
    vault.open_for(&place(tenant, secret, key), &sealed).map(Sensitive::new)
}

fn place<'a>(tenant: &'a TenantId, secret: &'a ResourceName, key: &'a str) -> [&'a str; 3] {
    [tenant.as_str(), secret.as_str(), key]
}

/// The file with the key; without one, sealed values stay closed, and nobody minds.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyFile(Option<PathBuf>);

impl KeyFile {
    /// Whoever has no use for secrets.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self(Some(path.to_owned()))
    }

    /// For one reading of the folder: the key is read when the first sealed value asks for it.
    pub(crate) fn opener(&self) -> Opener<'_> {
        Opener { file: self.0.as_deref(), vault: OnceLock::new() }
    }

    /// Changes whenever the key file does, if one of the files may have a use for it.
    pub(crate) fn stamp(&self, sources: &[Source]) -> Option<[i64; 4]> {
        let file = self.0.as_deref()?;
        let sealed = |source: &Source| source.text.as_ref().is_ok_and(|text| text.contains(FIELD));
        if !sources.iter().any(sealed) {
            return None;
        }
        let found = fs::metadata(file).ok()?;
        Some([found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()])
    }
}

/// Opens the sealed values of one reading.
pub(crate) struct Opener<'a> {
    file: Option<&'a Path>,
    vault: OnceLock<Result<Vault, VaultError>>,
}

impl Opener<'_> {
    /// Puts what can be opened among the plain values, and says what cannot and why.
    pub(crate) fn open(
        &self,
        tenant: &TenantId,
        secret: &ResourceName,
        spec: &mut SecretSpec,
    ) -> Vec<FieldError> {
        let Some(file) = self.file else { return vec![] };
        let mut errors = Vec::new();
        for (key, sealed) in std::mem::take(&mut spec.sealed_data) {
            let wrong = if spec.string_data.contains_key(&key) || spec.data.contains_key(&key) {
                "stands here in plain text, too, and that one counts; take one of them out".to_owned()
            } else {
                let vault = self.vault.get_or_init(|| Vault::open_existing(file));
                let opened = vault.as_ref().map(|vault| open(vault, tenant, secret, &key, &sealed));
                match opened {
                    Ok(Ok(value)) => {
                        spec.string_data.insert(key, value);
                        continue;
                    }
                    Ok(Err(error)) => closed(&error, file),
                    Err(error) => format!("is sealed, and cannot be opened: {error}"),
                }
            };
            errors.push(FieldError { path: FieldPath::root().key(FIELD).key(&key), reason: wrong });
            // The others are open; this one stays known as closed.
            spec.sealed_data.insert(key, sealed);
        }
        errors
    }
}

fn closed(error: &VaultError, file: &Path) -> String {
    match error {
        VaultError::OtherKey => format!(
            "was sealed with another key than the one in {}; put that key there, or seal the value anew",
            file.display()
        ),
        VaultError::Version(version) if *version > 2 => error.to_string(),
        _ => "is damaged, or was sealed for another tenant, Secret or key; seal it where it stands, by \
              callseal seal-secret"
            .to_owned(),
    }
}
