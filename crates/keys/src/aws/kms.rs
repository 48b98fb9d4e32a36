//! KMS as a key service.

use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{KeySpec, KeyUsageType, MessageType, OriginType, SigningAlgorithmSpec},
};

use super::fault::{Asked, fault};
use crate::cloud::{CloudError, Fault, KeyKind, KeyService, RemoteKey};

/// KMS in a region. A name is an alias, with or without `alias/` before it, or a key's ARN or UUID.
pub(super) struct Kms {
    client: Client,
    place: String,
}

impl Kms {
    pub(super) const fn new(client: Client, place: String) -> Self {
        Self { client, place }
    }

    const fn asked<'a>(&'a self, key: &'a str, doing: &'static str, right: &'static str) -> Asked<'a> {
        Asked { place: self.place.as_str(), key, doing, right }
    }

    /// A key whose private half came from elsewhere. Who may not look, does not learn it.
    async fn doubt(&self, handle: &str) -> Option<&'static str> {
        let described = self.client.describe_key().key_id(handle).send().await.ok()?;
        match described.key_metadata?.origin? {
            OriginType::External => Some(
                "the key was made outside of KMS and brought there: a recording signed by it proves less",
            ),
            _ => None,
        }
    }
}

/// How KMS wants a name written.
fn key_id(name: &str) -> String {
    let is_uuid = name.len() == 36 && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    match name.starts_with("arn:") || name.starts_with("alias/") || name.starts_with("mrk-") || is_uuid {
        true => name.to_owned(),
        false => format!("alias/{name}"),
    }
}

#[async_trait]
impl KeyService for Kms {
    fn place(&self) -> &str {
        &self.place
    }

    async fn current(&self, name: &str) -> Result<RemoteKey, Fault> {
        let asked = self.asked(name, "read the public half of", "kms:GetPublicKey");
        let answer = self.client.get_public_key().key_id(key_id(name)).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            // It is there, and says nothing else of itself.
            Err(error) => return Err(fault(error, asked)),
        };
        let unfit = |why: &str| CloudError::KeyUnfit {
            place: self.place.clone(),
            key: name.to_owned(),
            why: why.to_owned(),
        };
        if answer.key_usage != Some(KeyUsageType::SignVerify) {
            return Err(unfit("its key usage is not SIGN_VERIFY").into());
        }
        let handle = answer.key_id.ok_or_else(|| unfit("KMS does not tell its ARN"))?;
        let spki = answer.public_key.ok_or_else(|| unfit("KMS does not tell its public half"))?.into_inner();
        let doubt = self.doubt(&handle).await;
        Ok(RemoteKey { handle, spki, unusable: None, doubt })
    }

    async fn former(&self, _name: &str) -> Result<Vec<RemoteKey>, Fault> {
        // KMS does not rotate such keys, and an alias does not tell what it stood for.
        Ok(Vec::new())
    }

    async fn sign(
        &self,
        name: &str,
        handle: &str,
        kind: KeyKind,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, Fault> {
        let asked = self.asked(name, "sign with", "kms:Sign");
        let algorithm = match kind {
            KeyKind::Rsa(_) => SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
            KeyKind::P256 => SigningAlgorithmSpec::EcdsaSha256,
        };
        let request = self.client.sign().key_id(handle).signing_algorithm(algorithm);
        let request = request.message_type(MessageType::Digest).message(Blob::new(digest.to_vec()));
        let answer = request.send().await.map_err(|error| fault(error, asked))?;
        // None is a wrong one: it is verified next.
        Ok(answer.signature.unwrap_or_else(|| Blob::new(Vec::new())).into_inner())
    }

    async fn create(&self, name: &str, kind: KeyKind) -> Result<RemoteKey, Fault> {
        let asked = self.asked(name, "make", "kms:CreateKey");
        let alias = key_id(name);
        if !alias.starts_with("alias/") {
            return Err(CloudError::Setting("a new key has a name, KMS gives it its ARN".to_owned()).into());
        }
        let spec = match kind {
            KeyKind::Rsa(2048) => KeySpec::Rsa2048,
            KeyKind::Rsa(4096) => KeySpec::Rsa4096,
            KeyKind::Rsa(_) => KeySpec::Rsa3072,
            KeyKind::P256 => KeySpec::EccNistP256,
        };
        let request = self.client.create_key().key_usage(KeyUsageType::SignVerify).key_spec(spec);
        let made = request.description(format!("Callseal {name}")).send().await;
        let made = made.map_err(|error| fault(error, asked))?;
        let handle = made.key_metadata.and_then(|metadata| metadata.arn).unwrap_or_default();
        let asked = self.asked(name, "name", "kms:CreateAlias");
        let named = self.client.create_alias().alias_name(alias).target_key_id(&handle).send().await;
        if let Err(error) = named {
            // Not silently: it costs money every month.
            tracing::warn!(
                place = self.place,
                key = handle,
                "a key was made and could not be named; delete it"
            );
            return Err(fault(error, asked));
        }
        self.current(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_alias_unless_it_says_what_else_it_is() {
        for (name, expected) in [
            ("callseal", "alias/callseal"),
            ("alias/callseal", "alias/callseal"),
            ("acme/2026", "alias/acme/2026"),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", "1234abcd-12ab-34cd-56ef-1234567890ab"),
            (
                "arn:aws:kms:eu-central-1:111122223333:key/1234",
                "arn:aws:kms:eu-central-1:111122223333:key/1234",
            ),
        ] {
            assert_eq!(key_id(name), expected);
        }
    }
}
