//! The vault as a key service.

use async_trait::async_trait;
use azure_core::{error::ErrorKind, time::OffsetDateTime};
use azure_security_keyvault_keys::{
    KeyClient, ResourceExt, ResourceId,
    models::{
        CreateKeyParameters, CurveName, Key, KeyAttributes, KeyClientGetKeyOptions, KeyClientSignOptions,
        KeyOperation, KeyType, SignParameters, SignatureAlgorithm,
    },
};
use futures::TryStreamExt;

use super::{
    fault::{Asked, fault},
    public_key::spki,
};
use crate::{
    cloud::{CloudError, Fault, KeyKind, KeyService, RemoteKey},
    log_key::ecdsa_asn1,
};

/// So many former versions of a key are looked at, the newest first.
const VERSIONS: usize = 100;

/// A vault. A name is the name of a key, or `name/version`.
pub(super) struct KeyVault {
    client: KeyClient,
    place: String,
    software_keys: bool,
}

impl KeyVault {
    pub(super) const fn new(client: KeyClient, place: String, software_keys: bool) -> Self {
        Self { client, place, software_keys }
    }

    const fn asked<'a>(&'a self, key: &'a str, doing: &'static str, right: &'static str) -> Asked<'a> {
        Asked { place: self.place.as_str(), key, doing, right }
    }

    async fn version(&self, name: &str, version: Option<&str>) -> Result<RemoteKey, Fault> {
        let asked = self.asked(name, "read", "keys/read (role Key Vault Crypto User)");
        let options =
            KeyClientGetKeyOptions { key_version: version.map(str::to_owned), ..Default::default() };
        let answer = self.client.get_key(name, Some(options)).await.map_err(|error| fault(error, asked))?;
        self.remote(&answer.into_model().map_err(|error| fault(error, asked))?, asked)
    }

    fn remote(&self, key: &Key, asked: Asked<'_>) -> Result<RemoteKey, Fault> {
        let unfit = |why: &str| CloudError::KeyUnfit {
            place: self.place.clone(),
            key: asked.key.to_owned(),
            why: why.to_owned(),
        };
        let id = key.resource_id().map_err(|error| fault(error, asked))?;
        let public = key.key.as_ref().and_then(spki);
        let attributes = key.attributes.as_ref();
        let doubt = "the vault can give this key away (exportable): a recording signed by it proves less";
        Ok(RemoteKey {
            handle: id.version.ok_or_else(|| unfit("the vault names no version of it"))?,
            spki: public.ok_or_else(|| unfit("it is neither RSA nor ECDSA on P-256"))?,
            unusable: attributes.and_then(state).map(str::to_owned),
            doubt: attributes.and_then(|a| a.exportable).unwrap_or(false).then_some(doubt),
        })
    }
}

/// Why a key with these attributes does not sign now.
fn state(attributes: &KeyAttributes) -> Option<&'static str> {
    let now = OffsetDateTime::now_utc();
    match attributes {
        KeyAttributes { enabled: Some(false), .. } => Some("disabled"),
        KeyAttributes { not_before: Some(at), .. } if *at > now => Some("not yet valid"),
        KeyAttributes { expires: Some(at), .. } if *at <= now => Some("expired"),
        _ => None,
    }
}

/// A name may say the version too.
fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('/').map_or((name, None), |(name, version)| (name, Some(version)))
}

#[async_trait]
impl KeyService for KeyVault {
    fn place(&self) -> &str {
        &self.place
    }

    async fn current(&self, name: &str) -> Result<RemoteKey, Fault> {
        let (name, version) = split(name);
        self.version(name, version).await
    }

    async fn former(&self, name: &str) -> Result<Vec<RemoteKey>, Fault> {
        let (name, None) = split(name) else { return Ok(Vec::new()) };
        let asked = self.asked(name, "list the versions of", "keys/read (role Key Vault Crypto User)");
        let pages =
            self.client.list_key_properties_versions(name, None).map_err(|error| fault(error, asked))?;
        let mut versions: Vec<_> = pages.try_collect().await.map_err(|error| fault(error, asked))?;
        versions.sort_by_key(|version| {
            std::cmp::Reverse(version.attributes.as_ref().and_then(|attributes| attributes.created))
        });
        let mut keys = Vec::new();
        for version in versions.iter().take(VERSIONS) {
            let id: Option<ResourceId> = version.resource_id().ok();
            if let Some(version) = id.and_then(|id| id.version) {
                keys.push(self.version(name, Some(&version)).await?);
            }
        }
        Ok(keys)
    }

    async fn sign(
        &self,
        name: &str,
        handle: &str,
        kind: KeyKind,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, Fault> {
        let (name, _) = split(name);
        let asked = self.asked(name, "sign with", "keys/sign/action (role Key Vault Crypto User)");
        let algorithm = match kind {
            KeyKind::Rsa(_) => SignatureAlgorithm::Rs256,
            KeyKind::P256 => SignatureAlgorithm::Es256,
        };
        let parameters = SignParameters { algorithm: Some(algorithm), value: Some(digest.to_vec()) };
        let parameters = parameters.try_into().map_err(|error| fault(error, asked))?;
        let options = KeyClientSignOptions { key_version: Some(handle.to_owned()), ..Default::default() };
        let answer = self.client.sign(name, parameters, Some(options)).await;
        let answer = answer.and_then(|answer| answer.into_model()).map_err(|error| fault(error, asked))?;
        let empty =
            || azure_core::Error::with_message(ErrorKind::DataConversion, "the answer holds no signature");
        let signature = answer.result.ok_or_else(|| fault(empty(), asked))?;
        match kind {
            KeyKind::Rsa(_) => Ok(signature),
            // RFC 7518 § 3.4: the two numbers side by side. A malformed one is refused when it is verified.
            KeyKind::P256 => Ok(ecdsa_asn1(&signature).unwrap_or(signature)),
        }
    }

    async fn create(&self, name: &str, kind: KeyKind) -> Result<RemoteKey, Fault> {
        let asked = self.asked(name, "make", "keys/create (role Key Vault Crypto Officer)");
        if name.contains('/') {
            return Err(CloudError::Setting("a new key has a name and not yet a version".to_owned()).into());
        }
        let (kty, key_size, curve) = match (kind, self.software_keys) {
            (KeyKind::Rsa(bits), false) => (KeyType::RsaHsm, Some(i32::from(bits)), None),
            (KeyKind::Rsa(bits), true) => (KeyType::Rsa, Some(i32::from(bits)), None),
            (KeyKind::P256, false) => (KeyType::EcHsm, None, Some(CurveName::P256)),
            (KeyKind::P256, true) => (KeyType::Ec, None, Some(CurveName::P256)),
        };
        let parameters = CreateKeyParameters {
            curve,
            key_attributes: Some(enabled()),
            key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
            key_size,
            kty: Some(kty),
            ..CreateKeyParameters::default()
        };
        let parameters = parameters.try_into().map_err(|error| fault(error, asked))?;
        let answer = self.client.create_key(name, parameters, None).await;
        let answer = answer.and_then(|answer| answer.into_model()).map_err(|error| fault(error, asked))?;
        self.remote(&answer, asked)
    }
}

/// Signs from now on, until somebody says otherwise, and stays inside.
fn enabled() -> KeyAttributes {
    KeyAttributes { enabled: Some(true), exportable: Some(false), ..KeyAttributes::default() }
}
