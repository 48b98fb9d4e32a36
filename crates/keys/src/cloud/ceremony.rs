//! Opening and making keys in a service.
//!
//! Order of making: 1 nothing of that name is there, 2 RSA key, 3 log key, 4 certificate signed by the
//! first, 5 file with the log key's public half, 6 file with the certificate. A crash after 2 leaves keys
//! without a certificate, which Callseal has not signed anything with: `--key-adopt` finishes them.

use std::{path::Path, sync::Arc};

use evidence::{Certificate, KeyId};
use jiff::Timestamp;

use super::{
    CloudOptions,
    error::CloudError,
    files::{CertificateFile, KeyFiles, parse_certificates},
    key::{CloudKey, CloudLogKey, Connection, sign_rsa},
    patience::Again,
    service::{KeyKind, KeyService, RemoteKey},
};
use crate::{
    KeyError, KeyName, KeySet, LogSigningKey, NewKey, SigningKey,
    certificate::{self, chain},
};

/// A key in a service, and where its files are.
pub(crate) struct Keeping<'a> {
    pub(crate) service: Arc<dyn KeyService>,
    pub(crate) options: &'a CloudOptions,
    pub(crate) key: &'a KeyName,
    /// Whether it is the installation's key, which `--key-log-key` speaks of.
    pub(crate) is_first: bool,
}

/// The same, looked through.
struct Kept {
    connection: Connection,
    files: KeyFiles,
    name: String,
    log_name: String,
}

impl Keeping<'_> {
    fn look_through(self) -> Result<Kept, CloudError> {
        let setting = |why: &str| CloudError::Setting(why.to_owned());
        let KeyName::Label(name) = self.key else {
            return Err(setting("keys in a cloud have names: give one instead of id:…"));
        };
        let folder = self.options.key_certificates.clone();
        let folder = folder
            .ok_or_else(|| setting("give --key-certificates, the folder with the certificates of keys"))?;
        let log_name = match &self.options.key_log_key {
            Some(log_key) if self.is_first => log_key.clone(),
            // The version of one key says nothing about the other.
            _ => KeyName::of_log_key(name.split('/').next().unwrap_or(name)),
        };
        let connection = Connection::new(self.service, self.options.limits());
        Ok(Kept { connection, files: KeyFiles::new(folder), name: name.clone(), log_name })
    }
}

/// Opens both keys and makes sure that they sign.
pub(crate) fn open(keeping: Keeping<'_>) -> Result<KeySet, KeyError> {
    let kept = keeping.look_through()?;
    let signing = kept.open_signing()?;
    Ok(KeySet { signing, log: kept.open_log()? })
}

/// Opens the RSA key alone and makes sure that it signs.
pub(crate) fn open_signing(keeping: Keeping<'_>) -> Result<Arc<dyn SigningKey>, KeyError> {
    keeping.look_through()?.open_signing()
}

/// Makes both keys and the certificate, and opens them.
pub(crate) fn create(keeping: Keeping<'_>, new: &NewKey) -> Result<KeySet, KeyError> {
    let adopt = keeping.options.key_adopt;
    certificate::check_subject(&new.subject)?;
    let kept = keeping.look_through()?;
    if kept.files.certificate(&kept.name)?.is_some() {
        return Err(kept.exists(&kept.name).into());
    }
    let (there, log_there) = (kept.current(&kept.name)?, kept.current(&kept.log_name)?);
    if !adopt {
        for (name, key) in [(&kept.name, &there), (&kept.log_name, &log_there)] {
            if key.is_some() {
                return Err(kept.exists(name).into());
            }
        }
    } else if there.is_none() {
        return Err(kept.missing(&kept.name).into());
    }
    let key = match there {
        Some(key) => key,
        None => kept.make(&kept.name, KeyKind::Rsa(new.bits.count()))?,
    };
    let public = key.rsa(&kept.connection.place(), &kept.name)?;
    let log_key = match log_there {
        Some(key) => key,
        None => kept.make(&kept.log_name, KeyKind::P256)?,
    };
    log_key.p256(&kept.connection.place(), &kept.log_name)?;
    let sign = |message: &[u8]| {
        sign_rsa(&kept.connection, &kept.name, &key, &public, message).map(|s| s.as_bytes().to_vec())
    };
    let made = certificate::self_signed(&new.subject, &key.spki, sign)?;
    let unusable = |error: evidence::CertificateError| KeyError::Certificate(error.to_string());
    // Read back as others will read it.
    let certificate = Certificate::from_der(&made.der).map_err(unusable)?;
    let pem = certificate.to_pem().map_err(unusable)?;
    kept.files.keep_log_key(&kept.log_name, &log_key.spki)?;
    kept.files.keep_certificate(&kept.name, &CertificateFile { certificate, pem, chain: String::new() })?;
    Ok(KeySet { signing: kept.open_signing()?, log: kept.open_log()? })
}

/// Makes the log key beside an RSA key that has none, and opens both.
pub(crate) fn create_log_key(keeping: Keeping<'_>) -> Result<KeySet, KeyError> {
    let kept = keeping.look_through()?;
    let signing = kept.open_signing()?;
    if kept.current(&kept.log_name)?.is_some() {
        return Err(kept.exists(&kept.log_name).into());
    }
    let key = kept.make(&kept.log_name, KeyKind::P256)?;
    kept.files.keep_log_key(&kept.log_name, &key.spki)?;
    Ok(KeySet { signing, log: kept.open_log()? })
}

/// Keeps another certificate of the key, with those above it. All of them were judged before.
pub(crate) fn import_certificate(keeping: Keeping<'_>, pem: &str) -> Result<(), KeyError> {
    let kept = keeping.look_through()?;
    // The key that the certificate is to be of: the known one, or, if there is no certificate yet, the
    // current one.
    let known = kept.files.certificate(&kept.name)?.map(|file| file.certificate.public_key().id());
    let id = match known {
        Some(id) => id,
        None => kept.current(&kept.name)?.ok_or_else(|| kept.missing(&kept.name))?.id(),
    };
    let certificates = chain::judged(pem, id, Timestamp::now())?;
    let texts: Result<Vec<String>, KeyError> =
        certificates.iter().map(|der| certificate::to_pem(der)).collect();
    let file = kept.files.certificate_path(&kept.name);
    Ok(kept.files.keep_certificate(&kept.name, &parse_certificates(&texts?.concat(), &file)?)?)
}

impl Kept {
    fn open_signing(&self) -> Result<Arc<dyn SigningKey>, KeyError> {
        let file = self.files.certificate_path(&self.name);
        let Some(certificate) = self.files.certificate(&self.name)? else {
            let (place, key) = (self.connection.place(), self.name.clone());
            return Err(CloudError::CertificateMissing { place, key, file }.into());
        };
        let key = self.known(&self.name, certificate.certificate.public_key().id(), &file)?;
        key.rsa(&self.connection.place(), &self.name)?;
        let key =
            CloudKey::new(self.connection.clone(), self.name.clone(), key, certificate, self.files.clone());
        key.check()?;
        Ok(Arc::new(key))
    }

    fn open_log(&self) -> Result<Arc<dyn LogSigningKey>, KeyError> {
        let key = match self.files.log_key(&self.log_name)? {
            Some(id) => self.known(&self.log_name, id, &self.files.log_key_path(&self.log_name)),
            // Made by somebody else, and nothing says which it is to be: from now on it is this one, for
            // as long as this process lives. The signer compares it with the one in its database.
            None => self.current(&self.log_name)?.ok_or_else(|| self.missing(&self.log_name)),
        };
        let key = key.map_err(|error| match error {
            CloudError::KeyMissing { place, key } => CloudError::LogKeyMissing { place, key },
            other => other,
        })?;
        let public = key.p256(&self.connection.place(), &self.log_name)?;
        let key = CloudLogKey::new(self.connection.clone(), self.log_name.clone(), key, public);
        key.check()?;
        Ok(Arc::new(key))
    }

    /// The key of that name with that id, current or not.
    fn known(&self, name: &str, id: KeyId, file: &Path) -> Result<RemoteKey, CloudError> {
        let place = self.connection.place();
        let current = self.current(name)?.ok_or_else(|| self.missing(name))?;
        let key = if current.id() == id {
            current
        } else {
            let asked = Arc::<str>::from(name);
            let former = self.connection.ask(Again::Yes, move |service| {
                let name = asked.clone();
                async move { service.former(&name).await }
            })?;
            let Some(key) = former.into_iter().find(|key| key.id() == id) else {
                return Err(CloudError::KeyChanged { place, key: name.to_owned(), file: file.to_owned() });
            };
            tracing::warn!(
                place,
                key = name,
                "the key was rotated in the key service: Callseal goes on with the one it knows, until callseal key rotate"
            );
            key
        };
        if let Some(state) = key.unusable {
            return Err(CloudError::KeyNotUsable { place, key: name.to_owned(), state });
        }
        if let Some(doubt) = key.doubt {
            tracing::warn!(place, key = name, "{doubt}");
        }
        Ok(key)
    }

    fn current(&self, name: &str) -> Result<Option<RemoteKey>, CloudError> {
        let asked = Arc::<str>::from(name);
        let answer = self.connection.ask(Again::Yes, move |service| {
            let name = asked.clone();
            async move { service.current(&name).await }
        });
        match answer {
            Ok(key) => Ok(Some(key)),
            Err(CloudError::KeyMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn make(&self, name: &str, kind: KeyKind) -> Result<RemoteKey, CloudError> {
        let asked = Arc::<str>::from(name);
        self.connection.ask(Again::OnlyIfTurnedAway, move |service| {
            let name = asked.clone();
            async move { service.create(&name, kind).await }
        })
    }

    fn missing(&self, name: &str) -> CloudError {
        CloudError::KeyMissing { place: self.connection.place(), key: name.to_owned() }
    }

    fn exists(&self, name: &str) -> CloudError {
        CloudError::KeyExists { place: self.connection.place(), key: name.to_owned() }
    }
}
